package export

import (
	"math/big"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// bound works out [Asset].Bound. Each entry is a debit of one account and a credit of another, and at least one of
// both is covered. Credit line accounts do not count: their rows are no entries.
type bound struct {
	debits, credits *big.Int // of covered accounts
	partial         bool     // there are accounts that are not covered
}

func newBound() *bound { return &bound{debits: new(big.Int), credits: new(big.Int)} }

// addAccount adds an account of the ledger.
func (b *bound) addAccount(account *ledgerAccount, row *ledger.Account) {
	switch {
	case !account.covered:
		b.partial = true
	case row.Code != chart.CodeLine:
		b.debits.Add(b.debits, row.DebitsPosted.Big())
		b.credits.Add(b.credits, row.CreditsPosted.Big())
	}
}

// total returns the bound. Opening balances without their signs add up to twice the debits at most.
func (b *bound) total(hasOpening bool) *big.Int {
	switch {
	case b.partial:
		return new(big.Int).Add(b.debits, b.credits)
	case hasOpening:
		return new(big.Int).Lsh(b.debits, 1)
	default:
		return b.debits
	}
}
