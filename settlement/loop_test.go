package settlement_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// automaticConfig is the Config of an engine with a loop.
func automaticConfig(s settlement.Settler) settlement.Config {
	cfg := manualConfig(s, at100)
	cfg.Manual, cfg.CheckCooldown = false, 50*time.Millisecond
	return cfg
}

func TestTouchWakesTheLoop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t, "bob"), newRail()
		own, err := w.book.OwnAccount(usd)
		require.NoError(t, err)
		cfg := automaticConfig(r)
		cfg.Events.Failed = func(err error) { require.NoError(t, err, "our own accounts are passed over") }
		e := w.engine(cfg)
		began := time.Now()
		touched := []accounts.PeerAccount{own, {}, w.peers[1], w.alice}
		for range 3 {
			w.earn(w.alice, 60)
			e.NotifyBalances(touched)
			clear(touched[:2]) // the slice is the caller's again
			sleepVirtual(50 * time.Millisecond)
			synctest.Wait()
		}
		require.Equal(t, units(100), r.totalPaid(w.alice), "60, 120 paid down to 20, 80")
		require.Equal(t, began.Add(3*50*time.Millisecond), time.Now(), "each within CheckCooldown")
		require.NoError(t, e.Close(t.Context()))
		w.requireConserved(r)
	})
}

// A call of Settle that was given up does not postpone the work of the loop.
func TestCanceledSettlePostponesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		e := w.engine(automaticConfig(r))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 10 {
			_, err := e.Settle(ctx, w.alice)
			require.ErrorIs(t, err, context.Canceled)
		}
		began := time.Now()
		w.earn(w.alice, 100)
		e.NotifyBalances([]accounts.PeerAccount{w.alice})
		synctest.Wait()
		require.Equal(t, units(80), r.totalPaid(w.alice))
		require.Equal(t, began, time.Now(), "at once")
		require.NoError(t, e.Close(t.Context()))
		w.requireConserved(r)
	})
}

func TestSweepFindsWhatWasMissed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		cfg := automaticConfig(r)
		cfg.SweepInterval = 10 * time.Second
		e := w.engine(cfg)
		e.NotifyBalances(w.peers)
		synctest.Wait()
		w.earn(w.alice, 100) // without NotifyBalances
		passTime(9 * time.Second)
		require.Zero(t, r.totalPaid(w.alice))
		passTime(time.Second)
		require.Equal(t, units(80), r.totalPaid(w.alice))
		require.NoError(t, e.Close(t.Context()))
		w.requireConserved(r)
	})
}

// NotifyBalances does not shorten the backoff, the open order is resumed without another call of
// NotifyBalances, and a success ends the backoff.
func TestLoopTriesAgainWithBackoff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		began := time.Now()
		var tries []time.Duration
		r.before = func(settlement.Order) error {
			tries = append(tries, time.Since(began))
			if len(tries) < 10 {
				return errRail
			}
			return nil
		}
		cfg := automaticConfig(r)
		cfg.RetryInitialInterval, cfg.RetryMaxInterval = 4*time.Second, 20*time.Second
		e := w.engine(cfg)
		w.earn(w.alice, 100)
		e.NotifyBalances(w.peers)
		for range 300 {
			passTime(time.Second)
			e.NotifyBalances(w.peers)
		}
		require.Len(t, tries, 10)
		for i := range 9 {
			gap := tries[i+1] - tries[i]
			require.GreaterOrEqual(t, gap, 2*time.Second)
			require.LessOrEqual(t, gap, 30*time.Second)
		}
		require.Greater(t, tries[9]-tries[8], 8*time.Second, "it grows")
		require.Equal(t, units(80), r.totalPaid(w.alice))

		tries = tries[:8] // the next call fails again
		w.earn(w.alice, 80)
		e.NotifyBalances(w.peers)
		passTime(30 * time.Second)
		require.Len(t, tries, 10)
		require.LessOrEqual(t, tries[9]-tries[8], 6*time.Second, "it starts again")
		require.Equal(t, units(160), r.totalPaid(w.alice))
		require.NoError(t, e.Close(t.Context()))
		w.requireConserved(r)
	})
}

// A declined amount is due again after OrderCooldown, without another NotifyBalances.
func TestLoopRearmsByItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		declined := 0
		r.before = func(settlement.Order) error {
			if declined < 2 {
				declined++
				return settlement.ErrDeclined
			}
			return nil
		}
		cfg := automaticConfig(r)
		cfg.OrderCooldown, cfg.SweepInterval = 5*time.Second, time.Hour
		e := w.engine(cfg)
		w.earn(w.alice, 100)
		e.NotifyBalances(w.peers)
		passTime(9 * time.Second)
		require.Equal(t, 2, declined)
		require.Zero(t, r.totalPaid(w.alice))
		passTime(2 * time.Second)
		require.Equal(t, units(80), r.totalPaid(w.alice))
		require.NoError(t, e.Close(t.Context()))
		w.requireConserved(r)
	})
}

var errDown = errors.New("no ledger")

func TestLoopSurvivesALedgerThatFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		var down atomic.Bool
		down.Store(true)
		l := &faultyLedger{Ledger: w.ledger, fault: func(call) fault {
			if down.Load() {
				return fault{before: errDown}
			}
			return noFault
		}}
		var failed atomic.Int32
		cfg := automaticConfig(r)
		cfg.SweepInterval = time.Hour
		cfg.Events.Failed = func(err error) {
			require.ErrorIs(t, err, errDown)
			failed.Add(1)
		}
		e := w.engineOn(l, cfg)
		w.earn(w.alice, 100)
		e.NotifyBalances(w.peers)
		passTime(5 * time.Second)
		require.Positive(t, failed.Load())
		require.Zero(t, r.totalPaid(w.alice))
		down.Store(false)
		passTime(20 * time.Second)
		require.Equal(t, units(80), r.totalPaid(w.alice))
		require.NoError(t, e.Close(t.Context()))
		w.requireConserved(r)
	})
}

// An order left open by a crash is resumed although nothing is due.
func TestLoopResumesOpenOrders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		r.before = func(settlement.Order) error { return errRail }
		w.earn(w.alice, 100)
		_, err := w.engine(manualConfig(r, at100)).Settle(t.Context(), w.alice)
		require.ErrorIs(t, err, errRail)
		w.spend(w.alice, 50)
		r.before = func(settlement.Order) error { return nil }
		e := w.engine(automaticConfig(r))
		e.NotifyBalances(w.peers)
		synctest.Wait()
		require.Equal(t, units(80), r.totalPaid(w.alice))
		require.NoError(t, e.Close(t.Context()))
		w.requireConserved(r)
	})
}

func TestConcurrencyIsLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var names []string
		for i := range 19 {
			names = append(names, fmt.Sprint("peer ", i))
		}
		w, r := newWorld(t, names...), newRail()
		var mu sync.Mutex
		under, most := 0, 0
		slow := settlement.SettlerFunc(func(ctx context.Context, o settlement.Order) (ledger.Amount, error) {
			mu.Lock()
			under++
			most = max(most, under)
			mu.Unlock()
			sleepVirtual(time.Second)
			mu.Lock()
			under--
			mu.Unlock()
			return r.Settle(ctx, o)
		})
		cfg := automaticConfig(slow)
		cfg.Rails.Default.Concurrency = 5
		e := w.engine(cfg)
		for _, a := range w.peers {
			w.earn(a, 100)
		}
		e.NotifyBalances(w.peers)
		began := time.Now()
		_, err := e.Settle(t.Context(), w.peers...)
		require.NoError(t, err)
		require.Equal(t, 4*time.Second, time.Since(began), "20 accounts, 5 at a time")
		require.Equal(t, 5, most)
		require.NoError(t, e.Close(t.Context()))
		w.requireConserved(r)
	})
}

func TestSettleWaitsForTheVisitUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		release := make(chan struct{})
		r.before = func(settlement.Order) error { <-release; return nil }
		e := w.engine(automaticConfig(r))
		w.earn(w.alice, 100)
		e.NotifyBalances(w.peers)
		synctest.Wait()

		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := e.Settle(short, w.alice)
		require.ErrorIs(t, err, context.DeadlineExceeded)

		checked := make(chan error)
		go func() {
			_, err := e.Settle(t.Context(), w.alice)
			checked <- err
		}()
		synctest.Wait()
		close(release)
		require.NoError(t, <-checked)
		require.Equal(t, units(20), w.balance(w.alice).Payable)
		require.NoError(t, e.Close(t.Context()))
		w.requireConserved(r)
	})
}

// passTime lets virtual time pass, and waits until all goroutines of the bubble are blocked.
func passTime(d time.Duration) {
	sleepVirtual(d)
	synctest.Wait()
}

func sleepVirtual(d time.Duration) { <-time.After(d) }
