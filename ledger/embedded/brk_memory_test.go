package embedded

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// A query for change events or balances needs memory for the accounts touched in a generation, and not
// for all accounts, and a generation does not keep them until it is dropped.
func TestBrkMemoryOfHistory(t *testing.T) {
	const accounts = 500_000
	l, err := Open(t.TempDir(), WithCheckpointEvery(1<<40))
	require.NoError(t, err)
	for first := uint64(0); first < accounts; first += 8000 {
		batch := make([]ledger.Account, 8000)
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
		start := time.Now()
		_, err = l.GetChangeEvents(t.Context(), ledger.ChangeEventsFilter{Limit: 10})
		require.NoError(t, err)
		t.Logf("generation %d: %v with the ledger locked, %.0f MiB more than %.0f MiB", g, time.Since(start), heap()-base, base)
		l.mu.Lock()
		l.books.freeze() // a seal that is under way, or has failed
		l.mu.Unlock()
	}
	grown := heap() - base
	require.Less(t, grown, base/2)
	require.NoError(t, l.Close())
}
