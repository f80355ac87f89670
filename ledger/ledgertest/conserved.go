package ledgertest

import (
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// RequireConserved reads all accounts of the ledger. It fails the test unless, in every ledger
// number, posted debits equal posted credits and pending debits equal pending credits: no unit was
// made or lost. There must be no writer meanwhile.
func RequireConserved(tb testing.TB, l ledger.Ledger) {
	tb.Helper()
	sumLedgers(tb, l).requireEqual(tb)
}

// requireEqual compares the debits and credits of each ledger number.
func (s sums) requireEqual(tb testing.TB) {
	tb.Helper()
	for number, sum := range s {
		require.Zero(tb, sum.debitsPosted.Cmp(&sum.creditsPosted),
			"ledger %d: debits posted %v, credits posted %v", number, &sum.debitsPosted, &sum.creditsPosted)
		require.Zero(tb, sum.debitsPending.Cmp(&sum.creditsPending),
			"ledger %d: debits pending %v, credits pending %v", number, &sum.debitsPending, &sum.creditsPending)
	}
}

// RequireNothingHeld is [RequireConserved], and also fails the test if an account has a pending
// amount.
func RequireNothingHeld(tb testing.TB, l ledger.Ledger) {
	tb.Helper()
	RequireConserved(tb, l)
	for number, sum := range sumLedgers(tb, l) {
		require.Zero(tb, sum.debitsPending.Sign(), "ledger %d: %v units are still held", number, &sum.debitsPending)
	}
}

// total is the sum over all accounts of one ledger number. The sum may exceed 128 bits.
type total struct {
	debitsPending, debitsPosted, creditsPending, creditsPosted big.Int
}

func (sum *total) addAccount(a *ledger.Account) {
	sum.debitsPending.Add(&sum.debitsPending, a.DebitsPending.Big())
	sum.debitsPosted.Add(&sum.debitsPosted, a.DebitsPosted.Big())
	sum.creditsPending.Add(&sum.creditsPending, a.CreditsPending.Big())
	sum.creditsPosted.Add(&sum.creditsPosted, a.CreditsPosted.Big())
}

// sums are the totals by ledger number.
type sums map[uint32]*total

func (s sums) addAccounts(accounts []ledger.Account) {
	for i := range accounts {
		number := accounts[i].Ledger
		if s[number] == nil {
			s[number] = new(total)
		}
		s[number].addAccount(&accounts[i])
	}
}

func sumLedgers(tb testing.TB, l ledger.Ledger) sums {
	tb.Helper()
	totals := make(sums)
	filter := ledger.QueryFilter{Limit: ledger.QueryMax}
	for {
		page, err := l.QueryAccounts(tb.Context(), filter)
		require.NoError(tb, err)
		if len(page) == 0 {
			return totals
		}
		totals.addAccounts(page)
		filter.TimestampMin = nextPageTime(tb, accountTimestamp, filter.TimestampMin, page)
	}
}
