package settlement_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// eventLog has a line for each event of an engine, in order.
type eventLog struct {
	mu    sync.Mutex
	lines []string
}

func (l *eventLog) addLine(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

// takeLines returns the lines since the last call.
func (l *eventLog) takeLines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	l.lines = nil
	return lines
}

func (l *eventLog) events() settlement.Events {
	return settlement.Events{
		Placed:        func(o settlement.Order) { l.addLine("placed %v", o.Amount) },
		Paid:          func(p settlement.Payment) { l.addLine("paid %v", p.Paid) },
		PartlyPaid:    func(p settlement.Payment) { l.addLine("partly paid %v of %v", p.Paid, p.Order.Amount) },
		Voided:        func(o settlement.Order, err error) { l.addLine("voided %v: %v", o.Amount, err) },
		Retried:       func(o settlement.OpenOrder) { l.addLine("retried %v after %d: %v", o.Amount, o.Attempts, o.LastErr) },
		TakenOver:     func(o settlement.Order) { l.addLine("taken over %v", o.Amount) },
		Stuck:         func(o settlement.OpenOrder) { l.addLine("stuck %v after %d: %v", o.Amount, o.Attempts, o.LastErr) },
		RailDown:      func(name string) { l.addLine("%q is down", name) },
		RailUp:        func(name string) { l.addLine("%q is up", name) },
		PositionAlert: func(a settlement.PositionAlert) { l.addLine("%v", a) },
	}
}

// A rail with failing calls is left alone, no orders are placed for the rail, and a single call finds
// out that the rail is up again.
func TestRailThatIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t, "bob", "carol"), newRail()
		bob, carol := w.peers[1], w.peers[2]
		r.before = func(settlement.Order) error { return errRail }
		var told eventLog
		cfg := manualConfig(r, at100)
		cfg.Events = told.events()
		cfg.Rails.Default.Name, cfg.Rails.Default.BreakerThreshold, cfg.Rails.Default.BreakerTimeout = "channel", 3, time.Minute
		other := &settlement.Rail{Name: "bank", Settler: newRail()}
		cfg.Rails.Peer = map[string]*settlement.Rail{"carol": other}
		e := w.engine(cfg)
		w.earn(w.alice, 100)
		for range 3 {
			_, err := e.Settle(t.Context(), w.alice)
			require.ErrorIs(t, err, errRail)
		}
		w.earn(bob, 100)
		for _, a := range []accounts.PeerAccount{w.alice, bob} {
			_, err := e.Settle(t.Context(), a)
			require.ErrorIs(t, err, settlement.ErrRailDown)
			require.ErrorContains(t, err, `"channel"`)
		}
		require.Zero(t, w.balance(bob).Settling, "no order that nobody would pay")
		require.Equal(t, units(80), w.balance(w.alice).Settling)
		w.earn(carol, 100)
		_, err := e.Settle(t.Context(), carol)
		require.NoError(t, err, "her rail is another one")
		paid, called := r.countKeys()
		require.Zero(t, paid)
		require.Equal(t, 1, called)
		require.Equal(t, 3, r.calls[openOrder(t, e, w.alice).ID], "and no more")

		sleepVirtual(time.Minute + time.Second)
		_, err = e.Settle(t.Context(), w.alice)
		require.ErrorIs(t, err, errRail, "the call that finds out")
		_, err = e.Settle(t.Context(), w.alice)
		require.ErrorIs(t, err, settlement.ErrRailDown)
		sleepVirtual(time.Minute + time.Second)
		r.before = func(settlement.Order) error { return nil }
		_, err = e.Settle(t.Context(), w.alice, bob)
		for err != nil { // bob comes while alice's call finds out
			_, err = e.Settle(t.Context(), w.alice, bob)
		}
		require.Equal(t, units(80), r.totalPaid(bob))
		lines := told.takeLines()
		require.Contains(t, lines, `"channel" is down`)
		require.Contains(t, lines, `"channel" is up`)
	})
}

func openOrder(t *testing.T, e *settlement.Engine, a accounts.PeerAccount) settlement.OpenOrder {
	t.Helper()
	open, err := e.Orders(t.Context(), a)
	require.NoError(t, err)
	require.Len(t, open, 1)
	return open[0]
}

// Refusals are answers: a rail with refusals does not count as down. A Settler that ends its goroutine
// is called again too.
func TestWhatBreaksARail(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		settle func() (ledger.Amount, error)
		down   bool
	}{
		"declined": {func() (ledger.Amount, error) { return ledger.Amount{}, settlement.ErrDeclined }, false},
		"pending":  {func() (ledger.Amount, error) { return ledger.Amount{}, settlement.ErrPending }, false},
		"error":    {func() (ledger.Amount, error) { return ledger.Amount{}, errRail }, true},
		"panic":    {func() (ledger.Amount, error) { panic("oops") }, true},
		"goexit":   {func() (ledger.Amount, error) { runtime.Goexit(); return ledger.Amount{}, nil }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			now := time.Now()
			cfg := manualConfig(settlement.SettlerFunc(func(context.Context, settlement.Order) (ledger.Amount, error) {
				return c.settle()
			}), at100)
			cfg.Rails.Default.BreakerThreshold = 2
			cfg.Clock = func() time.Time { now = now.Add(time.Hour); return now }
			e := w.engine(cfg)
			w.earn(w.alice, 100)
			for range 2 {
				_, err := e.Settle(t.Context(), w.alice)
				require.Error(t, err)
			}
			_, err := e.Settle(t.Context(), w.alice)
			require.Equal(t, c.down, errors.Is(err, settlement.ErrRailDown), "%v", err)
		})
	}
}

// A slow rail does not keep other rails from paying.
func TestConcurrencyIsOfARail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var names []string
		for i := range 9 {
			names = append(names, fmt.Sprint("peer ", i))
		}
		w, fast := newWorld(t, names...), newRail()
		slow := settlement.SettlerFunc(func(ctx context.Context, _ settlement.Order) (ledger.Amount, error) {
			<-ctx.Done()
			return ledger.Amount{}, ctx.Err()
		})
		cfg := automaticConfig(slow)
		cfg.Rails.Default.Concurrency = 2
		cfg.Rails.Peer = map[string]*settlement.Rail{"alice": {Name: "fast", Settler: fast}}
		e := w.engine(cfg)
		for _, a := range w.peers {
			w.earn(a, 100)
		}
		e.NotifyBalances(w.peers[1:])
		synctest.Wait()
		e.NotifyBalances(w.peers)
		sleepVirtual(100 * time.Millisecond)
		require.Equal(t, units(80), fast.totalPaid(w.alice))
		require.ErrorIs(t, e.Close(t.Context()), settlement.ErrOrdersOpen)
	})
}

// An order stays with its rail: another rail does not know the key.
func TestOrderStaysWithItsRail(t *testing.T) {
	t.Parallel()
	w, first, second := newWorld(t), newRail(), newRail()
	first.after = func(settlement.Order) error { return errRail }
	w.earn(w.alice, 100)
	cfg := manualConfig(first, at100)
	cfg.Rails.Default.Name = "first"
	_, err := w.engine(cfg).Settle(t.Context(), w.alice)
	require.ErrorIs(t, err, errRail, "paid, and not known")

	cfg = manualConfig(second, at100)
	cfg.Rails.Default.Name = "second"
	e := w.engine(cfg)
	for range 2 {
		_, err = e.Settle(t.Context(), w.alice)
		require.ErrorIs(t, err, settlement.ErrNoRail)
	}
	requireNotCalled(t, second)
	open := openOrder(t, e, w.alice)
	require.Equal(t, settlement.ErrNoRail, open.LastErr)
	require.Empty(t, open.Rail)

	// The first rail may be configured for this order alone.
	first.after = func(settlement.Order) error { return nil }
	cfg.Rails.Peer = map[string]*settlement.Rail{"nobody": {Name: "first", Settler: first}}
	paid, err := w.engine(cfg).Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, "first", paid[0].Order.Rail)
	require.Equal(t, units(80), first.totalPaid(w.alice))
	w.earn(w.alice, 100)
	paid, err = w.engine(cfg).Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, "second", paid[0].Order.Rail)
	require.Equal(t, units(180), w.balance(w.alice).SettledOut)
}

func TestEventsOfAnOrder(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	now := time.Now()
	var told eventLog
	cfg := manualConfig(r, at100)
	cfg.Clock = func() time.Time { return now }
	cfg.Events = told.events()
	e := w.engine(cfg)
	check := func() { _, _ = e.Settle(t.Context(), w.alice) }
	answer := func(err error) { r.before = func(settlement.Order) error { return err } }

	w.earn(w.alice, 100)
	answer(errRail)
	check()
	require.Equal(t, []string{"placed 80"}, told.takeLines())
	now = now.Add(9 * time.Minute)
	check()
	require.Equal(t, []string{"retried 80 after 1: no answer from the rail"}, told.takeLines())
	now = now.Add(2 * time.Minute)
	check()
	require.Equal(t, []string{"retried 80 after 2: no answer from the rail", "stuck 80 after 3: no answer from the rail"}, told.takeLines())
	check()
	require.Equal(t, []string{"retried 80 after 3: no answer from the rail"}, told.takeLines(), "stuck once")
	answer(nil)
	r.pays = func(o settlement.Order) ledger.Amount { return o.Amount.Min(units(30)) }
	check()
	require.Equal(t, []string{"retried 80 after 4: no answer from the rail", "partly paid 30 of 80"}, told.takeLines())

	w.earn(w.alice, 50) // 120
	r.pays = func(o settlement.Order) ledger.Amount { return o.Amount }
	check()
	require.Equal(t, []string{"placed 100", "paid 100"}, told.takeLines())
	w.earn(w.alice, 80)
	answer(settlement.ErrDeclined)
	check()
	require.Equal(t, []string{"placed 80", "voided 80: settlement: declined, will never be paid"}, told.takeLines())
	w.requireConserved(r)
}
