package journal_test

import (
	"io"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/export"
	"github.com/peerledger/peerledger/export/journal"
)

// BenchmarkWrite writes entries without reading them from a ledger.
func BenchmarkWrite(b *testing.B) {
	for _, format := range []export.Format{journal.Hledger(), journal.Beancount3()} {
		b.Run(format.Name, func(b *testing.B) {
			books := smallBook()
			w := format.NewWriter(io.Discard)
			require.NoError(b, w.Begin(&export.Header{
				Assets: []export.Asset{{Asset: books.assets[0], Bound: big.NewInt(1000)}}, Accounts: books.accounts, Opening: books.opening, Part: 1,
			}))
			for b.Loop() {
				require.NoError(b, w.Write(&books.entries[0]))
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}
