//go:build cgo && unix

package cluster_test

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	tb "github.com/tigerbeetle/tigerbeetle-go"

	"github.com/peerledger/peerledger/internal/unsafecast"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/cluster"
	"github.com/peerledger/peerledger/ledger/ledgertest/tigerbeetletest"
)

// The cost of copying the events of a full request, needed if the context can end.
func BenchmarkCopy(b *testing.B) {
	events := make([]ledger.Transfer, ledger.BatchMax)
	b.SetBytes(int64(len(events)) * 128)
	for b.Loop() {
		_ = slices.Clone(events)
	}
}

// A request through the native client alone, and the same request through this package.
func BenchmarkCreateTransfers(b *testing.B) {
	c := tigerbeetletest.Start(b, tigerbeetletest.Config{Production: true, Real: true})
	cfg := c.Config()
	cfg.Sessions = 1
	l, err := cluster.Open(b.Context(), cfg)
	require.NoError(b, err)
	defer func() { _ = l.Close() }()
	raw, err := tb.NewClient(unsafecast.Value[tb.Uint128](c.ClusterID()), c.Addresses())
	require.NoError(b, err)
	defer raw.Close()
	p := newPair(b, l)
	for _, n := range []struct {
		name string
		size int
	}{{"1", 1}, {"8189", ledger.BatchMax}} {
		for _, target := range []struct {
			name string
			send func([]ledger.Transfer) error
		}{
			{"raw", func(transfers []ledger.Transfer) error {
				_, err := raw.CreateTransfers(unsafecast.Slice[tb.Transfer](transfers))
				return err
			}},
			{"cluster", func(transfers []ledger.Transfer) error {
				_, err := l.CreateTransfers(b.Context(), transfers)
				return err
			}},
			{"cluster without an end", func(transfers []ledger.Transfer) error {
				_, err := l.CreateTransfers(context.Background(), transfers)
				return err
			}},
		} {
			b.Run(n.name+"/"+target.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					b.StopTimer()
					transfers := p.newTransfers(n.size)
					b.StartTimer()
					require.NoError(b, target.send(transfers))
				}
				b.ReportMetric(float64(n.size*b.N)/b.Elapsed().Seconds(), "transfers/s")
			})
		}
	}
}
