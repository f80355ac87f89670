package peerotel

import (
	"cmp"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// scopeName names the instrumentation in all telemetry.
const scopeName = "github.com/peerledger/peerledger/monitoring/otel"

// Config configures [New]. The zero value gives neither spans nor metrics.
type Config struct {
	// TracerProvider makes the spans. Default: none.
	TracerProvider trace.TracerProvider
	// MeterProvider makes the metrics. Default: none.
	MeterProvider metric.MeterProvider
	// System is the value of db.system.name. Default "tigerbeetle".
	System string
	// Namespace is the value of db.namespace: the id of the cluster. Default: the attribute is absent.
	Namespace string
	// OrderSpans exports the span of each order when the order is closed. Set it only if the TracerProvider has an
	// [IDGenerator]: otherwise the span is in a trace of its own. Default false.
	OrderSpans bool
}

// Tracer follows batches, operations, rounds, orders and payments. All methods may be called concurrently, and one
// Tracer serves any number of recorders and engines.
type Tracer struct {
	tracer      trace.Tracer
	hasSpans    bool // there is a TracerProvider
	orderSpans  bool
	database    []attribute.KeyValue // of each request to the ledger
	instruments *instruments
}

var (
	_ transfers.BatchTracer     = (*Tracer)(nil)
	_ transfers.OperationTracer = (*Tracer)(nil)
	_ aggregate.RoundTracer     = (*Tracer)(nil)
	_ settlement.OrderTracer    = (*Tracer)(nil)
	_ settlement.PaymentTracer  = (*Tracer)(nil)
)

// New makes a Tracer. The error is the MeterProvider's, for an instrument that it cannot make.
func New(cfg Config) (*Tracer, error) {
	t := &Tracer{hasSpans: cfg.TracerProvider != nil, orderSpans: cfg.OrderSpans && cfg.TracerProvider != nil}
	if cfg.TracerProvider == nil {
		cfg.TracerProvider = tracenoop.NewTracerProvider()
	}
	if cfg.MeterProvider == nil {
		cfg.MeterProvider = metricnoop.NewMeterProvider()
	}
	t.tracer = cfg.TracerProvider.Tracer(scopeName, trace.WithSchemaURL(semconv.SchemaURL))
	t.database = []attribute.KeyValue{
		semconv.DBSystemNameKey.String(cmp.Or(cfg.System, "tigerbeetle")), semconv.DBOperationName("create_transfers"),
	}
	if cfg.Namespace != "" {
		t.database = append(t.database, semconv.DBNamespace(cfg.Namespace))
	}
	var err error
	t.instruments, err = newInstruments(cfg.MeterProvider.Meter(scopeName, metric.WithSchemaURL(semconv.SchemaURL)), t.database)
	return t, err
}

// endSpan ends a span, as failed with an error. errorType is the value of error.type.
func endSpan(span trace.Span, err error, errorType string, opts ...trace.SpanEndOption) {
	if err != nil {
		span.SetAttributes(semconv.ErrorTypeKey.String(errorType))
		span.SetStatus(codes.Error, err.Error())
	}
	span.End(opts...)
}
