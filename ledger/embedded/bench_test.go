package embedded_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// BenchmarkCreateTransfers measures single-phase transfers in full batches between
// a thousand accounts, on one core: one op is one transfer.
func BenchmarkCreateTransfers(b *testing.B) {
	const accounts = 1000
	l := embedded.New()
	created := make([]ledger.Account, accounts)
	for i := range created {
		created[i] = ledger.Account{ID: ledger.NewID(uint64(i)+1, 0), Ledger: 1, Code: 1}
	}
	_, err := l.CreateAccounts(b.Context(), created)
	require.NoError(b, err)

	batch := make([]ledger.Transfer, ledger.BatchMax)
	next := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer() // one turn is a whole batch; the figures below are per transfer
		for i := range batch {
			next++
			batch[i] = ledger.Transfer{
				ID:              ledger.NewID(next, 1),
				DebitAccountID:  ledger.NewID(next%accounts+1, 0),
				CreditAccountID: ledger.NewID((next*7+1)%accounts+1, 0),
				Amount:          ledger.NewAmount(next % 100),
				Ledger:          1,
				Code:            1,
			}
		}
		b.StartTimer()
		_, err := l.CreateTransfers(b.Context(), batch)
		require.NoError(b, err)
	}
	perTransfer := float64(b.Elapsed().Nanoseconds()) / float64(next)
	b.ReportMetric(perTransfer, "ns/transfer")
	b.ReportMetric(1e9/perTransfer, "transfers/s")
}
