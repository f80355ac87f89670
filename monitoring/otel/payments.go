package peerotel

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/monitoring/internal/cause"
	"github.com/peerledger/peerledger/settlement"
)

// paymentState is what the end of a payment needs from its start.
type paymentState struct {
	began time.Time
	kind  attribute.KeyValue
	asset accounts.Asset
}

type paymentStateKey struct{}

// TracePaymentStart implements [settlement.PaymentTracer]. The span is a child of the caller's.
func (t *Tracer) TracePaymentStart(ctx context.Context, s settlement.PaymentStart) context.Context {
	state := &paymentState{time.Now(), kindKey.String(string(s.Kind)), s.Asset}
	ctx, span := t.tracer.Start(ctx, "book payment")
	if span.IsRecording() {
		span.SetAttributes(state.kind, attribute.String("peerledger.peer", s.Account.Peer()), attribute.String("peerledger.asset", s.Asset.Code),
			attribute.String("peerledger.payment.key", s.Key))
	}
	return context.WithValue(ctx, paymentStateKey{}, state)
}

// TracePaymentEnd implements [settlement.PaymentTracer].
func (t *Tracer) TracePaymentEnd(ctx context.Context, e settlement.PaymentEnd) {
	state, _ := ctx.Value(paymentStateKey{}).(*paymentState)
	outcome := outcomeKey.String(cause.LabelPayment(&e))
	t.instruments.paymentTime.Record(ctx, time.Since(state.began).Seconds(), with(state.kind, outcome))
	span := trace.SpanFromContext(ctx)
	span.SetAttributes(outcome)
	if e.Err == nil {
		span.SetAttributes(attribute.String("peerledger.payment.amount", state.asset.Text(e.Booking.Amount)),
			attribute.String("peerledger.transfer.id", e.Booking.Transfer.String()))
	}
	endSpan(span, e.Err, errorTypeOf(e.Err))
}

// errorTypeOf returns the error.type of a payment that was not booked.
func errorTypeOf(err error) string {
	switch {
	case errors.Is(err, accounts.ErrKeyReused):
		return "key_reused"
	case errors.Is(err, accounts.ErrInvalid):
		return "invalid"
	default:
		return cause.LabelFailure(err)
	}
}
