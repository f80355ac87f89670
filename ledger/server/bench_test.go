//go:build cgo && unix

package server_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	tb "github.com/tigerbeetle/tigerbeetle-go"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/unsafecast"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest/tigerbeetletest"
	"github.com/peerledger/peerledger/ledger/server"
)

// Single-phase transfers a second in full requests of the native client, from one session and from
// two: the server with a ledger in memory and with one in a folder, and TigerBeetle, one after the
// other. A run with -count=5 alternates them.
func BenchmarkCreateTransfers(b *testing.B) {
	for _, sessions := range []int{1, 2} {
		suffix := map[int]string{1: "/1 session", 2: "/2 sessions"}[sessions]
		b.Run("memory"+suffix, func(b *testing.B) {
			_, address := start(b, embedded.New(), server.Config{})
			measureTransfers(b, uint128.Zero, []string{address}, sessions)
		})
		b.Run("folder"+suffix, func(b *testing.B) {
			l, err := embedded.Open(b.TempDir())
			require.NoError(b, err)
			b.Cleanup(func() { _ = l.Close() })
			_, address := start(b, l, server.Config{})
			measureTransfers(b, uint128.Zero, []string{address}, sessions)
		})
		b.Run("tigerbeetle"+suffix, func(b *testing.B) {
			c := tigerbeetletest.Start(b, tigerbeetletest.Config{Production: true})
			measureTransfers(b, c.ClusterID(), c.Addresses(), sessions)
		})
	}
}

// measureTransfers sends full requests from each session at once.
func measureTransfers(b *testing.B, cluster uint128.Uint128, addresses []string, sessions int) {
	b.Helper()
	clients := make([]tb.Client, sessions)
	for i := range clients {
		client, err := tb.NewClient(unsafecast.Value[tb.Uint128](cluster), addresses)
		require.NoError(b, err)
		defer client.Close()
		clients[i] = client
	}
	accounts := []tb.Account{{ID: tb.ToUint128(1), Ledger: 1, Code: 1}, {ID: tb.ToUint128(2), Ledger: 1, Code: 1}}
	_, err := clients[0].CreateAccounts(accounts)
	require.NoError(b, err)
	var next, left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	var sending sync.WaitGroup
	for _, client := range clients {
		sending.Go(func() {
			transfers := make([]tb.Transfer, ledger.BatchMax)
			for left.Add(-1) >= 0 {
				for i := range transfers {
					transfers[i] = tb.Transfer{
						ID: tb.ToUint128(uint64(next.Add(1))), DebitAccountID: tb.ToUint128(1), CreditAccountID: tb.ToUint128(2),
						Amount: tb.ToUint128(1), Ledger: 1, Code: 1,
					}
				}
				results, err := client.CreateTransfers(transfers)
				if err != nil || len(results) != len(transfers) || results[0].Status != tb.TransferCreated {
					b.Error(len(results), err)
					return
				}
			}
		})
	}
	sending.Wait()
	b.StopTimer()
	b.ReportMetric(float64(ledger.BatchMax*b.N)/b.Elapsed().Seconds(), "transfers/s")
}

