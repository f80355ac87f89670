package journal_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/export"
	"github.com/peerledger/peerledger/export/journal"
	"github.com/peerledger/peerledger/ledger"
)

// A part that ends within a day leaves its balances unchecked, since the next part may have entries of that day. The
// next part checks all accounts at the end of its first day, and leaves its own last day in turn.
func TestBeancountPartsLeaveTheLastDay(t *testing.T) {
	t.Parallel()
	b := smallBook()
	balances := append([]export.Balance{}, b.opening...)
	for _, e := range b.entries {
		balances[e.Debit.Index], balances[e.Credit.Index] = e.DebitBalance, e.CreditBalance
	}
	later := b.entries[0].Time + uint64(24*time.Hour)
	for i := range uint64(3) {
		b.book(b.accounts[1], b.accounts[2], ledger.NewAmount(1), later+i*uint64(24*time.Hour), balances)
	}
	parts, _ := b.write(t, journal.Beancount3(), 1, 3)

	require.NotContains(t, parts[0], "2026-01-31 balance")
	require.Contains(t, parts[1], "2026-02-01 balance Liabilities:Peer:Alice  1.50 ~ 0 USD-2\n")
	require.Contains(t, parts[1], "2026-02-01 balance Equity:Liquidity  -0.01 ~ 0 USD-2\n")
	require.NotContains(t, parts[1], "2026-02-02 balance")
	require.NotContains(t, parts[1], "open ")
	require.NotContains(t, parts[1], "commodity ")
}
