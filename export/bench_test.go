package export_test

import (
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/export"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// BenchmarkCSV measures an export of nine columns without a file; tools/exportbench measures files.
func BenchmarkCSV(b *testing.B) {
	const n = 100_000
	ctx := context.Background()
	l := embedded.New()
	usd := accounts.Asset{Code: "USD", Scale: 9, Ledger: 1}
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(b, err)
	var peers []accounts.PeerConfig
	for i := range 1000 {
		peers = append(peers, accounts.PeerConfig{ID: fmt.Sprintf("peer-%d", i), Asset: usd, CreditLine: accounts.Unlimited})
	}
	handles, err := book.Provision(ctx, peers...)
	require.NoError(b, err)
	names := []string{}
	for _, p := range peers {
		names = append(names, p.ID)
	}
	for at := 0; at < n; {
		rows := make([]ledger.Transfer, min(8189, n-at))
		for i := range rows {
			k := at + i
			rows[i] = ledger.Transfer{
				ID: ledger.NewID(uint64(k+1), 77), DebitAccountID: handles[k*7%1000].ID(), CreditAccountID: handles[(k*13+1)%1000].ID(),
				Amount: ledger.NewAmount(uint64(k%1_000_000) + 1), Ledger: 1, Code: chart.CodePacket, UserData128: uint128.From64(uint64(k + 1)), UserData64: uint64(k),
			}
			if rows[i].DebitAccountID == rows[i].CreditAccountID {
				rows[i].CreditAccountID = handles[(k*13+2)%1000].ID()
			}
		}
		_, err := l.CreateTransfers(ctx, rows)
		require.NoError(b, err)
		at += len(rows)
	}
	b.ResetTimer()
	for b.Loop() {
		csv := export.CSV("time", "transfer", "kind", "asset", "debit", "credit", "amount", "debit_balance", "credit_balance")
		s, err := export.Run(ctx, l, book, export.Query{Names: names}, csv.NewWriter(io.Discard))
		require.NoError(b, err)
		require.EqualValues(b, n, s.Totals[0].Entries)
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
