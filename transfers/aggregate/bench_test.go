package aggregate_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// A packet's prepare and fulfill between 1,000 peers, without a journal; one round for each 50 ms.
func BenchmarkPacket(b *testing.B) { benchmarkPacket(b, accounts.Config{}) }

// The same with every limit for every peer.
func BenchmarkLimitedPacket(b *testing.B) {
	benchmarkPacket(b, accounts.Config{
		Limits: accounts.Rules[accounts.Limits]{Default: accounts.Limits{
			PayableCap: "1000000", InFlightShare: "0.5", MaxPacket: "1", MaxHold: time.Minute, PacketRate: "1000000000/1s", AmountRate: "1000000000/1s",
		}},
		LiquidityFloors: map[accounts.Asset]accounts.Decimal{usd: "-1000"},
	})
}

func benchmarkPacket(b *testing.B, cfg accounts.Config) {
	b.Helper()
	l := embedded.New()
	cfg.Assets = []accounts.Asset{usd}
	book, err := accounts.NewBook(l, cfg)
	require.NoError(b, err)
	var peers []accounts.PeerAccount
	for i := range 1000 {
		a, err := book.Provision(b.Context(), accounts.PeerConfig{ID: fmt.Sprint("peer", i), Asset: usd, CreditLine: ledger.NewAmount(1 << 60)})
		require.NoError(b, err)
		peers = append(peers, a...)
	}
	requests := 0
	r, err := aggregate.NewRecorder(b.Context(), l, book, aggregate.Config{
		LoseFulfillsWithProcess: true, Horizon: time.Second, Events: aggregate.Events{Round: func(aggregate.Round) { requests++ }},
	})
	require.NoError(b, err)
	pass := func(i int) {
		p := transfers.Packet{From: peers[i*7%1000], To: peers[i*13%1000], In: 100, Out: 99, Expiry: time.Now().Add(5 * time.Second)}
		held, err := r.Prepare(b.Context(), p)
		if err == nil {
			_, err = r.Fulfill(b.Context(), held.Packet)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	for i := range 200_000 { // reservations grow to the traffic
		pass(i)
	}
	requests = 0
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		pass(i)
	}
	require.NoError(b, r.Close(b.Context()))
	b.ReportMetric(float64(b.N)/float64(requests), "packets/round")
}
