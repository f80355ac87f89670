package console

import (
	"fmt"

	"github.com/peerledger/peerledger/accounts"
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
	HasLine        bool   // left has a scale
	HasCap         bool   // right has a scale
	Near           bool   // near the end of line or cap
	Text           string // the same in words
	Used           string // the used part in short
}

// drawBar draws a peer. Without a line or a cap, the side has no scale: an amount there is
// drawn as a short stub, whatever its size.
func drawBar(p *peer) bar {
	b := &p.Balance
	d := bar{HasLine: p.lineUsed != noPercent, HasCap: p.hasCap, Near: p.isNear() || !b.Arrears.IsZero()}
	if p.Incomplete {
		d.Text = "no figures: the peer is incomplete in the ledger"
		return d
	}
	d.Owes, d.OwesHeld = drawSide(b.Receivable, b.HeldIn, b.CreditLine, d.HasLine)
	d.Owed, d.OwedHeld = drawSide(b.Payable, b.HeldOut, p.payableCap, d.HasCap)
	a := p.Asset
	switch {
	case !b.Receivable.IsZero():
		d.Text = "owes us " + a.Text(b.Receivable)
	case !b.Payable.IsZero():
		d.Text = "we owe " + a.Text(b.Payable)
	default:
		d.Text = "nothing owed"
	}
	switch {
	case b.CreditLine == accounts.Unlimited:
		d.Text += ", unlimited line"
	case d.HasLine:
		d.Text += fmt.Sprintf(", %d %% of the line %s used", p.lineUsed, a.Format(b.CreditLine))
	default:
		d.Text += ", no line"
	}
	if p.hasCap {
		d.Text += fmt.Sprintf(", %d %% of the cap %s used", p.capUsed, a.Format(p.payableCap))
	}
	switch {
	case p.lineUsed > 0 && p.lineUsed >= p.capUsed:
		d.Used = fmt.Sprintf("%s of line", formatPercent(p.lineUsed))
	case p.capUsed > 0:
		d.Used = fmt.Sprintf("%s of cap", formatPercent(p.capUsed))
	}
	return d
}

func formatPercent(percent int) string {
	if percent >= maxPercent {
		return fmt.Sprintf("%d %% or more", maxPercent)
	}
	return fmt.Sprintf("%d %%", percent)
}

// stub is the length of an amount on a side without a scale.
const stub = 6

func drawSide(sum, held, whole ledger.Amount, hasScale bool) (length, heldLength int) {
	if !hasScale {
		if !sum.IsZero() {
			length = stub
		}
		if !held.IsZero() {
			heldLength = stub
		}
		return length, heldLength
	}
	length = min(barHalf, percentOf(sum.Big(), whole)*barHalf/100)
	heldLength = min(barHalf-length, percentOf(held.Big(), whole)*barHalf/100)
	return length, heldLength
}

// OwesX and the other methods are coordinates in the drawing.
func (b bar) OwesX() int { return barHalf - b.Owes }

// OwesHeldX is the left end of the held part on the left.
func (b bar) OwesHeldX() int { return barHalf - b.Owes - b.OwesHeld }

// OwedHeldX is the left end of the held part on the right.
func (b bar) OwedHeldX() int { return barHalf + b.Owed }
