package peerotel_test

import (
	"context"
	"fmt"
	"log"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	peerotel "github.com/peerledger/peerledger/monitoring/otel"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
)

func Example() {
	ctx := context.Background()
	exporter := tracetest.NewInMemoryExporter() // a program has an OTLP exporter, with a batcher
	spans := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter), sdktrace.WithIDGenerator(peerotel.IDGenerator{}))
	meters := sdkmetric.NewMeterProvider() // with a reader
	tracer, err := peerotel.New(peerotel.Config{TracerProvider: spans, MeterProvider: meters, OrderSpans: true})
	if err != nil {
		log.Fatal(err)
	}
	pay := func(_ context.Context, o settlement.Order) (ledger.Amount, error) { return o.Amount, nil }
	cfg := peerledger.Config{
		Accounts: accounts.Config{Assets: []accounts.Asset{usd}},
		Settlement: settlement.Config{
			Rails:    settlement.Rails{Default: &settlement.Rail{Name: "chain", Settler: settlement.SettlerFunc(pay)}},
			Policies: settlement.Policies{Default: settlement.Threshold{SettleThreshold: ledger.NewAmount(1000)}},
			Manual:   true,
		},
	}
	cfg.Recorder.Tracer = tracer
	cfg.Settlement.Tracer = tracer
	client, err := peerledger.OpenEmbedded(cfg)
	if err != nil {
		log.Fatal(err)
	}
	peers, err := client.Provision(ctx,
		accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: ledger.NewAmount(10_000)}, accounts.PeerConfig{ID: "bob", Asset: usd})
	if err != nil {
		log.Fatal(err)
	}
	request, span := spans.Tracer("connector").Start(ctx, "handle PREPARE") // sampled: the packet gets a span
	if _, err := client.Recorder.Forward(request, transfers.Packet{From: peers[0], To: peers[1], In: 1250, Out: 1250}); err != nil {
		log.Fatal(err)
	}
	span.End()
	payments, err := client.Settlement.Settle(ctx, peers...)
	if err != nil {
		log.Fatal(err)
	}
	if err := client.Close(ctx); err != nil {
		log.Fatal(err)
	}
	for _, s := range exporter.GetSpans() {
		fmt.Printf("%s: trace of the order %v\n", s.Name, s.SpanContext.TraceID().String() == payments[0].Order.ID.String())
	}
	// Unordered output:
	// forward packet: trace of the order false
	// create_transfers: trace of the order false
	// handle PREPARE: trace of the order false
	// call rail: trace of the order true
	// order placed: trace of the order true
	// order: trace of the order true
}
