package peerotel_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	peerotel "github.com/peerledger/peerledger/monitoring/otel"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
)

var usd = accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}

// recording is a Tracer with an SDK that keeps everything in memory.
type recording struct {
	*peerotel.Tracer
	spans    *tracetest.InMemoryExporter
	provider *sdktrace.TracerProvider
	metrics  *sdkmetric.ManualReader
}

func newRecording(t *testing.T, opts ...sdktrace.TracerProviderOption) *recording {
	t.Helper()
	r := &recording{spans: tracetest.NewInMemoryExporter(), metrics: sdkmetric.NewManualReader()}
	r.provider = sdktrace.NewTracerProvider(append(opts, sdktrace.WithSyncer(r.spans), sdktrace.WithIDGenerator(peerotel.IDGenerator{}))...)
	var err error
	r.Tracer, err = peerotel.New(peerotel.Config{
		TracerProvider: r.provider, MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(r.metrics)), Namespace: "7", OrderSpans: true,
	})
	require.NoError(t, err)
	return r
}

// named returns the spans with a name, in the order in which they ended.
func (r *recording) named(name string) (found tracetest.SpanStubs) {
	for _, s := range r.spans.GetSpans() {
		if s.Name == name {
			found = append(found, s)
		}
	}
	return found
}

// attributesOf returns the attributes of a span as text.
func attributesOf(s *tracetest.SpanStub) map[string]string {
	texts := map[string]string{}
	for _, a := range s.Attributes {
		texts[string(a.Key)] = a.Value.String()
	}
	return texts
}

// counts returns the values of a metric by its attributes; of a histogram the number of values.
func (r *recording) counts(t *testing.T, name string) map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, r.metrics.Collect(context.Background(), &all))
	values := map[string]int64{}
	text := func(s attribute.Set) string { return s.Encoded(attribute.DefaultEncoder()) }
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != name {
				continue
			}
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					values[text(p.Attributes)] = p.Value
				}
			case metricdata.Histogram[int64]:
				for _, p := range data.DataPoints {
					values[text(p.Attributes)] = int64(p.Count)
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					require.GreaterOrEqual(t, p.Sum, 0., name)
					values[text(p.Attributes)] = int64(p.Count)
				}
			}
		}
	}
	return values
}

// newClient opens a client with alice, who may owe 1000, and bob, on a ledger that is shared with others.
func newClient(t *testing.T, l ledger.Ledger, cfg peerledger.Config) (*peerledger.Client, []accounts.PeerAccount) {
	t.Helper()
	cfg.Accounts.Assets = []accounts.Asset{usd}
	c, err := peerledger.New(l, cfg)
	require.NoError(t, err)
	peers, err := c.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: ledger.NewAmount(1000)}, accounts.PeerConfig{ID: "bob", Asset: usd})
	require.NoError(t, err)
	return c, peers
}

// newOpenClient is newClient on a new ledger in memory.
func newOpenClient(t *testing.T, cfg peerledger.Config) (*peerledger.Client, []accounts.PeerAccount) {
	t.Helper()
	return newClient(t, embedded.New(), cfg)
}

func packetOf(peers []accounts.PeerAccount, amount uint64) transfers.Packet {
	return transfers.Packet{From: peers[0], To: peers[1], In: amount, Out: amount, Hold: time.Minute}
}

var errRail = errors.New("no answer")

// settleAt100 pays bob by a Settler when 100 are owed.
func settleAt100(s settlement.Settler) settlement.Config {
	return settlement.Config{
		Rails:    settlement.Rails{Default: &settlement.Rail{Name: "chain", Settler: s}},
		Policies: settlement.Policies{Default: settlement.Threshold{SettleThreshold: ledger.NewAmount(100)}},
	}
}

// boundaries returns the boundaries of a histogram.
func (r *recording) boundaries(t *testing.T, name string) []float64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, r.metrics.Collect(context.Background(), &all))
	for _, m := range all.ScopeMetrics[0].Metrics {
		switch data := m.Data.(type) {
		case metricdata.Histogram[int64]:
			if m.Name == name {
				return data.DataPoints[0].Bounds
			}
		case metricdata.Histogram[float64]:
			if m.Name == name {
				return data.DataPoints[0].Bounds
			}
		}
	}
	return nil
}
