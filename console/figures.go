package console

import (
	"math/big"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/bookcheck"
	"github.com/peerledger/peerledger/ledger"
)

const (
	// noPercent stands for a percentage that does not exist or is unknown.
	noPercent = -1
	// maxPercent is the largest percentage that is shown.
	maxPercent = bookcheck.MaxPercent
)

// figures follow from a peer's balance and our cap for it. They are noPercent for an incomplete peer.
type figures struct {
	lineUsed int // bookcheck.TakenOfLine in percent of the line; noPercent without a line
	capUsed  int // takenOfCap in percent of the cap; noPercent without a known cap
}

// derive sets the figures. Call it after each change of the balance.
func (p *peer) derive() {
	p.figures = figures{lineUsed: noPercent, capUsed: noPercent}
	if p.Incomplete {
		return
	}
	if p.Balance.CreditLine != accounts.Unlimited {
		p.lineUsed = percentOf(bookcheck.TakenOfLine(&p.Balance), p.Balance.CreditLine)
	}
	if p.hasCap {
		p.capUsed = percentOf(takenOfCap(&p.Balance), p.payableCap)
	}
}

// takenOfCap returns the units that recorders count against the cap; more than the cap if it is exceeded. What the
// peer owes us makes room for as much.
func takenOfCap(b *accounts.Balance) *big.Int {
	taken := new(big.Int).Add(b.Payable.Big(), b.HeldOut.Big())
	return cutAtZero(taken.Sub(taken, b.Receivable.Big()))
}

// cutAtZero returns n, or 0 if n is negative.
func cutAtZero(n *big.Int) *big.Int {
	if n.Sign() < 0 {
		n.SetUint64(0)
	}
	return n
}

// percentOf returns a part in percent of the whole, rounded down, at most maxPercent. Nothing of a whole of 0
// is noPercent, and anything is maxPercent.
func percentOf(part *big.Int, whole ledger.Amount) int {
	if whole.IsZero() {
		if part.Sign() > 0 {
			return maxPercent
		}
		return noPercent
	}
	return bookcheck.ComputePercent(part, whole)
}

func (p *peer) isNear() bool { return max(p.lineUsed, p.capUsed) >= nearTrouble }
