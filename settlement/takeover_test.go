package settlement_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// named is the Config of an engine of this name that runs its loop.
func named(name string, s settlement.Settler) settlement.Config {
	cfg := automatic(s)
	cfg.Instance = name
	return cfg
}

// broken never answers with anything but an error.
var broken = settlement.SettlerFunc(func(context.Context, settlement.Order) (ledger.Amount, error) {
	return ledger.Amount{}, errRail
})

func TestOrderOfASilentEngineIsTakenOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		r.after = func(settlement.Order) error { return errRail }
		w.earn(w.alice, 100)
		owner := w.engine(named("owner", r))
		owner.NotifyBalances(w.peers)
		synctest.Wait()
		require.ErrorIs(t, owner.Close(t.Context()), settlement.ErrOrdersOpen, "paid, and not known")
		silent := time.Now()

		r.after = func(settlement.Order) error { return nil }
		cfg := named("heir", r)
		var taken []settlement.Order
		cfg.Events.TakenOver = func(o settlement.Order) { taken = append(taken, o) }
		heir := w.engine(cfg)
		heir.Enqueue(w.peers)
		pause(59 * time.Second)
		open, err := heir.Orders(t.Context())
		require.NoError(t, err)
		require.Len(t, open, 1)
		require.False(t, open[0].OwnedByThisInstance)
		require.Equal(t, 59*time.Second, open[0].Age(time.Now()).Round(time.Millisecond))
		require.Equal(t, open[0].PlacedAt, open[0].LeaseRenewedAt)

		pause(2 * time.Second)
		synctest.Wait()
		require.Len(t, taken, 1)
		require.Less(t, time.Since(silent), 62*time.Second)
		require.Equal(t, units(80), r.totalPaid(w.alice))
		require.Equal(t, units(80), w.balance(w.alice).SettledOut)
		require.Equal(t, 2, r.calls[taken[0].ID], "under the same key")
		require.NoError(t, heir.Close(t.Context()))
		w.requireConserved(r)
	})
}

// An engine that cannot pay, and says so in the ledger, keeps its order.
func TestClaimsAreRenewed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.earn(w.alice, 100)
		owner := w.engine(named("owner", broken))
		owner.NotifyBalances(w.peers)
		synctest.Wait()
		r := newRail()
		other := w.engine(named("other", r))
		for range 30 {
			other.NotifyBalances(w.peers)
			pause(19 * time.Second)
		}
		open, err := other.Orders(t.Context())
		require.NoError(t, err)
		require.False(t, open[0].OwnedByThisInstance)
		require.LessOrEqual(t, time.Since(open[0].LeaseRenewedAt), 20*time.Second, "a third of the lease")
		requireNotCalled(t, r)
		require.ErrorIs(t, owner.Close(t.Context()), settlement.ErrOrdersOpen)

		pause(2 * time.Minute)
		require.NoError(t, other.Close(t.Context()))
		w.requireConserved(r)
	})
}

// However many engines find a silent one, one of them takes the order over.
func TestOneOfManyTakesOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.earn(w.alice, 100)
		owner := w.engine(named("owner", broken))
		owner.NotifyBalances(w.peers)
		synctest.Wait()
		require.Error(t, owner.Close(t.Context()))

		var taken atomic.Int64
		var heirs []*settlement.Engine
		for i := range 8 {
			cfg := named(fmt.Sprint("heir ", i), broken)
			cfg.Events.TakenOver = func(settlement.Order) { taken.Add(1) }
			heirs = append(heirs, w.engine(cfg))
			heirs[i].Enqueue(w.peers)
		}
		pause(90 * time.Second)
		require.Equal(t, int64(1), taken.Load())
		mine := 0
		for _, e := range heirs {
			open, err := e.Orders(t.Context())
			require.NoError(t, err)
			if open[0].OwnedByThisInstance {
				mine++
			}
			_ = e.Close(t.Context())
		}
		require.Equal(t, 1, mine)
	})
}

// A process is paused in the middle of a call, longer than a lease, and wakes up when
// another one has paid and goes on settling.
func TestPausedOwner(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		paid uint64
		want error
	}{
		"the rail answers what it answered": {80, nil},
		"the rail answers something else":   {70, settlement.ErrOrderConflict},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, r := newWorld(t), newRail()
				w.earn(w.alice, 100)
				var paused atomic.Bool
				asleep := settlement.SettlerFunc(func(_ context.Context, o settlement.Order) (ledger.Amount, error) {
					_, err := r.Settle(t.Context(), o)
					paused.Store(true)
					pause(5 * time.Minute)
					paused.Store(false)
					return units(c.paid), err
				})
				failed := make(chan error, 100)
				cfg := named("owner", asleep)
				cfg.Events.Failed = func(err error) { failed <- err }
				// Nor does it renew its claims while it is paused.
				owner := w.engineOn(&faultyLedger{Ledger: w.ledger, fault: func(call) fault {
					if paused.Load() {
						return fault{before: errRail}
					}
					return noFault
				}}, cfg)
				owner.NotifyBalances(w.peers)
				synctest.Wait()
				heir := w.engine(named("heir", r))
				heir.Enqueue(w.peers)
				pause(2 * time.Minute)
				require.Equal(t, units(80), w.balance(w.alice).SettledOut)
				w.earn(w.alice, 100) // another order, while the paused one still sleeps
				heir.NotifyBalances(w.peers)
				pause(10 * time.Minute)
				require.Equal(t, units(180), w.balance(w.alice).SettledOut)
				require.NoError(t, owner.Close(t.Context()))
				require.NoError(t, heir.Close(t.Context()))
				close(failed)
				var last error
				for err := range failed {
					last = err
				}
				if c.want != nil {
					require.ErrorIs(t, last, c.want)
				}
				w.requireConserved(r)
			})
		})
	}
}

// With NoTakeover an order stays with its engine, and no claims are written.
func TestNoTakeover(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		w.earn(w.alice, 100)
		without := func(name string, s settlement.Settler) settlement.Config {
			cfg := named(name, s)
			cfg.NoTakeover = true
			return cfg
		}
		owner := w.engine(without("owner", broken))
		owner.NotifyBalances(w.peers)
		synctest.Wait()
		require.Error(t, owner.Close(t.Context()))
		other := w.engine(without("other", r))
		other.Enqueue(w.peers)
		pause(time.Hour)
		requireNotCalled(t, r)
		require.Empty(t, claims(t, w))

		again := w.engine(without("owner", r))
		again.Enqueue(w.peers)
		synctest.Wait()
		require.Equal(t, units(80), r.totalPaid(w.alice), "at once")
		require.NoError(t, other.Close(t.Context()))
		require.NoError(t, again.Close(t.Context()))
		w.requireConserved(r)
	})
}

func claims(t *testing.T, w *world) []ledger.Transfer {
	t.Helper()
	rows, err := w.ledger.GetAccountTransfers(t.Context(), ledger.AccountFilter{
		AccountID: w.book.PeerIDs(w.alice).Settlement, Code: chart.CodeClaim, Limit: 100, Flags: ledger.AccountFilterDebits,
	})
	require.NoError(t, err)
	return rows
}

// An engine that starts again, after longer than a lease, claims its order before it calls
// the rail.
func TestRestartClaimsItsOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		w.earn(w.alice, 100)
		owner := w.engine(named("owner", broken))
		owner.NotifyBalances(w.peers)
		synctest.Wait()
		require.Error(t, owner.Close(t.Context()))
		pause(time.Hour)
		require.Empty(t, claims(t, w))
		r.before = func(settlement.Order) error {
			require.Len(t, claims(t, w), 1)
			return nil
		}
		var retried []settlement.OpenOrder
		cfg := named("owner", r)
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

// While another engine's order is open the account is not visited at each touch, and as
// soon as it is closed, the next one is placed by whoever sees it.
func TestOrderOfAnotherIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		w.earn(w.alice, 100)
		var mu sync.Mutex
		down := true
		r.before = func(settlement.Order) error {
			mu.Lock()
			defer mu.Unlock()
			if down {
				return errRail
			}
			return nil
		}
		owner := w.engine(named("owner", r))
		owner.NotifyBalances(w.peers)
		synctest.Wait()

		var requests atomic.Int64
		other := w.engineOn(&faultyLedger{Ledger: w.ledger, fault: func(call) fault { requests.Add(1); return noFault }}, named("other", r))
		other.NotifyBalances(w.peers)
		synctest.Wait()
		first := requests.Load()
		for range 10 {
			pause(time.Second)
			other.NotifyBalances(w.peers)
			synctest.Wait()
		}
		require.Equal(t, first+10, requests.Load(), "one look-up each time")

		mu.Lock()
		down = false
		mu.Unlock()
		_, err := owner.Settle(t.Context(), w.alice)
		require.NoError(t, err)
		require.NoError(t, owner.Close(t.Context()))
		w.earn(w.alice, 80)
		other.NotifyBalances(w.peers)
		pause(100 * time.Millisecond)
		require.Equal(t, units(160), r.totalPaid(w.alice))
		require.NoError(t, other.Close(t.Context()))
		w.requireConserved(r)
	})
}

// Claims of many open orders are renewed, in requests of a bounded size.
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
		cfg := named("owner", broken)
		cfg.Rails.Default.BreakerThreshold = 1 << 20
		owner := w.engine(cfg)
		owner.NotifyBalances(w.peers)
		pause(45 * time.Second)
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

func requireNotCalled(t *testing.T, r *rail) {
	t.Helper()
	_, called := r.countKeys()
	require.Zero(t, called)
}
