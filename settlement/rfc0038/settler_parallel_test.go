package rfc0038_test

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// newSettlerOf is a Settler with default settings, and an order of so many units for each peer.
func newSettlerOf(tb testing.TB, url string, connections int, peers ...string) (*rfc0038.Settler, []settlement.Order) {
	tb.Helper()
	book, err := accounts.NewBook(embedded.New(), accounts.Config{Assets: []accounts.Asset{usd9}})
	require.NoError(tb, err)
	ids, err := rfc0038.NewAccountIDs(book, nil)
	require.NoError(tb, err)
	client, err := rfc0038.NewClient(rfc0038.ClientConfig{URL: url, MaxConnections: connections})
	require.NoError(tb, err)
	tb.Cleanup(client.Close)
	s, err := rfc0038.NewSettler(rfc0038.SettlerConfig{Client: client, IDs: ids})
	require.NoError(tb, err)
	var orders []settlement.Order
	for i, peer := range peers {
		account, err := book.PeerAccount(peer, usd9)
		require.NoError(tb, err)
		orders = append(orders, settlement.Order{
			ID: ledger.NewID(uint64(i)+1, 1), Account: account, Asset: usd9, Amount: ledger.NewAmount(5000), PlacedAt: time.Now(),
		})
	}
	return s, orders
}

// Two processes that ask for one order at once, as after a lease that ended too early, pay it once. Answers say
// that it is paid, or leave it open.
func TestTwoProcessesPayOnce(t *testing.T) {
	t.Parallel()
	for _, conflicts := range []bool{false, true} {
		e := newModelEngine(t, rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1)))
		e.conflicts, e.faulty = conflicts, true
		one, orders := newSettlerOf(t, e.URL, 8, "alice")
		two, _ := newSettlerOf(t, e.URL, 8, "alice")
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				for range 5 {
					paid, err := []*rfc0038.Settler{one, two}[i%2].Settle(t.Context(), orders[0])
					if err == nil && paid != orders[0].Amount || errors.Is(err, settlement.ErrDeclined) {
						t.Errorf("paid %v, %v", paid, err)
					}
				}
			})
		}
		wg.Wait()
		e.finish()
		for _, s := range []*rfc0038.Settler{one, two} { // the model forgets accounts, and no keys
			if list := s.Stuck(); len(list) == 1 && errors.Is(list[0], rfc0038.ErrEngineForgot) {
				require.NoError(t, s.Retry(orders[0].ID))
			}
		}
		if conflicts {
			require.LessOrEqual(t, len(one.Stuck()), 1)
			for _, s := range []*rfc0038.Settler{one, two} {
				_, err := s.Settle(t.Context(), orders[0])
				require.True(t, err == nil || errors.Is(err, rfc0038.ErrKeySeen), "%v", err)
			}
		} else {
			_, err := one.Settle(t.Context(), orders[0])
			require.NoError(t, err)
		}
		require.Equal(t, "5000", e.paidTo(t, "1-alice", usd9.Scale).String())
	}
}
