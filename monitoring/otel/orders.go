package peerotel

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/monitoring/internal/cause"
	"github.com/peerledger/peerledger/settlement"
)

// OrderSpanContext returns the parent of all spans of an order: the trace id is the order's id, and the span id follows from
// it. It is sampled and remote.
func OrderSpanContext(id ledger.ID) trace.SpanContext {
	traceID := trace.TraceID(id.Bytes())
	var spanID trace.SpanID
	for i := range spanID { // a mix of both halves, since neither half alone is the id
		spanID[i] = traceID[i] ^ traceID[len(spanID)+i]
	}
	if !spanID.IsValid() {
		spanID[0] = 1
	}
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceID, SpanID: spanID, TraceFlags: trace.FlagsSampled, Remote: true})
}

// TraceOrderStart implements [settlement.OrderTracer]. The span is in the order's trace, and links to the caller's span if
// there is one.
func (t *Tracer) TraceOrderStart(ctx context.Context, s settlement.OrderStart) context.Context {
	ctx = context.WithValue(ctx, orderWorkKey{}, s.Work)
	if !t.hasSpans {
		return ctx
	}
	opts := []trace.SpanStartOption{trace.WithTimestamp(s.Began), trace.WithAttributes(orderAttributes(&s.Order)...), trace.WithAttributes(workKey.String(string(s.Work)))}
	if caller := trace.LinkFromContext(ctx); caller.SpanContext.IsValid() {
		opts = append(opts, trace.WithLinks(caller))
	}
	ctx = trace.ContextWithRemoteSpanContext(ctx, OrderSpanContext(s.Order.ID))
	ctx, _ = t.tracer.Start(ctx, "order "+string(s.Work), opts...)
	return ctx
}

// orderWorkKey is the key of the reason why an order was taken up.
type orderWorkKey struct{}

func orderAttributes(o *settlement.Order) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("peerledger.order.id", o.ID.String()), attribute.String("peerledger.order.amount", o.Asset.Text(o.Amount)),
		attribute.String("peerledger.peer", o.Account.Peer()), attribute.String("peerledger.asset", o.Asset.Code), railKey.String(o.Rail),
	}
}

// TraceOrderEnd implements [settlement.OrderTracer].
func (t *Tracer) TraceOrderEnd(ctx context.Context, e settlement.OrderEnd) {
	state, rail := stateKey.String(string(e.State)), railKey.String(e.Order.Rail)
	work, _ := ctx.Value(orderWorkKey{}).(settlement.OrderWork)
	t.instruments.orderWork.Add(ctx, 1, with(state, rail, workKey.String(string(work))))
	if e.State != settlement.StateOpen {
		t.instruments.orderTime.Record(ctx, max(0, time.Since(e.Order.PlacedAt)).Seconds(), with(state, rail))
	}
	span := trace.SpanFromContext(ctx)
	span.SetAttributes(state)
	if !e.Paid.IsZero() {
		span.SetAttributes(attribute.String("peerledger.order.paid", e.Order.Asset.Text(e.Paid)))
	}
	label := cause.LabelFailure(e.Err)
	if e.State == settlement.StateVoided {
		label = cause.LabelVoid(e.Err)
	}
	endSpan(span, withoutWaits(e.Err), label)
	if t.orderSpans && e.State != settlement.StateOpen {
		t.exportOrder(ctx, &e, state)
	}
}

// withoutWaits returns nil for the reasons why an order waits as it should.
func withoutWaits(err error) error {
	for _, wait := range []error{settlement.ErrPending, settlement.ErrAwaitsApproval, settlement.ErrPaused} {
		if errors.Is(err, wait) {
			return nil
		}
	}
	return err
}

// TraceRailStart implements [settlement.OrderTracer].
func (t *Tracer) TraceRailStart(ctx context.Context, o settlement.OpenOrder) context.Context {
	ctx, span := t.tracer.Start(ctx, "call rail", trace.WithSpanKind(trace.SpanKindClient))
	span.SetAttributes(railKey.String(o.Rail), attribute.Int("peerledger.rail.attempt", o.Attempts))
	return context.WithValue(ctx, beganKey{}, time.Now())
}

// TraceRailEnd implements [settlement.OrderTracer].
func (t *Tracer) TraceRailEnd(ctx context.Context, e settlement.RailEnd) {
	rail := railKey.String(e.Order.Rail)
	attributes := with(rail)
	if e.Err != nil {
		attributes = with(rail, semconv.ErrorTypeKey.String(cause.LabelFailure(e.Err)))
	}
	t.instruments.railTime.Record(ctx, time.Since(beganAt(ctx)).Seconds(), attributes)
	span := trace.SpanFromContext(ctx)
	span.SetAttributes(attribute.String("peerledger.rail.paid", e.Order.Asset.Text(e.Paid)))
	endSpan(span, withoutWaits(e.Err), cause.LabelFailure(e.Err))
}
