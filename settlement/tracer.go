package settlement

import (
	"context"
	"errors"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/jointrace"
	"github.com/peerledger/peerledger/ledger"
)

// OrderTracer follows the work on orders from start to end, for spans, logs and durations. [Events] tell the program of
// changes; a tracer watches the work. Set [Config].Tracer.
//
// An order lives longer than the work of a process on it: each time an [Engine] takes an order up there is a start, and
// an end when the Engine leaves the order, closed or open. [Order.ID] is the same in all processes. Each start is followed
// by one end, also if the ledger or the [Settler] fails, panics or ends its goroutine, and at [Engine.Close]; nothing
// follows a process that ends before. The methods run in the goroutine that works on the order, those of different
// accounts concurrently. They must not block and must not call the Engine. A panic of a tracer is not recovered.
//
// Each start returns a context made from ctx, and never nil. Requests to the ledger get the context of the order, and
// the Settler that of the rail call.
type OrderTracer interface {
	// TraceOrderStart is called when the Engine takes an order up. ctx comes from the caller of [Engine.Settle],
	// [Engine.Resolve] or [Engine.Cancel], or is the Engine's own.
	TraceOrderStart(ctx context.Context, s OrderStart) context.Context
	// TraceOrderEnd is called with the context of the start, after the event of the change.
	TraceOrderEnd(ctx context.Context, e OrderEnd)
	// TraceRailStart is called before a call of the Settler, within the work on its order. ctx has the
	// deadline of [Rail.Timeout].
	TraceRailStart(ctx context.Context, o OpenOrder) context.Context
	// TraceRailEnd is called with the context of the start.
	TraceRailEnd(ctx context.Context, e RailEnd)
}

// OrderWork is the reason why an [Engine] takes an order up.
type OrderWork string

// The reasons to take an order up.
const (
	OrderPlaced   OrderWork = "placed"   // this Engine has placed the order
	OrderResumed  OrderWork = "resumed"  // the order of this Instance was found open
	OrderTakeover OrderWork = "takeover" // the order's owner was silent for a lease
	OrderByHand   OrderWork = "by_hand"  // Engine.Resolve or Engine.Cancel
)

// OrderStart describes an order that is taken up.
type OrderStart struct {
	Order Order
	Work  OrderWork
	Began time.Time // before the order was placed or read; by the clock of the machine
}

// OrderState is the state in which an [Engine] leaves an order.
type OrderState string

// The states of an order that is left.
const (
	StatePaid       OrderState = "paid"        // as ordered, or more, and booked
	StatePartlyPaid OrderState = "partly_paid" // less, and booked
	StateVoided     OrderState = "voided"      // given back
	StateOpen       OrderState = "open"        // it stays open
)

// OrderEnd describes how an order is left.
type OrderEnd struct {
	Order Order
	State OrderState
	Paid  ledger.Amount // units; 0 unless State is StatePaid or StatePartlyPaid
	// Err is why the order was voided ([Events].Voided), paid in part, or stays open; nil for an order that is paid, and for one
	// that another engine has.
	Err error
}

// RailEnd is the answer of a [Settler].
type RailEnd struct {
	Order Order
	Paid  ledger.Amount // units
	Err   error         // matches ErrDeclined or ErrPending for these answers; ErrPanic if the Settler panicked
}

// PaymentTracer follows the booking of payments from peers. The [Engine] uses the methods of a [Config].Tracer that has
// them. Calls are concurrent; the rules of [OrderTracer] hold.
type PaymentTracer interface {
	// TracePaymentStart is called with the context of [Engine.RecordIncoming], [Engine.RecordIncomingQuantity],
	// [Engine.RecordVoucher] or [Engine.RecordRedemption]. It returns a context made from ctx, and never nil.
	TracePaymentStart(ctx context.Context, s PaymentStart) context.Context
	// TracePaymentEnd is called with the context of the start, before the call returns.
	TracePaymentEnd(ctx context.Context, e PaymentEnd)
}

// PaymentKind is the form in which a peer's payment is reported.
type PaymentKind string

// The forms of payments.
const (
	PaymentUnits      PaymentKind = "units"      // Engine.RecordIncoming
	PaymentQuantity   PaymentKind = "quantity"   // Engine.RecordIncomingQuantity
	PaymentVoucher    PaymentKind = "voucher"    // Engine.RecordVoucher
	PaymentRedemption PaymentKind = "redemption" // Engine.RecordRedemption
)

// PaymentStart describes a payment before it is checked: Account and Key are the caller's.
type PaymentStart struct {
	Kind    PaymentKind
	Account accounts.PeerAccount
	Asset   accounts.Asset // the zero Asset if the book does not have it
	Key     string         // of the payment; the channel of a voucher
}

// PaymentEnd is the result of the call.
type PaymentEnd struct {
	Booking PaymentBooking // zero with an error
	Err     error
}

// JoinTracers returns a tracer that calls several: the starts in the order given, each with the context of the one before,
// and the ends in reverse. Each end gets the context of its own tracer's start. Tracers that are nil are left
// out; JoinTracers returns nil if all are.
func JoinTracers(tracers ...OrderTracer) OrderTracer {
	joined := &joinedTracers{orders: jointrace.RemoveNil(tracers)}
	for _, t := range joined.orders {
		if p, follows := t.(PaymentTracer); follows {
			joined.payments = append(joined.payments, p)
		}
	}
	switch len(joined.orders) {
	case 0:
		return nil
	case 1:
		return joined.orders[0]
	default:
		return joined
	}
}

type joinedTracers struct {
	orders   []OrderTracer
	payments []PaymentTracer
}

func (j *joinedTracers) TraceOrderStart(ctx context.Context, s OrderStart) context.Context {
	return jointrace.StartAll(ctx, j.orders, func(t OrderTracer, ctx context.Context) context.Context { return t.TraceOrderStart(ctx, s) })
}

func (j *joinedTracers) TraceOrderEnd(ctx context.Context, e OrderEnd) {
	jointrace.EndAll(ctx, j.orders, func(t OrderTracer, ctx context.Context) { t.TraceOrderEnd(ctx, e) })
}

func (j *joinedTracers) TraceRailStart(ctx context.Context, o OpenOrder) context.Context {
	return jointrace.StartAll(ctx, j.orders, func(t OrderTracer, ctx context.Context) context.Context { return t.TraceRailStart(ctx, o) })
}

func (j *joinedTracers) TraceRailEnd(ctx context.Context, e RailEnd) {
	jointrace.EndAll(ctx, j.orders, func(t OrderTracer, ctx context.Context) { t.TraceRailEnd(ctx, e) })
}

func (j *joinedTracers) TracePaymentStart(ctx context.Context, s PaymentStart) context.Context {
	if len(j.payments) == 0 {
		return ctx
	}
	return jointrace.StartAll(ctx, j.payments, func(t PaymentTracer, ctx context.Context) context.Context { return t.TracePaymentStart(ctx, s) })
}

func (j *joinedTracers) TracePaymentEnd(ctx context.Context, e PaymentEnd) {
	jointrace.EndAll(ctx, j.payments, func(t PaymentTracer, ctx context.Context) { t.TracePaymentEnd(ctx, e) })
}

// noTracer follows nothing.
type noTracer struct{}

func (noTracer) TraceOrderStart(ctx context.Context, _ OrderStart) context.Context     { return ctx }
func (noTracer) TraceOrderEnd(context.Context, OrderEnd)                               {}
func (noTracer) TraceRailStart(ctx context.Context, _ OpenOrder) context.Context       { return ctx }
func (noTracer) TraceRailEnd(context.Context, RailEnd)                                 {}
func (noTracer) TracePaymentStart(ctx context.Context, _ PaymentStart) context.Context { return ctx }
func (noTracer) TracePaymentEnd(context.Context, PaymentEnd)                           {}

// paymentTracer returns the tracer of payments.
func (c *Config) paymentTracer() PaymentTracer {
	if t, follows := c.Tracer.(PaymentTracer); follows {
		return t
	}
	return noTracer{}
}

// traceOrder works on an order between the start and the end of its tracer.
func (e *Engine) traceOrder(ctx context.Context, s OrderStart, work func(context.Context) (stepResult, error)) (result stepResult, err error) {
	ctx = e.cfg.Tracer.TraceOrderStart(ctx, s)
	end := OrderEnd{Order: s.Order, State: StateOpen, Err: ErrPanic} // if a Settler ends the goroutine (runtime.Goexit)
	defer func() { e.cfg.Tracer.TraceOrderEnd(ctx, end) }()
	result, err = work(ctx)
	end = result.describeEnd(s.Order, err)
	return result, err
}

// describeEnd tells how a step leaves its order.
func (r *stepResult) describeEnd(o Order, err error) OrderEnd {
	end := OrderEnd{Order: o, State: StateOpen, Err: err}
	switch {
	case r.voidReason != nil:
		end.State, end.Err = StateVoided, r.voidReason
	case r.payment.Paid.IsZero():
	case r.payment.Paid.Less(o.Amount):
		end.State, end.Paid = StatePartlyPaid, r.payment.Paid
	default:
		end.State, end.Paid = StatePaid, r.payment.Paid
	}
	return end
}

// tracePayment books a payment between the start and the end of its tracer.
func (e *Engine) tracePayment(
	ctx context.Context, kind PaymentKind, a accounts.PeerAccount, key string, book func(context.Context) (PaymentBooking, error),
) (booked PaymentBooking, err error) {
	asset, _ := e.book.Asset(a.Ledger())
	ctx = e.payments.TracePaymentStart(ctx, PaymentStart{Kind: kind, Account: a, Asset: asset, Key: key})
	err = errUnfinished // if the ledger panics
	defer func() { e.payments.TracePaymentEnd(ctx, PaymentEnd{Booking: booked, Err: err}) }()
	booked, err = book(ctx)
	return booked, err
}

var errUnfinished = errors.New("settlement: the booking did not return")
