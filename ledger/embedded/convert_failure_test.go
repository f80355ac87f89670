package embedded

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A conversion that fails leaves no files: else the disk would have all transfers twice, and the older
// program might find no room. The next one begins again.
func TestFailedConversion(t *testing.T) {
	t.Parallel()
	// A folder with a file in it cannot be removed or written as a checkpoint.
	block := func(t *testing.T, dir, name string) (unblock func()) {
		t.Helper()
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Join(path, "file"), 0o700))
		return func() { require.NoError(t, os.RemoveAll(path)) }
	}
	seals := WithCheckpointEvery(2 << 10)
	for name, open := range map[string]func(t *testing.T, dir string) error{
		"the log cannot be opened": func(t *testing.T, dir string) error {
			t.Helper()
			defer block(t, dir, "checkpoint-0000000000000003.tmp")()
			_, err := Open(dir, seals)
			return err
		},
		"the checkpoint cannot be written": func(t *testing.T, dir string) error {
			t.Helper()
			unblock := func() {}
			defer func() { unblock() }()
			_, err := Open(dir, seals, WithClock(func() time.Time { // between reading and the checkpoint
				unblock = block(t, dir, "checkpoint-0000000000000006.tmp")
				return time.Now()
			}))
			return err
		},
		"there is no room": func(t *testing.T, dir string) error {
			t.Helper()
			for _, name := range []string{"segment-0000000000000001", "ids-0000000000000001.tmp"} { // of a killed one
				require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("part"), 0o600))
			}
			_, err := Open(dir, seals, func(l *Ledger) {
				l.space.free = func(string) (uint64, bool) { return uint64(l.space.reserve), true }
			})
			require.ErrorIs(t, err, ErrDiskFull)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "format1"))))
			require.Error(t, open(t, dir))
			left, err := filepath.Glob(filepath.Join(dir, "[si]*-*"))
			require.NoError(t, err)
			require.Empty(t, left)
			l, err := Open(dir, seals)
			require.NoError(t, err)
			require.True(t, l.Recovery().Converted)
			require.Positive(t, l.Recovery().Transfers)
			require.NoError(t, l.Close())
		})
	}
}
