package accounts

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/chart"
)

// Several peers share each slot of the cache, and goroutines replace them: each peer gets its own ids,
// as computed without the cache.
func TestCachedPeerIDs(t *testing.T) {
	t.Parallel()
	usd := Asset{Code: "USD", Scale: 9, Ledger: 1}
	b, err := NewBook(nil, Config{Assets: []Asset{usd}})
	require.NoError(t, err)
	peers := make([]PeerAccount, 3*len(b.peerIDs.slots))
	for i := range peers {
		peers[i] = b.peerHandle(PeerConfig{ID: fmt.Sprint("peer ", i), Asset: usd})
	}
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for _, a := range peers {
				want := PeerIDs{
					Peer:       a.id,
					Line:       b.namespace.PeerAccount(chart.CodeLine, a.peer, a.ledger),
					Settlement: b.namespace.PeerAccount(chart.CodeSettlement, a.peer, a.ledger),
					Arrears:    b.namespace.PeerAccount(chart.CodeArrears, a.peer, a.ledger),
				}
				for range 2 { // computed, and found
					if got := b.PeerIDs(a); got != want {
						t.Errorf("%v: %v instead of %v", a, got, want)
						return
					}
				}
			}
		})
	}
	callers.Wait()
}
