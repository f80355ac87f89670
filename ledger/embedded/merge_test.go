package embedded

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/idindex"
	"github.com/peerledger/peerledger/ledger"
)

// A damaged run of ids does not stop the merges of the others, and the ledger reports it.
func TestMergesBesideADamagedRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := Open(dir, WithCheckpointEvery(1))
	require.NoError(t, err)
	const each = 200 // more bytes than a checkpoint
	id := uint64(10)
	seal := func() {
		transfers := make([]ledger.Transfer, each)
		for i := range transfers {
			transfers[i] = coldTransfer(id, 0)
			id++
		}
		_, err := l.CreateTransfers(t.Context(), transfers)
		require.NoError(t, err)
		l.WaitForCheckpoint()
	}
	_, err = l.CreateAccounts(t.Context(), []ledger.Account{
		{ID: ledger.NewID(1, 0), Ledger: 1, Code: 1}, {ID: ledger.NewID(2, 0), Ledger: 1, Code: 1},
	})
	require.NoError(t, err)
	var names []string
	for len(names) == 0 {
		seal()
		names, err = filepath.Glob(filepath.Join(dir, "ids-*"))
		require.NoError(t, err)
	}
	f, err := os.OpenFile(names[0], os.O_RDWR, 0)
	require.NoError(t, err)
	info, err := f.Stat()
	require.NoError(t, err)
	_, err = f.WriteAt([]byte{0xff}, info.Size()-6) // of the entry
	require.NoError(t, err)
	require.NoError(t, f.Close())
	for range 100 {
		seal()
	}
	require.Eventually(t, func() bool {
		seal()
		runs, err := idindex.FileNames(l.books.cold.index.Manifest())
		require.NoError(t, err)
		return len(runs) < 15
	}, 20*time.Second, time.Millisecond)
	requireReported := func(err error) {
		var corrupt *CorruptError
		require.ErrorAs(t, err, &corrupt)
		require.Equal(t, names[0], corrupt.File)
	}
	require.ErrorIs(t, l.CheckBackground(), ErrMerge)
	requireReported(l.CheckBackground())
	requireReported(l.VerifyFiles(t.Context()))
	err = l.Close()
	require.ErrorIs(t, err, ErrMerge)
	requireReported(err)
}
