package transfers_test

import (
	"context"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
)

// nullLedger applies everything at once.
type nullLedger struct{ ledger.Ledger }

func (nullLedger) CreateTransfers(_ context.Context, batch []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	results := make([]ledger.CreateTransferResult, len(batch))
	for i := range results {
		results[i] = ledger.CreateTransferResult{Status: ledger.TransferCreated, Timestamp: 1}
	}
	return results, nil
}

// newBench returns a recorder between two peers, and a packet that always passes.
func newBench(b *testing.B, cfg transfers.Config, wrap func(ledger.Ledger) ledger.Ledger) (*transfers.Recorder, transfers.Packet) {
	b.Helper()
	var l ledger.Ledger = embedded.New()
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(b, err)
	peers, err := book.Provision(b.Context(),
		accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: accounts.Unlimited}, accounts.PeerConfig{ID: "bob", Asset: usd})
	require.NoError(b, err)
	if wrap != nil {
		l = wrap(l)
	}
	recorder, err := transfers.NewRecorder(l, book, cfg)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, recorder.Close(b.Context())) })
	return recorder, transfers.Packet{From: peers[0], To: peers[1], In: 2, Out: 1}
}

// The ledgers of the benchmarks: nullLedger, for the cost of the recorder alone, and the
// embedded ledger.
var benchLedgers = []struct {
	name string
	wrap func(ledger.Ledger) ledger.Ledger
}{{"null", func(ledger.Ledger) ledger.Ledger { return nullLedger{} }}, {"embedded", nil}}

// One caller that does not wait for answers.
func BenchmarkSubmit(b *testing.B) {
	for _, on := range benchLedgers {
		b.Run(on.name, func(b *testing.B) {
			recorder, packet := newBench(b, transfers.Config{}, on.wrap)
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := recorder.Submit(ctx, transfers.ForwardOp(packet)); err != nil {
					b.Fatal(err)
				}
			}
			require.NoError(b, recorder.Flush(ctx))
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "packets/s")
		})
	}
}

// Many callers that each wait for their own answer.
func BenchmarkRecord(b *testing.B) {
	for _, on := range benchLedgers {
		for _, callers := range []int{1, 8, 64} {
			b.Run(on.name+"/"+strconv.Itoa(callers), func(b *testing.B) {
				recorder, packet := newBench(b, transfers.Config{}, on.wrap)
				ctx := b.Context()
				b.ReportAllocs()
				b.SetParallelism(callers)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if _, err := recorder.Forward(ctx, packet); err != nil {
							b.Error(err)
						}
					}
				})
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "packets/s")
			})
		}
	}
}
