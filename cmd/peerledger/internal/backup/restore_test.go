package backup

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/vsr/vsrtest"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// Restore replaces nothing, and writes no second data file beside another one.
func TestRestoreIntoAnEmptyVolumeOnly(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	b := n.createBackup(t, n.makeOptions())
	for _, present := range []string{"7_0.tigerbeetle", "8_0.tigerbeetle", "other"} {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, present), []byte("precious"), 0o600))
		err := b.Restore(t.Context(), filepath.Join(dir, "7_0.tigerbeetle"), nil)
		if present == "other" {
			require.NoError(t, err)
			err = b.Restore(t.Context(), filepath.Join(dir, "other"), nil)
		}
		require.ErrorIs(t, err, ErrNotEmpty)
		content, err := os.ReadFile(filepath.Join(dir, present))
		require.NoError(t, err)
		require.Equal(t, "precious", string(content))
	}
}

// The folder's name may have any character, and a data file may be a link to a disk that is not
// mounted.
func TestRestoreSeesEveryDataFile(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	b := n.createBackup(t, n.makeOptions())
	for _, name := range []string{"ok", "tb[1]", "tb[", `tb\x`, "tb*", "tb?"} {
		dir := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.Mkdir(dir, 0o700))
		require.NoError(t, os.Symlink(filepath.Join(dir, "not-mounted"), filepath.Join(dir, "9_0.tigerbeetle")))
		err := b.Restore(t.Context(), filepath.Join(dir, "7_0.tigerbeetle"), nil)
		require.ErrorIs(t, err, ErrNotEmpty, name)
		require.NoError(t, os.Remove(filepath.Join(dir, "9_0.tigerbeetle")))
		require.NoError(t, b.Restore(t.Context(), filepath.Join(dir, "7_0.tigerbeetle"), nil), name)
	}
}

func TestRestoreUnderTheNameOfAnotherCluster(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	err := n.createBackup(t, n.makeOptions()).Restore(t.Context(), filepath.Join(t.TempDir(), "8_0.tigerbeetle"), nil)
	require.ErrorIs(t, err, ErrOtherCluster)
}

func TestInterruptedRestore(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	b := n.createBackup(t, n.makeOptions())
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	err := b.Restore(ctx, filepath.Join(dir, "7_0.tigerbeetle"), func(int64, int64) { cancel() })
	require.ErrorIs(t, err, context.Canceled)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

// Files with holes anywhere are restored byte for byte, with holes.
func TestHoles(t *testing.T) {
	t.Parallel()
	seed := ledgertest.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 20 {
		n := newNode(t)
		file, err := os.OpenFile(n.file, os.O_RDWR, 0)
		require.NoError(t, err)
		end, written := int64(vsrtest.DataFileSize), int64(vsrtest.DataFileSize)
		for range rng.IntN(6) {
			end += rng.Int64N(3 << 20)
			noise := make([]byte, rng.IntN(200_000))
			for i := range noise {
				noise[i] = byte(rng.Uint32())
			}
			_, err := file.WriteAt(noise, end)
			require.NoError(t, err)
			end += int64(len(noise))
			written += int64(len(noise)) + 2*chunkSize
		}
		require.NoError(t, file.Truncate(end+rng.Int64N(5<<20)))
		require.NoError(t, file.Close())
		want, err := os.ReadFile(n.file)
		require.NoError(t, err)

		b := n.createBackup(t, n.makeOptions())
		require.Less(t, b.Manifest.Packed, written)
		target := filepath.Join(t.TempDir(), "7_0.tigerbeetle")
		require.NoError(t, b.Restore(t.Context(), target, nil))
		got, err := os.ReadFile(target)
		require.NoError(t, err)
		require.True(t, string(want) == string(got), "%d bytes", len(want))
		info, err := os.Stat(target)
		require.NoError(t, err)
		require.EqualValues(t, 0o600, info.Mode().Perm())
		if used, ok := readAllocated(info); ok {
			require.LessOrEqual(t, used, written+1<<20)
		}
	}
}
