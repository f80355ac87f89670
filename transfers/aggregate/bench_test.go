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

// A packet's prepare and fulfill by Submit. 8,192 packets are open.
func BenchmarkSubmit(b *testing.B) {
	r, peers := startBenchmark(b, accounts.Config{}, aggregate.Events{})
	open := make([]transfers.Future, 8192)
	submit := func(op transfers.Op) (f transfers.Future) {
		f, err := r.Submit(b.Context(), op)
		if err != nil {
			b.Fatal(err)
		}
		return f
	}
	var expiry time.Time
	pass := func(i int) {
		place := i % len(open)
		if place%256 == 0 {
			expiry = time.Now().Add(5 * time.Second)
		}
		if i >= len(open) {
			held := open[place].Wait(b.Context())
			if held.Err != nil {
				b.Fatal(held.Err)
			}
			submit(transfers.FulfillOp(held.Packet))
		}
		p := transfers.Packet{ID: ledger.NewID(uint64(i+1)<<8, 9), From: peers[i*7%1000], To: peers[i*13%1000], In: 100, Out: 99, Expiry: expiry}
		open[place] = submit(transfers.PrepareOp(p))
	}
	const warmUp = 200_000 // reservations grow to the traffic
	for i := range warmUp {
		pass(i)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		pass(warmUp + i)
	}
	b.StopTimer()
	require.NoError(b, r.Close(b.Context()))
}

func benchmarkPacket(b *testing.B, cfg accounts.Config) {
	b.Helper()
	requests := 0
	r, peers := startBenchmark(b, cfg, aggregate.Events{Round: func(aggregate.Round) { requests++ }})
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

// startBenchmark returns a recorder without a journal, and the accounts of 1,000 peers.
func startBenchmark(b *testing.B, cfg accounts.Config, events aggregate.Events) (r *aggregate.Recorder, peers []accounts.PeerAccount) {
	b.Helper()
	l := embedded.New()
	cfg.Assets = []accounts.Asset{usd}
	book, err := accounts.NewBook(l, cfg)
	require.NoError(b, err)
	for i := range 1000 {
		a, err := book.Provision(b.Context(), accounts.PeerConfig{ID: fmt.Sprint("peer", i), Asset: usd, CreditLine: ledger.NewAmount(1 << 60)})
		require.NoError(b, err)
		peers = append(peers, a...)
	}
	r, err = aggregate.NewRecorder(b.Context(), l, book, aggregate.Config{LoseFulfillsWithProcess: true, Horizon: time.Second, Events: events})
	require.NoError(b, err)
	return r, peers
}
