package embedded

import (
	"errors"
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
