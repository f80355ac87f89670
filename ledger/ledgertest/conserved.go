package ledgertest

import (
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// RequireConserved reads all accounts of the ledger and fails the test unless, in
// every ledger number, posted debits equal posted credits and pending debits equal
// pending credits: no unit was made or lost. Nobody may write meanwhile.
func RequireConserved(tb testing.TB, l ledger.Ledger) {
	tb.Helper()
	for number, sum := range totals(tb, l) {
		require.Zero(tb, sum.debitsPosted.Cmp(&sum.creditsPosted),
			"ledger %d: debits posted %v, credits posted %v", number, &sum.debitsPosted, &sum.creditsPosted)
		require.Zero(tb, sum.debitsPending.Cmp(&sum.creditsPending),
			"ledger %d: debits pending %v, credits pending %v", number, &sum.debitsPending, &sum.creditsPending)
	}
}

// RequireNothingHeld does what RequireConserved does, and fails the test if
// anything is pending in any account.
func RequireNothingHeld(tb testing.TB, l ledger.Ledger) {
	tb.Helper()
	RequireConserved(tb, l)
	for number, sum := range totals(tb, l) {
		require.Zero(tb, sum.debitsPending.Sign(), "ledger %d: %v units are still held", number, &sum.debitsPending)
	}
}

// total is the sum over all accounts of one ledger number. It may exceed 128 bits.
type total struct {
	debitsPending, debitsPosted, creditsPending, creditsPosted big.Int
}

func (sum *total) add(a *ledger.Account) {
	sum.debitsPending.Add(&sum.debitsPending, a.DebitsPending.Big())
	sum.debitsPosted.Add(&sum.debitsPosted, a.DebitsPosted.Big())
	sum.creditsPending.Add(&sum.creditsPending, a.CreditsPending.Big())
	sum.creditsPosted.Add(&sum.creditsPosted, a.CreditsPosted.Big())
}

func totals(tb testing.TB, l ledger.Ledger) map[uint32]*total {
	tb.Helper()
	sums := make(map[uint32]*total)
	filter := ledger.QueryFilter{Limit: ledger.QueryMax}
	for {
		page, err := l.QueryAccounts(tb.Context(), filter)
		require.NoError(tb, err)
		if len(page) == 0 {
			return sums
		}
		for i := range page {
			if sums[page[i].Ledger] == nil {
				sums[page[i].Ledger] = new(total)
			}
			sums[page[i].Ledger].add(&page[i])
		}
		filter.TimestampMin = page[len(page)-1].Timestamp + 1
	}
}
