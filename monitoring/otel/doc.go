// Package peerotel follows the work on a connector's books with OpenTelemetry: metrics, and spans of batches, rounds,
// orders and payments.
//
// A [Tracer] goes into the field Tracer of [transfers.Config], [aggregate.Config] and [settlement.Config]. It uses the
// API of OpenTelemetry alone: the program chooses the SDK, its exporters and its sampler. Nothing is registered
// globally, and no goroutine is started.
//
// # Spans
//
// A batch and a round are spans of a database client (kind CLIENT, db.* attributes) named create_transfers. A packet has a
// span only if the caller's context is sampled: the span of its batch is then a child of the first such packet of
// the batch, and links to the first 128 of them. The span of a packet links to its batch.
//
// The spans of an order in all processes are one trace, whose id is the order's id: the 32 digits that the command and
// the console show find the trace. So an engine that takes an order over continues the trace without having been told.
// Each time an engine takes the order up is a span, with a span for each call of the rail below; the rail's own requests
// continue the trace, because the Settler gets the context. The parent of the engines' spans is the order itself
// ([OrderSpanContext]). It is sampled, so a ParentBased sampler takes all spans of orders. With [IDGenerator] the engine
// that closes an order also exports the order's own span, from placing to closing, if the sampler takes a root span of this
// trace id.
//
// # Metrics
//
// Durations are histograms in seconds with explicit boundaries: the default ones are for milliseconds. Attributes have
// few values: rails, outcomes, reasons. No metric has peers or ids.
package peerotel
