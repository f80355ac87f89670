package settlement_test

import (
	"context"
	"fmt"
	"math/big"
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

type traceKey struct{}

// traceLog is a tracer that notes its calls, and that each start has one end.
type traceLog struct {
	name string

	mu       sync.Mutex
	calls    []string
	open     map[string]bool
	faults   []string
	things   int
	orders   []settlement.OrderEnd
	rails    []settlement.RailEnd
	payments []settlement.PaymentEnd
}

func (l *traceLog) begin(ctx context.Context, what string) context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.things++
	id := fmt.Sprint(l.name, what, " ", l.things)
	if l.open == nil {
		l.open = map[string]bool{}
	}
	l.open[id] = true
	l.calls = append(l.calls, "start "+what)
	return context.WithValue(ctx, traceKey{}, id)
}

func (l *traceLog) end(ctx context.Context, what string) {
	id, _ := ctx.Value(traceKey{}).(string)
	if !l.open[id] {
		l.faults = append(l.faults, "end of "+id+", which is not open")
	}
	delete(l.open, id)
	l.calls = append(l.calls, "end "+what)
}

func (l *traceLog) TraceOrderStart(ctx context.Context, s settlement.OrderStart) context.Context {
	return l.begin(ctx, string(s.Work))
}

func (l *traceLog) TraceOrderEnd(ctx context.Context, e settlement.OrderEnd) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end(ctx, string(e.State))
	l.orders = append(l.orders, e)
}

func (l *traceLog) TraceRailStart(ctx context.Context, o settlement.OpenOrder) context.Context {
	return l.begin(ctx, fmt.Sprint("call ", o.Attempts))
}

func (l *traceLog) TraceRailEnd(ctx context.Context, e settlement.RailEnd) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end(ctx, "call")
	l.rails = append(l.rails, e)
}

func (l *traceLog) TracePaymentStart(ctx context.Context, s settlement.PaymentStart) context.Context {
	return l.begin(ctx, fmt.Sprint(s.Kind, " ", s.Asset.Code, " ", s.Key))
}

func (l *traceLog) TracePaymentEnd(ctx context.Context, e settlement.PaymentEnd) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end(ctx, "payment")
	l.payments = append(l.payments, e)
}

func (l *traceLog) requireEnded(t *testing.T, calls ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	require.Empty(t, l.faults)
	require.Empty(t, l.open, "began and did not end")
	require.Equal(t, calls, l.calls)
}

// takeCalls returns the calls since the last takeCalls.
func (l *traceLog) takeCalls() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	calls := l.calls
	l.calls = nil
	return calls
}

// tracedConfig is a manual Config with a tracer.
func tracedConfig(log settlement.OrderTracer, s settlement.Settler) settlement.Config {
	cfg := manualConfig(s, at100)
	cfg.Tracer = log
	return cfg
}

// The Settler gets the context of its call, within that of its order.
func TestTracerFollowsAnOrder(t *testing.T) {
	t.Parallel()
	w, r, log := newWorld(t), newRail(), &traceLog{}
	var seen any
	e := w.engine(tracedConfig(log, settlement.SettlerFunc(func(ctx context.Context, o settlement.Order) (ledger.Amount, error) {
		seen = ctx.Value(traceKey{})
		return r.Settle(ctx, o)
	})))
	w.earn(w.alice, 100)
	_, err := e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.NoError(t, e.Close(t.Context()))
	log.requireEnded(t, "start placed", "start call 1", "end call", "end paid")
	require.Equal(t, "call 1 2", seen)
	require.Equal(t, units(80), log.orders[0].Paid)
	require.NoError(t, log.orders[0].Err)
	require.Equal(t, log.orders[0].Order.ID, log.rails[0].Order.ID)
	require.Equal(t, units(80), log.rails[0].Paid)
	w.requireConserved(r)
}

// Each answer of a Settler, also one that never comes, ends the call and the order.
func TestTracerEndsWithAnyAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer  func() (ledger.Amount, error)
		state   settlement.OrderState
		paid    uint64
		err     error
		railErr error
	}{
		"in part":   {func() (ledger.Amount, error) { return units(30), settlement.ErrDeclined }, settlement.StatePartlyPaid, 30, settlement.ErrDeclined, settlement.ErrDeclined},
		"declined":  {func() (ledger.Amount, error) { return units(0), settlement.ErrDeclined }, settlement.StateVoided, 0, settlement.ErrDeclined, settlement.ErrDeclined},
		"pending":   {func() (ledger.Amount, error) { return units(0), settlement.ErrPending }, settlement.StateOpen, 0, settlement.ErrPending, settlement.ErrPending},
		"error":     {func() (ledger.Amount, error) { return units(0), errRail }, settlement.StateOpen, 0, errRail, errRail},
		"panic":     {func() (ledger.Amount, error) { panic("no rail") }, settlement.StateOpen, 0, settlement.ErrPanic, settlement.ErrPanic},
		"ended":     {func() (ledger.Amount, error) { runtime.Goexit(); return units(0), nil }, settlement.StateOpen, 0, settlement.ErrPanic, settlement.ErrPanic},
		"more":      {func() (ledger.Amount, error) { return units(90), nil }, settlement.StatePaid, 90, nil, nil},
		"malformed": {func() (ledger.Amount, error) { return ledger.AmountMax, nil }, settlement.StateOpen, 0, settlement.ErrInvalidSettledAmount, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, log := newWorld(t), &traceLog{}
			e := w.engine(tracedConfig(log, settlement.SettlerFunc(func(context.Context, settlement.Order) (ledger.Amount, error) { return c.answer() })))
			w.earn(w.alice, 100)
			_, _ = e.Settle(t.Context(), w.alice)
			_ = e.Close(t.Context())
			log.requireEnded(t, "start placed", "start call 1", "end call", "end "+string(c.state))
			require.Equal(t, units(c.paid), log.orders[0].Paid)
			require.ErrorIs(t, log.orders[0].Err, c.err)
			require.ErrorIs(t, log.rails[0].Err, c.railErr)
		})
	}
}

// The owner dies after the rail has paid; another engine takes the order over and finishes it.
func TestTracerOfATakeover(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		r.after = func(settlement.Order) error { return errRail }
		w.earn(w.alice, 100)
		first := &traceLog{}
		cfg := namedConfig("owner", r)
		cfg.Tracer = first
		owner := w.engine(cfg)
		owner.NotifyBalances(w.peers)
		synctest.Wait()
		require.Error(t, owner.Close(t.Context()))
		first.requireEnded(t, "start placed", "start call 1", "end call", "end open")

		r.after = func(settlement.Order) error { return nil }
		second := &traceLog{}
		cfg = namedConfig("heir", r)
		cfg.Tracer = second
		heir := w.engine(cfg)
		heir.Enqueue(w.peers)
		sleepVirtual(59 * time.Second)
		require.Empty(t, second.takeCalls(), "left to its owner")
		sleepVirtual(2 * time.Second)
		require.NoError(t, heir.Close(t.Context()))
		second.requireEnded(t, "start takeover", "start call 1", "end call", "end paid")
		require.Equal(t, first.orders[0].Order.ID, second.orders[0].Order.ID)
		w.requireConserved(r)
	})
}

func TestTracerOfOrdersByHand(t *testing.T) {
	t.Parallel()
	w, log := newWorld(t), &traceLog{}
	e := w.engine(tracedConfig(log, settlement.SettlerFunc(func(context.Context, settlement.Order) (ledger.Amount, error) {
		return ledger.Amount{}, settlement.ErrPending
	})))
	w.earn(w.alice, 100)
	_, err := e.Settle(t.Context(), w.alice)
	require.ErrorIs(t, err, settlement.ErrPending)
	id := log.orders[0].Order.ID
	log.takeCalls()
	_, err = e.Cancel(t.Context(), w.alice, ledger.NewID(1, 1))
	require.ErrorIs(t, err, settlement.ErrNoOrder)
	_, err = e.Resolve(t.Context(), w.alice, id, units(50))
	require.NoError(t, err)
	_, err = e.Cancel(t.Context(), w.alice, id)
	require.ErrorIs(t, err, settlement.ErrOrderConflict)
	log.requireEnded(t, "start by_hand", "end partly_paid", "start by_hand", "end open")
	require.ErrorIs(t, log.orders[2].Err, settlement.ErrOrderConflict)
	require.Equal(t, id, log.orders[1].Order.ID)
}

func TestTracerOfPayments(t *testing.T) {
	t.Parallel()
	w, log := newWorld(t), &traceLog{}
	e := w.engine(tracedConfig(log, newRail()))
	pay := settlement.IncomingPayment{Account: w.alice, Key: "a", Amount: units(5)}
	for range 2 {
		_, err := e.RecordIncoming(t.Context(), pay)
		require.NoError(t, err)
	}
	pay.Amount = units(6)
	_, err := e.RecordIncoming(t.Context(), pay)
	require.ErrorIs(t, err, accounts.ErrKeyReused)
	_, err = e.RecordIncomingQuantity(t.Context(), settlement.IncomingQuantity{Account: w.alice, Key: "b", Amount: big.NewInt(7), Scale: 2})
	require.NoError(t, err)
	voucher := settlement.Voucher{Account: w.alice, Channel: "c", Cumulative: units(8)}
	booked, err := e.RecordVoucher(t.Context(), voucher)
	require.NoError(t, err)
	require.Equal(t, units(8), booked.Cumulative)
	_, err = e.RecordRedemption(t.Context(), voucher)
	require.NoError(t, err)
	require.NoError(t, e.Close(t.Context()))
	_, err = e.RecordIncoming(t.Context(), settlement.IncomingPayment{})
	require.ErrorIs(t, err, settlement.ErrEngineClosed)

	log.requireEnded(t, "start units USD a", "end payment", "start units USD a", "end payment", "start units USD a", "end payment",
		"start quantity USD b", "end payment", "start voucher USD c", "end payment", "start redemption USD c", "end payment",
		"start units  ", "end payment")
	require.False(t, log.payments[0].Booking.AlreadyBooked)
	require.True(t, log.payments[1].Booking.AlreadyBooked)
	require.ErrorIs(t, log.payments[2].Err, accounts.ErrKeyReused)
	require.Equal(t, units(7), log.payments[3].Booking.Amount)
	require.Equal(t, units(8), log.payments[4].Booking.Amount)
	require.ErrorIs(t, log.payments[6].Err, settlement.ErrEngineClosed)
}

// ordersOnly is a tracer without the methods for payments.
type ordersOnly struct{ settlement.OrderTracer }

func TestJoinedTracers(t *testing.T) {
	t.Parallel()
	require.Nil(t, settlement.JoinTracers(nil))
	only := &traceLog{}
	require.Same(t, only, settlement.JoinTracers(nil, only))

	w, r := newWorld(t), newRail()
	outer, inner := &traceLog{name: "outer "}, &traceLog{name: "inner "}
	e := w.engine(tracedConfig(settlement.JoinTracers(ordersOnly{outer}, ordersOnly{inner}), r))
	w.earn(w.alice, 100)
	_, err := e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	_, err = e.RecordIncoming(t.Context(), settlement.IncomingPayment{Account: w.alice, Key: "a", Amount: units(5)})
	require.NoError(t, err)
	e = w.engine(tracedConfig(settlement.JoinTracers(ordersOnly{outer}, inner), r))
	_, err = e.RecordIncoming(t.Context(), settlement.IncomingPayment{Account: w.alice, Key: "b", Amount: units(5)})
	require.NoError(t, err)
	want := []string{"start placed", "start call 1", "end call", "end paid"}
	outer.requireEnded(t, want...)
	inner.requireEnded(t, append(want, "start units USD b", "end payment")...)
}
