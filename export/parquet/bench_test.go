package parquet_test

import (
	"io"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/export/parquet"
	"github.com/peerledger/peerledger/ledger"
)

// BenchmarkWrite writes entries without reading them from a ledger.
func BenchmarkWrite(b *testing.B) {
	books := newBook(rand.New(rand.NewPCG(1, 1)), []accounts.Asset{usd}, 8, 1)
	w := parquet.Format().NewWriter(io.Discard)
	require.NoError(b, w.Begin(&books.header))
	e := books.entries[0]
	for b.Loop() {
		e.Time++
		e.Transfer = ledger.NewID(e.Time*0x9e3779b97f4a7c15, e.Time)
		require.NoError(b, w.Write(&e))
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}
