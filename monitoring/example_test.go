package monitoring_test

import (
	"context"
	"fmt"
	"log"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/monitoring"
	"github.com/peerledger/peerledger/transfers"
)

func Example() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	usd := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
	registry := prometheus.NewRegistry() // serve it with promhttp.HandlerFor
	metrics, err := monitoring.New(registry, monitoring.Config{})
	if err != nil {
		log.Fatal(err)
	}
	cfg := peerledger.Config{Accounts: accounts.Config{Assets: []accounts.Asset{usd}}}
	cfg.Recorder.Events = metrics.Recorder(cfg.Recorder.Events)
	cfg.Settlement.Events = metrics.Settlement(cfg.Settlement.Events)
	client, err := peerledger.OpenEmbedded(cfg)
	if err != nil {
		log.Fatal(err)
	}
	peers, err := client.Provision(ctx,
		accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: ledger.NewAmount(10_000)}, accounts.PeerConfig{ID: "bob", Asset: usd})
	if err != nil {
		log.Fatal(err)
	}
	err = metrics.Watch(ctx, monitoring.Sources{
		Recorder: client.Recorder, Book: client.Book, Settlement: client.Settlement, SettlementConfig: cfg.Settlement,
		Accounts: func() []accounts.PeerAccount { return peers },
	})
	if err != nil {
		log.Fatal(err)
	}

	packet := transfers.Packet{From: peers[0], To: peers[1], In: 1250, Out: 1250}
	if _, err := client.Recorder.Forward(ctx, packet); err != nil {
		log.Fatal(err)
	}
	families, err := registry.Gather() // a scrape does the same
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "peerledger_peer_position" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, label := range m.GetLabel() {
				fmt.Print(label.GetName(), "=", label.GetValue(), " ")
			}
			fmt.Println(m.GetGauge().GetValue())
		}
	}
	stop() // before the client is closed
	if err := client.Close(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// asset=USD ledger=1 peer=alice -12.5
	// asset=USD ledger=1 peer=bob 12.5
}
