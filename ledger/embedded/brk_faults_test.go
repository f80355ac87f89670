package embedded

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// A second Open of a folder in use always says so, whatever the ledger does with its files meanwhile.
func TestBrkOpenOfAFolderInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := Open(dir, WithCheckpointEvery(1))
	require.NoError(t, err)
	_, err = l.CreateAccounts(t.Context(), []ledger.Account{
		{ID: ledger.NewID(1, 0), Ledger: 1, Code: 1}, {ID: ledger.NewID(2, 0), Ledger: 1, Code: 1},
	})
	require.NoError(t, err)
	done := make(chan struct{})
	var working sync.WaitGroup
	working.Go(func() {
		for id := uint64(10); ; id++ {
			select {
			case <-done:
				return
			default:
				_, _ = l.CreateTransfers(t.Context(), []ledger.Transfer{coldTransfer(id, 0)})
			}
		}
	})
	var wrong error
	n := 0
	for start := time.Now(); time.Since(start) < 15*time.Second && wrong == nil; n++ {
		second, err := Open(dir)
		if err == nil {
			wrong = errors.New("opened twice")
			_ = second.Close()
		} else if !errors.Is(err, ErrInUse) {
			wrong = err
		}
	}
	close(done)
	working.Wait()
	require.NoError(t, l.Close())
	require.NoError(t, wrong, "after %d", n)
}

// A conversion that fails leaves the folder as it was: else the disk has twice the rows, and the older
// program may find no room.
func TestBrkFailedConversionLeavesNoFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "format1"))))
	// The old files cannot be cleaned up at the end, as on a full or read-only disk.
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "checkpoint-0000000000000007.tmp", "x"), 0o700))
	_, err := Open(dir, WithCheckpointEvery(2<<10))
	require.Error(t, err)
	left, err := filepath.Glob(filepath.Join(dir, "[si]*-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

// A closed ledger says so, also on a full disk.
func TestBrkClosedOnAFullDisk(t *testing.T) {
	t.Parallel()
	l, err := Open(t.TempDir(), func(l *Ledger) { l.space.free = func(string) (uint64, bool) { return 0, true } })
	require.NoError(t, err)
	require.NoError(t, l.Close())
	_, err = l.CreateTransfers(t.Context(), []ledger.Transfer{coldTransfer(1, 0)})
	require.ErrorIs(t, err, ledger.ErrClosed)
}
