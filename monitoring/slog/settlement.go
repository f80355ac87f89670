package peerslog

import (
	"context"
	"errors"
	"log/slog"

	"github.com/peerledger/peerledger/settlement"
)

func orderAttrs(o *settlement.Order) []slog.Attr {
	return []slog.Attr{
		slog.String("order", o.ID.String()), slog.String("peer", o.Account.Peer()),
		slog.String("amount", o.Asset.Text(o.Amount)), slog.String("rail", o.Rail),
	}
}

// TraceOrderStart implements [settlement.OrderTracer].
func (t *Tracer) TraceOrderStart(ctx context.Context, s settlement.OrderStart) context.Context {
	return withStart(ctx, started{work: s.Work})
}

// TraceOrderEnd implements [settlement.OrderTracer]. An order that stays open waits at level Debug: the reason is a person,
// a pause, or a rail that answers later.
func (t *Tracer) TraceOrderEnd(ctx context.Context, e settlement.OrderEnd) {
	start := startOf(ctx)
	attrs := append(orderAttrs(&e.Order), slog.String("work", string(start.work)), slog.String("state", string(e.State)), start.took())
	if !e.Paid.IsZero() {
		attrs = append(attrs, slog.String("paid", e.Order.Asset.Text(e.Paid)))
	}
	if e.Err != nil {
		attrs = append(attrs, errorAttr(e.Err))
	}
	if e.State != settlement.StateOpen {
		t.logger.LogAttrs(ctx, slog.LevelInfo, "order closed", attrs...)
		return
	}
	t.logger.LogAttrs(ctx, levelOfOpen(e.Err), "order stays open", attrs...)
}

// levelOfOpen returns the level for the reason why an order stays open.
func levelOfOpen(err error) slog.Level {
	switch {
	case err == nil, errors.Is(err, settlement.ErrPending), errors.Is(err, settlement.ErrAwaitsApproval), errors.Is(err, settlement.ErrPaused):
		return slog.LevelDebug
	case errors.Is(err, settlement.ErrOrderConflict), errors.Is(err, settlement.ErrOldEngine), errors.Is(err, settlement.ErrPanic):
		return slog.LevelError
	default:
		return slog.LevelWarn
	}
}

// TraceRailStart implements [settlement.OrderTracer].
func (t *Tracer) TraceRailStart(ctx context.Context, o settlement.OpenOrder) context.Context {
	return withStart(ctx, started{attempt: o.Attempts})
}

// TraceRailEnd implements [settlement.OrderTracer]. The end of the order has the error at its level.
func (t *Tracer) TraceRailEnd(ctx context.Context, e settlement.RailEnd) {
	start := startOf(ctx)
	attrs := append(orderAttrs(&e.Order), slog.Int("attempt", start.attempt), slog.String("paid", e.Order.Asset.Text(e.Paid)), start.took())
	if e.Err != nil {
		attrs = append(attrs, errorAttr(e.Err))
	}
	t.logger.LogAttrs(ctx, slog.LevelDebug, "rail called", attrs...)
}

// TracePaymentStart implements [settlement.PaymentTracer].
func (t *Tracer) TracePaymentStart(ctx context.Context, s settlement.PaymentStart) context.Context {
	return withStart(ctx, started{payment: s})
}

// TracePaymentEnd implements [settlement.PaymentTracer]. A repeat is logged at level Debug.
func (t *Tracer) TracePaymentEnd(ctx context.Context, e settlement.PaymentEnd) {
	start := startOf(ctx)
	p := &start.payment
	attrs := []slog.Attr{slog.String("kind", string(p.Kind)), slog.String("peer", p.Account.Peer()), slog.String("key", p.Key), start.took()}
	if e.Err != nil {
		t.logger.LogAttrs(ctx, slog.LevelWarn, "payment not booked", append(attrs, errorAttr(e.Err))...)
		return
	}
	attrs = append(attrs, slog.String("amount", p.Asset.Text(e.Booking.Amount)), slog.String("transfer", e.Booking.Transfer.String()),
		slog.Bool("already_booked", e.Booking.AlreadyBooked), slog.Bool("in_suspense", e.Booking.InSuspense))
	level := slog.LevelInfo
	if e.Booking.AlreadyBooked {
		level = slog.LevelDebug
	}
	t.logger.LogAttrs(ctx, level, "payment booked", attrs...)
}
