package peerotel

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/peerledger/peerledger/transfers"
)

// Boundaries of histograms, the same as in package monitoring: the size of a batch up to a full request, the packets
// of a round, and times in seconds of requests and of payments.
var (
	sizeBoundaries    = []float64{1, 4, 16, 64, 256, 1024, 2048, 4096, 8189}
	packetBoundaries  = []float64{0, 1, 10, 100, 1000, 10_000, 100_000, 1_000_000}
	timeBoundaries    = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	paymentBoundaries = []float64{.1, .5, 1, 5, 15, 60, 300, 900, 3600, 14400, 86400}
)

// Keys of our own attributes.
const (
	outcomeKey = attribute.Key("peerledger.outcome")
	railKey    = attribute.Key("peerledger.rail")
	workKey    = attribute.Key("peerledger.order.work")
	stateKey   = attribute.Key("peerledger.order.state")
	kindKey    = attribute.Key("peerledger.payment.kind")
)

// instruments are the metrics. The attributes of batches are made once, so a batch makes none.
type instruments struct {
	requestTime, batchWait, roundWait, roundTime metric.Float64Histogram
	orderTime, railTime, paymentTime             metric.Float64Histogram
	batchOperations, roundPackets                metric.Int64Histogram
	operations, resent, roundsRefused, orderWork metric.Int64Counter

	answered, unanswered                      []metric.RecordOption // of requestTime
	applied, alreadyApplied, refused, unknown []metric.AddOption    // of operations
}

// builder makes instruments and keeps the errors.
type builder struct {
	meter metric.Meter
	errs  []error
}

func (b *builder) newTime(name, about string, boundaries []float64) metric.Float64Histogram {
	h, err := b.meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(about), metric.WithExplicitBucketBoundaries(boundaries...))
	b.errs = append(b.errs, err)
	return h
}

func (b *builder) newSize(name, unit, about string, boundaries []float64) metric.Int64Histogram {
	h, err := b.meter.Int64Histogram(name, metric.WithUnit(unit), metric.WithDescription(about), metric.WithExplicitBucketBoundaries(boundaries...))
	b.errs = append(b.errs, err)
	return h
}

func (b *builder) newCounter(name, unit, about string) metric.Int64Counter {
	c, err := b.meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(about))
	b.errs = append(b.errs, err)
	return c
}

func newInstruments(meter metric.Meter, database []attribute.KeyValue) (*instruments, error) {
	b := &builder{meter: meter}
	m := &instruments{
		requestTime:     b.newTime("db.client.operation.duration", "Time from the first request of a batch to its last answer.", timeBoundaries),
		batchWait:       b.newTime("peerledger.batch.wait", "How long the oldest operation of a batch waited for its first request.", timeBoundaries),
		batchOperations: b.newSize("peerledger.batch.operations", "{operation}", "Operations in a batch.", sizeBoundaries),
		operations:      b.newCounter("peerledger.operations", "{operation}", "Operations on packets, by outcome."),
		resent:          b.newCounter("peerledger.batch.resent", "{request}", "Requests for a batch beyond its first."),
		roundPackets:    b.newSize("peerledger.round.packets", "{packet}", "Packets in a round.", packetBoundaries),
		roundWait:       b.newTime("peerledger.round.wait", "How long the oldest fulfill of a round waited until the round was cut.", timeBoundaries),
		roundTime:       b.newTime("peerledger.round.duration", "Time from the cut of a round to the ledger's answer.", timeBoundaries),
		roundsRefused:   b.newCounter("peerledger.round.refused", "{attempt}", "Attempts of rounds that the ledger refused."),
		orderWork:       b.newCounter("peerledger.order.work", "{order}", "How often an engine took an order up, by reason and by the state in which it left the order."),
		orderTime:       b.newTime("peerledger.order.duration", "Time from placing an order to closing it.", paymentBoundaries),
		railTime:        b.newTime("peerledger.rail.duration", "Time of a call of a rail.", timeBoundaries),
		paymentTime:     b.newTime("peerledger.payment.duration", "Time to book a payment of a peer.", timeBoundaries),
	}
	m.answered = []metric.RecordOption{with(database...)}
	m.unanswered = []metric.RecordOption{with(append(database[:len(database):len(database)], semconv.ErrorTypeKey.String(unknownOutcome))...)}
	withOutcome := func(outcome string) []metric.AddOption { return []metric.AddOption{with(outcomeKey.String(outcome))} }
	m.applied, m.alreadyApplied = withOutcome("applied"), withOutcome("already_applied")
	m.refused, m.unknown = withOutcome("refused"), withOutcome("unknown")
	return m, errors.Join(b.errs...)
}

func with(attributes ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(attributes...))
}

// unknownOutcome is the error.type of a batch with operations that were given up.
const unknownOutcome = "unknown_outcome"

func (m *instruments) recordBatch(ctx context.Context, b *transfers.Batch) {
	answered := m.answered
	if b.Unknown > 0 {
		answered = m.unanswered
	}
	m.requestTime.Record(ctx, b.Duration.Seconds(), answered...)
	m.batchWait.Record(ctx, b.QueueWait.Seconds())
	m.batchOperations.Record(ctx, int64(b.Operations))
	if b.Requests > 1 {
		m.resent.Add(ctx, int64(b.Requests-1))
	}
	for _, c := range []struct {
		count   int
		outcome []metric.AddOption
	}{{b.Applied, m.applied}, {b.AlreadyApplied, m.alreadyApplied}, {b.Refused, m.refused}, {b.Unknown, m.unknown}} {
		if c.count > 0 {
			m.operations.Add(ctx, int64(c.count), c.outcome...)
		}
	}
}
