package monitoring_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/monitoring"
)

// One scrape of ten thousand peers, with its reads of an embedded ledger.
func BenchmarkScrape(b *testing.B) {
	registry := prometheus.NewRegistry()
	metrics, err := monitoring.New(registry, monitoring.Config{Interval: time.Nanosecond})
	require.NoError(b, err)
	book, err := accounts.NewBook(embedded.New(), accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(b, err)
	list := make([]accounts.PeerConfig, 10_000)
	for i := range list {
		list[i] = accounts.PeerConfig{ID: fmt.Sprint("peer ", i), Asset: usd, CreditLine: units(1000)}
	}
	peers, err := book.Provision(b.Context(), list...)
	require.NoError(b, err)
	require.NoError(b, metrics.Watch(b.Context(), monitoring.Sources{Book: book, Accounts: func() []accounts.PeerAccount { return peers }}))
	for b.Loop() {
		if _, err := registry.Gather(); err != nil {
			b.Fatal(err)
		}
	}
}
