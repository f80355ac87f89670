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

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// namedConfig is the Config of an engine of this Instance with a loop.
func namedConfig(name string, s settlement.Settler) settlement.Config {
	cfg := automaticConfig(s)
	cfg.Instance = name
	return cfg
}

// brokenSettler answers each call with an error.
var brokenSettler = settlement.SettlerFunc(func(context.Context, settlement.Order) (ledger.Amount, error) {
	return ledger.Amount{}, errRail
})

func TestOrderOfASilentEngineIsTakenOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		r.after = func(settlement.Order) error { return errRail }
		w.earn(w.alice, 100)
		owner := w.engine(namedConfig("owner", r))
		owner.NotifyBalances(w.peers)
		synctest.Wait()
		require.ErrorIs(t, owner.Close(t.Context()), settlement.ErrOrdersOpen, "paid, and not known")
		silent := time.Now()

		r.after = func(settlement.Order) error { return nil }
		cfg := namedConfig("heir", r)
		var taken []settlement.Order
		cfg.Events.TakenOver = func(o settlement.Order) { taken = append(taken, o) }
		heir := w.engine(cfg)
		heir.Enqueue(w.peers)
		sleepVirtual(59 * time.Second)
		open, err := heir.Orders(t.Context())
		require.NoError(t, err)
		require.Len(t, open, 1)
		require.False(t, open[0].OwnedByThisInstance)
		require.Equal(t, 59*time.Second, open[0].Age(time.Now()).Round(time.Millisecond))
		require.Equal(t, open[0].PlacedAt, open[0].LeaseRenewedAt)

		sleepVirtual(2 * time.Second)
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

// Of many engines that find a silent owner, exactly one takes the order over.
func TestOneOfManyTakesOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.earn(w.alice, 100)
		owner := w.engine(namedConfig("owner", brokenSettler))
		owner.NotifyBalances(w.peers)
		synctest.Wait()
		require.Error(t, owner.Close(t.Context()))

		var taken atomic.Int64
		var heirs []*settlement.Engine
		for i := range 8 {
			cfg := namedConfig(fmt.Sprint("heir ", i), brokenSettler)
			cfg.Events.TakenOver = func(settlement.Order) { taken.Add(1) }
			heirs = append(heirs, w.engine(cfg))
			heirs[i].Enqueue(w.peers)
		}
		sleepVirtual(90 * time.Second)
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

// A process is stopped in the middle of a call for longer than a lease. It wakes up after another
// process has paid and gone on settling.
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
					sleepVirtual(5 * time.Minute)
					paused.Store(false)
					return units(c.paid), err
				})
				failed := make(chan error, 100)
				cfg := namedConfig("owner", asleep)
				cfg.Events.Failed = func(err error) { failed <- err }
				// The stopped process does not renew its claims either.
				owner := w.engineOn(&faultyLedger{Ledger: w.ledger, fault: func(call) fault {
					if paused.Load() {
						return fault{before: errRail}
					}
					return noFault
				}}, cfg)
				owner.NotifyBalances(w.peers)
				synctest.Wait()
				heir := w.engine(namedConfig("heir", r))
				heir.Enqueue(w.peers)
				sleepVirtual(2 * time.Minute)
				require.Equal(t, units(80), w.balance(w.alice).SettledOut)
				w.earn(w.alice, 100) // another order, while the paused one still sleeps
				heir.NotifyBalances(w.peers)
				sleepVirtual(10 * time.Minute)
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
			cfg := namedConfig(name, s)
			cfg.NoTakeover = true
			return cfg
		}
		owner := w.engine(without("owner", brokenSettler))
		owner.NotifyBalances(w.peers)
		synctest.Wait()
		require.Error(t, owner.Close(t.Context()))
		other := w.engine(without("other", r))
		other.Enqueue(w.peers)
		sleepVirtual(time.Hour)
		requireNotCalled(t, r)
		require.Empty(t, readClaims(t, w))

		again := w.engine(without("owner", r))
		again.Enqueue(w.peers)
		synctest.Wait()
		require.Equal(t, units(80), r.totalPaid(w.alice), "at once")
		require.NoError(t, other.Close(t.Context()))
		require.NoError(t, again.Close(t.Context()))
		w.requireConserved(r)
	})
}

// While another engine's order is open, the account is not visited after each packet. Once the order
// is closed, the first engine that checks the account places the next order.
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
		owner := w.engine(namedConfig("owner", r))
		owner.NotifyBalances(w.peers)
		synctest.Wait()

		var requests atomic.Int64
		other := w.engineOn(&faultyLedger{Ledger: w.ledger, fault: func(call) fault { requests.Add(1); return noFault }}, namedConfig("other", r))
		other.NotifyBalances(w.peers)
		synctest.Wait()
		first := requests.Load()
		for range 10 {
			sleepVirtual(time.Second)
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
		sleepVirtual(100 * time.Millisecond)
		require.Equal(t, units(160), r.totalPaid(w.alice))
		require.NoError(t, other.Close(t.Context()))
		w.requireConserved(r)
	})
}

func requireNotCalled(t *testing.T, r *rail) {
	t.Helper()
	_, called := r.countKeys()
	require.Zero(t, called)
}
