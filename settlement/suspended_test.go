package settlement_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// suspendableMachine is a machine that can be suspended: meanwhile its calendar goes on, and its
// monotonic clock, whose reading is in the times of time.Now as well, does not.
type suspendableMachine struct {
	started   time.Time
	suspended atomic.Int64
}

func newMachine() *suspendableMachine { return &suspendableMachine{started: time.Now()} }

func (m *suspendableMachine) suspendFor(d time.Duration) {
	sleepVirtual(d)
	m.suspended.Add(int64(d))
}

// now is time.Now on the machine. Package time cannot make such a time: the first word of a time.Time
// with a reading has a bit for the reading, 33 bits of seconds since 1885 and 30 bits of nanoseconds;
// the second word is the reading.
func (m *suspendableMachine) now() (t time.Time) {
	calendar := time.Now()
	seconds := calendar.Unix() - time.Date(1885, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	reading := calendar.Sub(m.started) - time.Duration(m.suspended.Load())
	words := (*[2]uint64)(unsafe.Pointer(&t))
	words[0] = 1<<63 | uint64(seconds)<<30 | uint64(calendar.Nanosecond())
	words[1] = uint64(reading)
	return t
}

func TestClockOfASuspendedMachine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMachine()
		before := m.now()
		require.True(t, before.Equal(time.Now()))
		m.suspendFor(time.Hour)
		after := m.now()
		require.Zero(t, after.Sub(before), "by the monotonic clock")
		require.Equal(t, time.Hour, after.Round(0).Sub(before.Round(0)), "by the calendar")
	})
}

// Policies of time count by the calendar: the hours of a suspended machine count.
func TestTimesOfASuspendedMachine(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]settlement.Policy{
		"every": settlement.Every{After: 10 * time.Hour},
		"idle":  settlement.Idle{After: 10 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, r, m := newWorld(t), newRail(), newMachine()
				cfg := manualConfig(r, policy)
				cfg.NoTakeover = true
				cfg.Clock = m.now
				e := w.engine(cfg)
				_, err := e.Settle(t.Context(), w.alice) // nothing is owed
				require.NoError(t, err)
				w.earn(w.alice, 10)
				e.NotifyBalances(w.peers)
				paid, err := e.Settle(t.Context())
				require.NoError(t, err)
				require.Empty(t, paid)
				m.suspendFor(11 * time.Hour)
				paid, err = e.Settle(t.Context(), w.alice)
				require.NoError(t, err)
				require.Equal(t, []uint64{10}, paidAmounts(paid))
			})
		})
	}
}

// suspendingLedger suspends the engine's machine once, after the first look-up of accounts after an
// order: the look-up for the check of the order.
type suspendingLedger struct {
	ledger.Ledger
	armed, asleep atomic.Bool
	suspend       func()
}

func (s *suspendingLedger) CreateTransfers(ctx context.Context, rows []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if s.asleep.Load() { // a renewal of claims, which would not be sent
		return nil, errRail
	}
	if rows[0].Code == chart.CodeOrder {
		s.armed.Store(true)
	}
	return s.Ledger.CreateTransfers(ctx, rows)
}

func (s *suspendingLedger) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	found, err := s.Ledger.LookupAccounts(ctx, ids)
	if s.suspend != nil && s.armed.CompareAndSwap(true, false) {
		s.asleep.Store(true)
		s.suspend()
		s.asleep.Store(false)
	}
	return found, err
}

// A machine is suspended between placing, or reading, an order and the call of the rail. The engine then
// reads again who owns the order. Another engine owns it by now, so only that engine calls the rail.
func TestSuspendedBeforeTheRailIsAsked(t *testing.T) {
	t.Parallel()
	for name, resumed := range map[string]bool{"an order that was placed": false, "an order that was open": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { suspendedBeforeTheRail(t, resumed) })
		})
	}
}

func suspendedBeforeTheRail(t *testing.T, resumed bool) {
	t.Helper()
	w, asleep, awake, m := newWorld(t), newRail(), newRail(), newMachine()
	pending := func(settlement.Order) error { return settlement.ErrPending }
	asleep.before, awake.before = pending, pending
	heir := w.engine(namedConfig("awake", awake))
	l := &suspendingLedger{Ledger: w.ledger}
	cfg := manualConfig(asleep, at100)
	cfg.Instance, cfg.Clock = "asleep", m.now
	w.earn(w.alice, 100)
	e := w.engineOn(l, cfg)
	calls := 0
	if resumed {
		_, err := e.Settle(t.Context(), w.alice)
		require.ErrorIs(t, err, settlement.ErrPending)
		calls = 1
	}
	lookUps := 0
	l.suspend = func() {
		if lookUps++; resumed && lookUps == 1 {
			l.armed.Store(true) // the first one is of the round
			return
		}
		heir.Enqueue(w.peers)
		m.suspendFor(2 * time.Hour)
		l.suspend = nil
	}
	l.armed.Store(resumed)
	_, err := e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	for _, n := range asleep.calls {
		require.Equal(t, calls, n)
	}
	require.Len(t, asleep.calls, calls)
	open, err := heir.Orders(t.Context(), w.alice)
	require.NoError(t, err)
	require.True(t, open[0].OwnedByThisInstance)
	_, called := awake.countKeys()
	require.Equal(t, 1, called)
	require.ErrorIs(t, heir.Close(t.Context()), settlement.ErrOrdersOpen)
	_ = e.Close(t.Context())
}

// A rail that pays each order in part gets the next orders later and later, even if the account is
// checked for every packet; after a payment in full the next order comes at once again.
func TestPartsAgainAndAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		var whole atomic.Bool
		r.pays = func(o settlement.Order) ledger.Amount {
			if whole.Load() {
				return o.Amount
			}
			return units(1)
		}
		cfg := automaticConfig(r)
		cfg.Policies.Default = payAll
		e := w.engine(cfg)
		w.earn(w.alice, 10_000)
		for range 3600 {
			e.NotifyBalances(w.peers)
			sleepVirtual(time.Second)
		}
		_, called := r.countKeys()
		require.Less(t, called, 40, "in an hour")
		require.Greater(t, called, 10)
		whole.Store(true)
		sleepVirtual(cfg.RetryMaxInterval + 10*time.Minute)
		require.Equal(t, units(0), w.balance(w.alice).Payable)
		before := called
		w.earn(w.alice, 10)
		e.NotifyBalances(w.peers)
		sleepVirtual(time.Second)
		_, called = r.countKeys()
		require.Greater(t, called, before)
		require.Equal(t, units(0), w.balance(w.alice).Payable, "at once")
		require.NoError(t, e.Close(t.Context()))
		w.requireConserved(r)
	})
}
