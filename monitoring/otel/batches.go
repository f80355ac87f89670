package peerotel

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/peerledger/peerledger/transfers"
)

// maxLinks is how many packets a batch links to: the SDK keeps so many links of a span by default.
const maxLinks = 128

// clientSpan are the options of the span of a client. Batches share them: most have no span, and should cost little.
var clientSpan = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient)}

// TraceBatchStart implements [transfers.BatchTracer].
func (t *Tracer) TraceBatchStart(ctx context.Context, b transfers.BatchStart) context.Context {
	if !t.hasSpans {
		return ctx
	}
	opts := clientSpan
	if len(b.Followed) > 0 {
		ctx = trace.ContextWithSpan(ctx, trace.SpanFromContext(b.Followed[0]))
		opts = []trace.SpanStartOption{
			clientSpan[0], trace.WithLinks(listLinks(b.Followed)...), trace.WithAttributes(attribute.Int("peerledger.batch.sampled", len(b.Followed))),
		}
	}
	ctx, span := t.tracer.Start(ctx, "create_transfers", opts...)
	if !span.IsRecording() {
		return ctx
	}
	span.SetAttributes(t.database...)
	span.SetAttributes(attribute.Int("peerledger.batch.lane", b.Lane), attribute.Int("peerledger.batch.operations", b.Operations))
	return context.WithValue(ctx, beganKey{}, time.Now())
}

// listLinks returns the links to the first sampled packets of a batch.
func listLinks(followed []context.Context) (links []trace.Link) {
	for _, ctx := range followed[:min(len(followed), maxLinks)] {
		links = append(links, trace.LinkFromContext(ctx))
	}
	return links
}

// beganKey is the key of the time of a start.
type beganKey struct{}

func beganAt(ctx context.Context) time.Time {
	began, _ := ctx.Value(beganKey{}).(time.Time)
	return began
}

// TraceBatchEnd implements [transfers.BatchTracer]. The span ends with the last answer, which was before the callers got
// their results.
func (t *Tracer) TraceBatchEnd(ctx context.Context, b transfers.Batch) {
	t.instruments.recordBatch(ctx, &b)
	span := trace.SpanFromContext(ctx)
	if !t.hasSpans || !span.IsRecording() {
		return
	}
	span.SetAttributes(
		attribute.Int("peerledger.batch.requests", b.Requests), attribute.Int("peerledger.batch.applied", b.Applied),
		attribute.Int("peerledger.batch.already_applied", b.AlreadyApplied), attribute.Int("peerledger.batch.refused", b.Refused),
		attribute.Int("peerledger.batch.unknown", b.Unknown),
	)
	if b.Transfers > 1 { // the conventions have no batch of 1
		span.SetAttributes(semconv.DBOperationBatchSize(b.Transfers))
	}
	var err error
	if b.Unknown > 0 {
		err = errors.New("operations of unknown outcome were given up")
	}
	endSpan(span, err, unknownOutcome, trace.WithTimestamp(beganAt(ctx).Add(b.Duration)))
}

// TraceOperationStart implements [transfers.OperationTracer]. It follows operations of sampled callers alone.
func (t *Tracer) TraceOperationStart(ctx context.Context, kind transfers.Kind) context.Context {
	if !t.hasSpans || !trace.SpanContextFromContext(ctx).IsSampled() {
		return nil
	}
	ctx, _ = t.tracer.Start(ctx, kind.String()+" packet")
	return ctx
}

// TraceOperationEnd implements [transfers.OperationTracer].
func (t *Tracer) TraceOperationEnd(ctx context.Context, end transfers.OperationEnd) {
	span, p := trace.SpanFromContext(ctx), &end.Result.Packet
	span.SetAttributes(
		attribute.String("peerledger.packet.id", p.ID.String()), attribute.String("peerledger.packet.from", p.From.Peer()),
		attribute.String("peerledger.packet.to", p.To.Peer()), outcomeKey.String(end.Result.Outcome.String()),
	)
	if end.Batch != nil {
		span.AddLink(trace.LinkFromContext(end.Batch))
	}
	endSpan(span, end.Result.Err, transfers.ILPCode(end.Result.Err))
}
