package prepayment

import (
	"math/big"

	"github.com/peerledger/peerledger/ledger"
)

// Accounts are the ids of a peer's ledger accounts.
type Accounts struct{ Peer, Line, Settlement, Arrears ledger.ID }

// Totals are the posted debits and credits of an account at one moment. Both only grow.
type Totals struct{ Debits, Credits ledger.Amount }

// TotalsOf returns the posted totals of an account.
func TotalsOf(a *ledger.Account) Totals { return Totals{a.DebitsPosted, a.CreditsPosted} }

// NotBefore reports whether t is of the same moment as other, or of a later moment.
func (t Totals) NotBefore(other Totals) bool {
	return !t.Debits.Less(other.Debits) && !t.Credits.Less(other.Credits)
}

// Sums are the totals of a peer's accounts, and of the suspense account of its asset, read in a
// single request.
type Sums struct {
	Peer, Line, Settlement, Arrears, Suspense Totals
	// History is true if the ledger keeps the history of the peer account.
	History bool
}

// Position returns the peer's position: above 0 we owe the peer.
func (s *Sums) Position() *big.Int {
	position := new(big.Int).Sub(s.Peer.Credits.Big(), s.Peer.Debits.Big())
	position.Sub(position, netDebits(s.Line))
	return position.Sub(position, netDebits(s.Arrears))
}

// netDebits returns the debits less the credits.
func netDebits(t Totals) *big.Int {
	return new(big.Int).Sub(t.Debits.Big(), t.Credits.Big())
}

// NeverPaidIn reports whether the peer never paid anything in and was never credited by hand.
// Write-offs and credits by hand are debits of suspense, for this peer or another one.
func (s *Sums) NeverPaidIn() bool { return s.Settlement.Debits.IsZero() && s.Suspense.Debits.IsZero() }

// isNotBefore reports whether s is of the same moment as other, or of a later moment.
func (s *Sums) isNotBefore(other *Sums) bool {
	return s.Peer.NotBefore(other.Peer) && s.Line.NotBefore(other.Line) && s.Settlement.NotBefore(other.Settlement) &&
		s.Arrears.NotBefore(other.Arrears) && s.Suspense.NotBefore(other.Suspense)
}

// SamePayments reports whether nothing but packets was booked for the peer between the two moments,
// in any order: no payment, no line change, nothing by hand, no collection.
func (s *Sums) SamePayments(other *Sums) bool {
	return s.Line == other.Line && s.Settlement == other.Settlement && s.Arrears == other.Arrears &&
		s.Suspense.Debits == other.Suspense.Debits
}

// amountGrowth returns later less earlier.
func amountGrowth(later, earlier ledger.Amount) *big.Int {
	return new(big.Int).Sub(later.Big(), earlier.Big())
}
