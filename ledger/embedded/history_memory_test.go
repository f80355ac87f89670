package embedded

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// A query for change events or balances needs memory for the accounts touched in a generation, and not
// for all accounts.
func TestMemoryOfHistory(t *testing.T) { //nolint:paralleltest // it measures the memory of the process
	const accounts = 100_000
	l, err := Open(t.TempDir(), WithCheckpointEvery(1<<40))
	require.NoError(t, err)
	for first := uint64(0); first < accounts; first += 4000 {
		batch := make([]ledger.Account, 4000)
		for i := range batch {
			batch[i] = ledger.Account{ID: ledger.NewID(first+uint64(i)+1, 0), Ledger: 1, Code: 1, Flags: ledger.AccountHistory}
		}
		_, err := l.CreateAccounts(t.Context(), batch)
		require.NoError(t, err)
	}
	heap := func() float64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc) / (1 << 20)
	}
	base := heap()
	for g := range uint64(3) {
		_, err = l.CreateTransfers(t.Context(), []ledger.Transfer{coldTransfer(10+g, 0)})
		require.NoError(t, err)
		_, err = l.GetChangeEvents(t.Context(), ledger.ChangeEventsFilter{Limit: 10})
		require.NoError(t, err)
		t.Logf("generation %d: %.1f MiB more than %.1f MiB", g, heap()-base, base)
		l.mu.Lock()
		l.books.freeze() // a seal that is under way, or has failed
		l.mu.Unlock()
	}
	grown := heap() - base
	require.Less(t, grown, base/2)
	require.NoError(t, l.Close())
}
