package peerotel

import (
	"context"
	"crypto/rand"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/peerledger/peerledger/settlement"
)

// IDGenerator makes random ids for spans, and for the span of an order the ids that the engines' spans have as their parent.
// It is an IDGenerator of the SDK:
//
//	sdktrace.NewTracerProvider(sdktrace.WithIDGenerator(peerotel.IDGenerator{}))
//
// Set [Config].OrderSpans with it. The methods may be called concurrently.
type IDGenerator struct{}

// ownIDsKey is the key of the ids that a root span must have.
type ownIDsKey struct{}

// NewIDs returns the ids of a root span.
func (g IDGenerator) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if own, isOrder := ctx.Value(ownIDsKey{}).(trace.SpanContext); isOrder {
		return own.TraceID(), own.SpanID()
	}
	var id trace.TraceID
	for !id.IsValid() {
		_, _ = rand.Read(id[:]) // never fails: see its documentation
	}
	return id, g.NewSpanID(ctx, id)
}

// NewSpanID returns the id of a span in a trace.
func (g IDGenerator) NewSpanID(context.Context, trace.TraceID) (id trace.SpanID) {
	for !id.IsValid() {
		_, _ = rand.Read(id[:])
	}
	return id
}

// exportOrder exports the span of an order that is closed, from placing to now.
func (t *Tracer) exportOrder(ctx context.Context, e *settlement.OrderEnd, state attribute.KeyValue) {
	_, span := t.tracer.Start(context.WithValue(ctx, ownIDsKey{}, OrderSpanContext(e.Order.ID)), "order",
		trace.WithNewRoot(), trace.WithTimestamp(e.Order.PlacedAt), trace.WithAttributes(orderAttributes(&e.Order)...), trace.WithAttributes(state))
	span.End()
}
