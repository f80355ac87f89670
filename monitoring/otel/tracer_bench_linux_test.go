package peerotel_test

import (
	"context"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sys/unix"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	peerotel "github.com/peerledger/peerledger/monitoring/otel"
	peerslog "github.com/peerledger/peerledger/monitoring/slog"
	"github.com/peerledger/peerledger/transfers"
)

const packetsPerTurn = 10_000

// The recorder with the tracers of peerotel (metrics of the SDK, a sampler that takes no span) and peerslog (level Info), and
// without. Both take turns on ledgers of their own in memory, so that other load on the machine meets both. An
// iteration is a turn of each. The metrics are the medians over the iterations: throughput_ratio and processor_ratio are the packets a second, and the packets a second of
// processor time, with tracers relative to without. The quartiles of the second show the spread.
func BenchmarkRecorderWithTracers(b *testing.B) {
	none := newTurnTaker(b, nil)
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
	spans := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.NeverSample())))
	metrics, err := peerotel.New(peerotel.Config{MeterProvider: meters, TracerProvider: spans})
	require.NoError(b, err)
	lines := peerslog.New(slog.New(slog.NewJSONHandler(io.Discard, nil)))
	traced := newTurnTaker(b, transfers.JoinTracers(metrics, lines))
	none.takeTurn(b) // warms up
	traced.takeTurn(b)
	var passed, processor []float64
	for b.Loop() {
		first, second := none, traced
		if len(passed)%2 == 1 {
			first, second = traced, none
		}
		first.takeTurn(b)
		second.takeTurn(b)
		passed = append(passed, float64(none.passed)/float64(traced.passed))
		processor = append(processor, float64(none.processor)/float64(traced.processor))
	}
	slices.Sort(passed)
	slices.Sort(processor)
	n := len(processor)
	b.ReportMetric(passed[n/2], "throughput_ratio")
	b.ReportMetric(processor[n/2], "processor_ratio")
	b.ReportMetric(processor[n/4], "processor_q1")
	b.ReportMetric(processor[3*n/4], "processor_q3")
}

// turnTaker is a recorder that is measured, and what its last turn took.
type turnTaker struct {
	recorder          transfers.PacketRecorder
	peers             []accounts.PeerAccount
	passed, processor time.Duration
}

func newTurnTaker(b *testing.B, tracer transfers.BatchTracer) *turnTaker {
	b.Helper()
	c, err := peerledger.New(embedded.New(), peerledger.Config{
		Accounts: accounts.Config{Assets: []accounts.Asset{usd}}, Recorder: transfers.Config{Tracer: tracer},
	})
	require.NoError(b, err)
	peers, err := c.Provision(b.Context(), accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: ledger.NewAmount(1 << 60)}, accounts.PeerConfig{ID: "bob", Asset: usd})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, c.Close(context.WithoutCancel(b.Context()))) })
	return &turnTaker{recorder: c.Recorder, peers: peers}
}

// takeTurn prepares and fulfills packets, for callers with a span that is not sampled.
func (w *turnTaker) takeTurn(b *testing.B) {
	b.Helper()
	ctx := trace.ContextWithSpanContext(b.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}}))
	ctx, cancel := context.WithTimeout(ctx, time.Minute) // as a request has
	defer cancel()
	runtime.GC() // neither pays for the garbage of the other
	began, used := time.Now(), processorTime(b)
	futures := make([]transfers.Future, packetsPerTurn)
	for i := range futures {
		var err error
		if futures[i], err = w.recorder.Submit(ctx, transfers.PrepareOp(packetOf(w.peers, 1))); err != nil {
			b.Fatal(err)
		}
	}
	for i := range futures {
		if _, err := w.recorder.Submit(ctx, transfers.FulfillOp(futures[i].Packet())); err != nil {
			b.Fatal(err)
		}
	}
	require.NoError(b, w.recorder.Flush(ctx))
	w.passed, w.processor = time.Since(began), processorTime(b)-used
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage unix.Rusage
	require.NoError(b, unix.Getrusage(unix.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// The start and the end of a batch, with metrics and a sampler that takes no span.
func BenchmarkBatch(b *testing.B) {
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
	spans := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.NeverSample())))
	tracer, err := peerotel.New(peerotel.Config{MeterProvider: meters, TracerProvider: spans})
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		ctx := tracer.TraceBatchStart(b.Context(), transfers.BatchStart{Operations: 100})
		tracer.TraceBatchEnd(ctx, transfers.Batch{Operations: 100, Applied: 100, Requests: 1, Transfers: 200, Duration: time.Millisecond})
	}
}
