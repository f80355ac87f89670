package main

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	peerotel "github.com/peerledger/peerledger/monitoring/otel"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
)

// newProvider returns the SDK of a process that exports each span at once, and its end.
func newProvider(ctx context.Context, service string) (*sdktrace.TracerProvider, func(context.Context) error, error) {
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, nil, err
	}
	spans := sdktrace.NewTracerProvider(
		sdktrace.WithSyncer(exporter), sdktrace.WithIDGenerator(peerotel.IDGenerator{}),
		sdktrace.WithResource(resource.NewSchemaless(semconv.ServiceName(service))),
	)
	return spans, spans.Shutdown, nil
}

// runEngine opens the books of the folder, lets bob earn 100.00 if he has nothing yet, and waits until his order is paid.
func runEngine(ctx context.Context, folder, instance string) error {
	spans, flush, err := newProvider(ctx, "connector "+instance)
	if err != nil {
		return err
	}
	tracer, err := peerotel.New(peerotel.Config{TracerProvider: spans, OrderSpans: true})
	if err != nil {
		return err
	}
	usd := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
	paid := make(chan settlement.Payment, 1)
	books, err := embedded.Open(filepath.Join(folder, "books"))
	if err != nil {
		return err
	}
	client, err := peerledger.New(books, peerledger.Config{
		Accounts: accounts.Config{Assets: []accounts.Asset{usd}},
		Settlement: settlement.Config{
			Rails:    settlement.Rails{Default: &settlement.Rail{Name: "chain", Settler: settler{os.Getenv("RAIL")}, Timeout: 500 * time.Millisecond}},
			Policies: settlement.Policies{Default: settlement.Threshold{SettleThreshold: ledger.NewAmount(100_00)}},
			Instance: instance, Lease: 2 * time.Second, RetryInitialInterval: time.Hour, Tracer: tracer,
			Events: settlement.Events{Paid: func(p settlement.Payment) { paid <- p }},
		},
	})
	if err != nil {
		return err
	}
	peers, err := client.Provision(ctx, accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: ledger.NewAmount(1000_00)}, accounts.PeerConfig{ID: "bob", Asset: usd})
	if err != nil {
		return err
	}
	if instance == "first" {
		if _, err := client.Recorder.Forward(ctx, transfers.Packet{From: peers[0], To: peers[1], In: 100_00, Out: 100_00}); err != nil {
			return err
		}
	}
	select {
	case <-paid:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := client.Close(ctx); err != nil {
		return err
	}
	return flush(ctx)
}
