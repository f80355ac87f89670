package peerotel

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/peerledger/peerledger/transfers/aggregate"
)

// TraceRoundStart implements [aggregate.RoundTracer].
func (t *Tracer) TraceRoundStart(ctx context.Context, s aggregate.RoundStart) context.Context {
	ctx, span := t.tracer.Start(ctx, "create_transfers", trace.WithSpanKind(trace.SpanKindClient))
	if span.IsRecording() {
		span.SetAttributes(t.database...)
		span.SetAttributes(attribute.Int64("peerledger.round.number", int64(s.Number)), attribute.Int64("peerledger.round.packets", int64(s.Packets)),
			attribute.Bool("peerledger.round.resumed", s.Resumed))
	}
	return ctx
}

// TraceRoundEnd implements [aggregate.RoundTracer].
func (t *Tracer) TraceRoundEnd(ctx context.Context, e aggregate.RoundEnd) {
	span, r, m := trace.SpanFromContext(ctx), &e.Round, t.instruments
	if e.Err != nil {
		endSpan(span, e.Err, "left")
		return
	}
	m.roundPackets.Record(ctx, int64(r.Packets))
	if r.Packets > 0 {
		m.roundWait.Record(ctx, r.Wait.Seconds())
	}
	m.roundTime.Record(ctx, r.Duration.Seconds())
	if r.Attempts > 1 {
		m.roundsRefused.Add(ctx, int64(r.Attempts-1))
	}
	if span.IsRecording() {
		if r.Legs > 1 { // the conventions have no batch of 1
			span.SetAttributes(semconv.DBOperationBatchSize(r.Legs))
		}
		span.SetAttributes(attribute.Int("peerledger.round.attempts", r.Attempts), attribute.Int("peerledger.round.requests", r.Requests),
			attribute.Int("peerledger.round.arrears", len(r.Arrears)), attribute.Int("peerledger.round.suspense", len(r.Suspense)))
	}
	span.End()
}
