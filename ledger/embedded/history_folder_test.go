package embedded_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger/embedded"
)

// historyFolder is a ledger in a folder that a test restarts: in turns after a close, and after
// a kill.
type historyFolder struct {
	*embedded.Ledger
	t       *testing.T
	dir     string
	options []embedded.Option

	restarts, kills int
}

func openHistoryFolder(t *testing.T, options ...embedded.Option) *historyFolder {
	t.Helper()
	l := &historyFolder{t: t, dir: t.TempDir(), options: options}
	l.open()
	t.Cleanup(func() { require.NoError(t, l.Close()) }) // the last one opened
	return l
}

func (l *historyFolder) open() {
	l.t.Helper()
	opened, err := embedded.Open(l.dir, l.options...)
	require.NoError(l.t, err)
	l.Ledger = opened
}

// restart opens the folder again: after a close, or every third time a copy of the folder as a
// killed process leaves it.
func (l *historyFolder) restart() {
	l.t.Helper()
	abandoned, dir := l.Ledger, l.dir
	if l.restarts++; l.restarts%3 == 0 {
		l.kills++
		l.dir = copyAtRest(l.t, dir)
		l.open()
	}
	require.NoError(l.t, abandoned.Close())
	if l.dir == dir {
		l.open()
		return
	}
	require.NoError(l.t, os.RemoveAll(dir))
}

// copyAtRest copies the folder of a ledger that gets no requests. The ledger may still be writing a
// checkpoint: a copy counts if no file has changed meanwhile, so that it shows one moment.
func copyAtRest(t *testing.T, dir string) (copied string) {
	t.Helper()
	for {
		before := describeFiles(t, dir)
		copied = t.TempDir()
		err := os.CopyFS(copied, os.DirFS(dir))
		if maps.Equal(before, describeFiles(t, dir)) {
			require.NoError(t, err)
			return copied
		}
		require.NoError(t, os.RemoveAll(copied))
	}
}

// fileState changes whenever a file is written.
type fileState struct{ size, modified int64 }

func describeFiles(t *testing.T, dir string) map[string]fileState {
	t.Helper()
	files := map[string]fileState{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			var info fs.FileInfo
			if info, err = entry.Info(); err == nil {
				files[path] = fileState{info.Size(), info.ModTime().UnixNano()}
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed meanwhile
		}
		return err
	}))
	return files
}
