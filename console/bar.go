package console

import (
	"fmt"
	"math/big"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/bookcheck"
	"github.com/peerledger/peerledger/ledger"
)

// The size of a bar. The left half is the peer's line, the right half our cap; the middle is 0.
const (
	barWidth = 160
	barHalf  = barWidth / 2
)

// bar is a position drawn against line and cap. Lengths are from the middle, 0 to barHalf.
type bar struct {
	Owes, OwesHeld int    // left: owed by the peer, and held from it
	Owed, OwedHeld int    // right: owed to the peer, and held for it
	Line, Cap      scale  // of the left and of the right side
	Near           bool   // near the end of line or cap
	Text           string // the same in words
	Used           string // the used part in short
}

// scale says what a side's length stands for: a class of the drawing.
type scale string

const (
	scaleLimit   scale = "scale"  // the line or the cap, which may be 0
	scaleNone    scale = "open"   // there is no limit
	scaleUnknown scale = "unsure" // whether there is a limit is unknown
)

// drawBar draws a peer. A side without a scale has an amount as a short stub, whatever its size.
func drawBar(p *peer) bar {
	b := &p.Balance
	d := bar{Line: scaleLimit, Cap: scaleNone, Near: p.isNear() || !b.Arrears.IsZero()}
	switch {
	case p.Incomplete || p.capUnknown:
		d.Cap = scaleUnknown
	case p.hasCap:
		d.Cap = scaleLimit
	}
	if p.Incomplete {
		d.Line = scaleUnknown
		d.Text = "no figures: the peer is incomplete in the ledger"
		return d
	}
	if b.CreditLine == accounts.Unlimited {
		d.Line = scaleNone
	}
	d.Owes, d.OwesHeld = drawSide(b.Receivable, bookcheck.TakenOfLine(b), b.HeldIn, b.CreditLine, d.Line)
	d.Owed, d.OwedHeld = drawSide(b.Payable, takenOfCap(b), b.HeldOut, p.payableCap, d.Cap)
	a := p.Asset
	switch {
	case !b.Receivable.IsZero():
		d.Text = "owes us " + a.Text(b.Receivable)
	case !b.Payable.IsZero():
		d.Text = "we owe " + a.Text(b.Payable)
	default:
		d.Text = "nothing owed"
	}
	d.Text += describeLimits(p)
	switch {
	case p.lineUsed > 0 && p.lineUsed >= p.capUsed:
		d.Used = fmt.Sprintf("%s of line", formatPercent(p.lineUsed))
	case p.capUsed > 0:
		d.Used = fmt.Sprintf("%s of cap", formatPercent(p.capUsed))
	}
	return d
}

// describeLimits says how much of line and cap is used, to follow other words.
func describeLimits(p *peer) string {
	text := ", no line"
	switch {
	case p.Balance.CreditLine == accounts.Unlimited:
		text = ", unlimited line"
	case p.lineUsed != noPercent:
		text = fmt.Sprintf(", %s of the line %s used", formatPercent(p.lineUsed), p.Asset.Format(p.Balance.CreditLine))
	}
	switch {
	case p.capUnknown:
		text += ", cap unknown"
	case p.capUsed != noPercent:
		text += fmt.Sprintf(", %s of the cap %s used", formatPercent(p.capUsed), p.Asset.Format(p.payableCap))
	case p.hasCap:
		text += ", a cap of 0"
	}
	return text
}

func formatPercent(percent int) string {
	if percent >= maxPercent {
		return fmt.Sprintf("%d %% or more", maxPercent)
	}
	return fmt.Sprintf("%d %%", percent)
}

// stub is the length of an amount on a side without a scale.
const stub = 6

// drawSide returns the length of a sum and, after it, of what holds take beyond the sum.
func drawSide(sum ledger.Amount, taken *big.Int, held, whole ledger.Amount, s scale) (length, heldLength int) {
	if s != scaleLimit {
		if !sum.IsZero() {
			length = stub
		}
		if !held.IsZero() {
			heldLength = stub
		}
		return length, heldLength
	}
	lengthOf := func(part *big.Int) int { return min(barHalf, max(0, percentOf(part, whole))*barHalf/100) }
	length = lengthOf(sum.Big())
	return length, max(0, lengthOf(taken)-length)
}

// OwesX and the other methods are coordinates in the drawing.
func (b bar) OwesX() int { return barHalf - b.Owes }

// OwesHeldX is the left end of the held part on the left.
func (b bar) OwesHeldX() int { return barHalf - b.Owes - b.OwesHeld }

// OwedHeldX is the left end of the held part on the right.
func (b bar) OwedHeldX() int { return barHalf + b.Owed }
