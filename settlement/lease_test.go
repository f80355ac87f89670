package settlement_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/settlement"
)

// An order that has gone from engine to engine stays with the last engine, as with the first one: the
// last engine renews its own claims, whatever the number of the newest claim was.
func TestClaimsAreRenewedAfterTakeovers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.earn(w.alice, 100)
		owner := w.engine(namedConfig("owner", brokenSettler))
		owner.NotifyBalances(w.peers)
		sleepVirtual(3 * time.Minute)
		require.ErrorIs(t, owner.Close(t.Context()), settlement.ErrOrdersOpen)
		for _, name := range []string{"second", "third"} {
			cfg, taken := namedConfig(name, brokenSettler), 0
			cfg.Events.TakenOver = func(settlement.Order) { taken++ }
			heir := w.engine(cfg)
			heir.Enqueue(w.peers)
			sleepVirtual(2 * time.Minute)
			require.Equal(t, 1, taken, name)

			other, stolen := namedConfig("waits for "+name, brokenSettler), 0
			other.Events.TakenOver = func(settlement.Order) { stolen++ }
			waits := w.engine(other)
			waits.Enqueue(w.peers)
			for range 10 {
				sleepVirtual(time.Minute)
				open, err := waits.Orders(t.Context(), w.alice)
				require.NoError(t, err)
				require.Len(t, open, 1)
				require.LessOrEqual(t, time.Since(open[0].LeaseRenewedAt), 21*time.Second, "it is renewed at a third of the lease")
			}
			require.Zero(t, stolen, name)
			require.NoError(t, waits.Close(t.Context()))
			require.ErrorIs(t, heir.Close(t.Context()), settlement.ErrOrdersOpen)
		}
	})
}

// An engine that cannot pay, and renews its claims in the ledger, keeps its order.
func TestClaimsAreRenewed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.earn(w.alice, 100)
		owner := w.engine(namedConfig("owner", brokenSettler))
		owner.NotifyBalances(w.peers)
		synctest.Wait()
		r := newRail()
		other := w.engine(namedConfig("other", r))
		for range 30 {
			other.NotifyBalances(w.peers)
			sleepVirtual(19 * time.Second)
		}
		open, err := other.Orders(t.Context())
		require.NoError(t, err)
		require.False(t, open[0].OwnedByThisInstance)
		require.LessOrEqual(t, time.Since(open[0].LeaseRenewedAt), 20*time.Second, "a third of the lease")
		requireNotCalled(t, r)
		require.ErrorIs(t, owner.Close(t.Context()), settlement.ErrOrdersOpen)

		sleepVirtual(2 * time.Minute)
		require.NoError(t, other.Close(t.Context()))
		w.requireConserved(r)
	})
}

func readClaims(t *testing.T, w *world) []ledger.Transfer {
	t.Helper()
	rows, err := w.ledger.GetAccountTransfers(t.Context(), ledger.AccountFilter{
		AccountID: w.book.PeerIDs(w.alice).Settlement, Code: chart.CodeClaim, Limit: 100, Flags: ledger.AccountFilterDebits,
	})
	require.NoError(t, err)
	return rows
}

// An engine that restarts after more than a lease claims its order before the call of the rail.
func TestRestartClaimsItsOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		w.earn(w.alice, 100)
		owner := w.engine(namedConfig("owner", brokenSettler))
		owner.NotifyBalances(w.peers)
		synctest.Wait()
		require.Error(t, owner.Close(t.Context()))
		sleepVirtual(time.Hour)
		require.Empty(t, readClaims(t, w))
		r.before = func(settlement.Order) error {
			require.Len(t, readClaims(t, w), 1)
			return nil
		}
		var retried []settlement.OpenOrder
		cfg := namedConfig("owner", r)
		cfg.Events.Retried = func(o settlement.OpenOrder) { retried = append(retried, o) }
		cfg.Events.TakenOver = func(settlement.Order) { require.Fail(t, "it is its own") }
		again := w.engine(cfg)
		again.Enqueue(w.peers)
		synctest.Wait()
		require.Len(t, retried, 1)
		require.NoError(t, again.Close(t.Context()))
		w.requireConserved(r)
	})
}

// A slow event function about a closed order does not keep the order's claims alive.
func TestClosedOrderIsNotClaimed(t *testing.T) {
	t.Parallel()
	slow := 10 * time.Minute
	for name, settler := range map[string]settlement.SettlerFunc{
		"paid":        func(_ context.Context, o settlement.Order) (ledger.Amount, error) { return o.Amount, nil },
		"partly paid": func(context.Context, settlement.Order) (ledger.Amount, error) { return units(30), nil },
		"declined with a part": func(context.Context, settlement.Order) (ledger.Amount, error) {
			return units(30), settlement.ErrDeclined
		},
		"declined": func(context.Context, settlement.Order) (ledger.Amount, error) {
			return noAmount, settlement.ErrDeclined
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.earn(w.alice, 100)
				cfg := namedConfig("owner", settler)
				var events atomic.Int64
				handle := func() {
					events.Add(1)
					sleepVirtual(slow)
				}
				cfg.Events.Paid = func(settlement.Payment) { handle() }
				cfg.Events.PartlyPaid = func(settlement.Payment) { handle() }
				cfg.Events.Voided = func(settlement.Order, error) { handle() }
				e := w.engine(cfg)
				e.NotifyBalances(w.peers)
				sleepVirtual(slow / 2)
				require.Equal(t, int64(1), events.Load())
				require.Empty(t, readClaims(t, w))
				require.NoError(t, e.Close(t.Context()))
				ledgertest.RequireNothingHeld(t, w.ledger)
			})
		})
	}
}

// Claims on many open orders are renewed, in requests of a bounded size.
func TestManyClaims(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var names []string
		for i := range 600 {
			names = append(names, fmt.Sprint("peer ", i))
		}
		w := newWorld(t, names...)
		for _, a := range w.peers {
			w.earn(a, 100)
		}
		cfg := namedConfig("owner", brokenSettler)
		cfg.Rails.Default.BreakerThreshold = 1 << 20
		owner := w.engine(cfg)
		owner.NotifyBalances(w.peers)
		sleepVirtual(45 * time.Second)
		open, err := owner.Orders(t.Context())
		require.NoError(t, err)
		require.Len(t, open, len(w.peers))
		for _, o := range open {
			require.True(t, o.OwnedByThisInstance)
			require.LessOrEqual(t, time.Since(o.LeaseRenewedAt), 20*time.Second)
		}
		require.Error(t, owner.Close(t.Context()))
	})
}
