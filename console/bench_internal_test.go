package console

import (
	"fmt"
	"net/http/httptest"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// BenchmarkManyPeers takes a look at many peers on an embedded ledger, and draws the first page and the
// page of peers from it. docs/console.md has the figures.
func BenchmarkManyPeers(b *testing.B) {
	const peers = 100_000
	usd := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
	l := embedded.New()
	defer func() { require.NoError(b, l.Close()) }()
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(b, err)
	names, configs := make([]string, peers), make([]accounts.PeerConfig, peers)
	for i := range peers {
		names[i] = fmt.Sprintf("peer-%06d.example", i)
		configs[i] = accounts.PeerConfig{ID: names[i], Asset: usd, CreditLine: ledger.NewAmount(uint64(10_000 + i))}
	}
	_, err = book.Provision(b.Context(), configs...)
	require.NoError(b, err)
	c, err := New(Config{Book: book, Peers: func(accounts.Asset) []string { return names }})
	require.NoError(b, err)
	defer c.Close()
	looker := &looker{cfg: c.cfg}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	kept, err := looker.takeLook(b.Context())
	require.NoError(b, err)
	lookBytes := heap() - before
	c.reader.publish(state{look: kept})

	b.Run("look", func(b *testing.B) {
		for b.Loop() {
			if _, err := looker.takeLook(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(lookBytes)/(1<<20), "MB-kept")
	})
	for name, path := range map[string]string{"overview": "/", "peers": "/peers", "sorted": "/peers?sort=-headroom"} {
		b.Run(name, func(b *testing.B) {
			var size int
			for b.Loop() {
				w := httptest.NewRecorder()
				r := httptest.NewRequest("GET", path, nil)
				r.Host = "localhost"
				session, _ := c.secrets.beginSession(c.secrets.addLogin())
				r.AddCookie(c.newCookie(r, session))
				c.reader.publish(state{look: kept, began: kept.at.Add(1 << 40)}) // fresh
				c.ServeHTTP(w, r)
				require.Equal(b, 200, w.Code, w.Body)
				size = w.Body.Len()
			}
			b.ReportMetric(float64(size)/1000, "kB")
		})
	}
	runtime.KeepAlive(kept)
}
