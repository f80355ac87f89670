package console

import (
	"math/big"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

const (
	// noPercent stands for a percentage that does not exist or is unknown.
	noPercent = -1
	// maxPercent is the largest percentage that is shown.
	maxPercent = 999
)

// figures follow from a peer's balance and our cap for it. They are 0 and noPercent for an incomplete peer.
type figures struct {
	lineTaken, capTaken big.Int // units that packets cannot use any more; above line or cap if it is exceeded
	lineUsed            int     // lineTaken in percent of the line; noPercent without a line
	capUsed             int     // capTaken in percent of the cap; noPercent without a known cap
}

// derive sets the figures. Call it after each change of the balance.
func (p *peer) derive() {
	p.figures = figures{lineUsed: noPercent, capUsed: noPercent}
	if p.Incomplete {
		return
	}
	if b := &p.Balance; b.CreditLine != accounts.Unlimited {
		setTakenOfLine(&p.lineTaken, b)
		p.lineUsed = percentOf(&p.lineTaken, b.CreditLine)
	}
	setTakenOfCap(&p.capTaken, &p.Balance)
	if p.hasCap {
		p.capUsed = percentOf(&p.capTaken, p.payableCap)
	}
}

// setTakenOfLine sets taken to the line without its part that is left. What the peer owes takes of the line, and
// so do holds from it and orders to it beyond what we owe the peer: its own money pays them first. The headroom
// has all that; what it has beyond the line is the peer's money. Arrears await the headroom.
func setTakenOfLine(taken *big.Int, b *accounts.Balance) {
	taken.Add(b.CreditLine.Big(), b.Arrears.Big())
	cutAtZero(taken.Sub(taken, b.Headroom.Big()))
}

// setTakenOfCap sets taken to what recorders count against the cap. What the peer owes us makes room for as much.
func setTakenOfCap(taken *big.Int, b *accounts.Balance) {
	taken.Add(b.Payable.Big(), b.HeldOut.Big())
	cutAtZero(taken.Sub(taken, b.Receivable.Big()))
}

func cutAtZero(n *big.Int) {
	if n.Sign() < 0 {
		n.SetUint64(0)
	}
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
	p := new(big.Int).Mul(part, big.NewInt(100))
	if p.Quo(p, whole.Big()); !p.IsInt64() || p.Int64() > maxPercent {
		return maxPercent
	}
	return int(p.Int64())
}

func (p *peer) isNear() bool { return max(p.lineUsed, p.capUsed) >= nearTrouble }
