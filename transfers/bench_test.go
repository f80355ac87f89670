package transfers_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
)

// newBench is a recorder on the embedded ledger, and a packet that always passes.
func newBench(b *testing.B) (*transfers.Recorder, transfers.Packet) {
	b.Helper()
	l := embedded.New()
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(b, err)
	peers, err := book.Provision(b.Context(),
		accounts.Peer{ID: "alice", Asset: usd, CreditLine: accounts.Unlimited}, accounts.Peer{ID: "bob", Asset: usd})
	require.NoError(b, err)
	recorder, err := transfers.NewRecorder(l, book, transfers.Config{})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, recorder.Close(b.Context())) })
	return recorder, transfers.Packet{From: peers[0], To: peers[1], In: 1, Out: 1}
}

// One caller that does not wait for answers.
func BenchmarkSubmit(b *testing.B) {
	recorder, packet := newBench(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := recorder.Submit(b.Context(), transfers.Forward(packet)); err != nil {
			b.Fatal(err)
		}
	}
	require.NoError(b, recorder.Flush(b.Context()))
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "packets/s")
}

// Many callers that each wait for their own answer.
func BenchmarkRecord(b *testing.B) {
	recorder, packet := newBench(b)
	b.ReportAllocs()
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := recorder.Forward(b.Context(), packet); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "packets/s")
}
