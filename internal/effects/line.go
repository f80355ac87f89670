package effects

import (
	"fmt"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// LineChange is a planned change of a credit line. Amounts are in units.
type LineChange struct {
	Balance  accounts.Balance
	Amount   ledger.Amount  // of the change: of a revocation the part to revoke, else the new line or the rise
	After    ledger.Amount  // the planned line
	Expected *ledger.Amount // the line that the change requires; nil is any line
	Partial  bool           // a part of the line in use is left out
}

// Describe returns the line after the change, and the effect, provided that nothing else changes the
// line before: a refusal with its reason, or the part that is revoked; "" if the change is written as planned.
func (c LineChange) Describe() (after ledger.Amount, effect string) {
	b := c.Balance
	text := b.Asset.Text
	free := b.CreditLine.Min(b.Headroom)
	decrease := b.CreditLine.SubFloor(c.After)
	if c.After.IsZero() && b.CreditLine.Less(c.Amount) { // a revocation beyond the line
		decrease = c.Amount
	}
	switch {
	case c.Expected != nil && *c.Expected != b.CreditLine:
		return c.After, fmt.Sprintf("It will be refused: the line is %s, and not %s.", text(b.CreditLine), text(*c.Expected))
	case c.After == b.CreditLine:
		return c.After, "The command will change nothing."
	case b.Closed:
		return c.After, "It will be refused: the peer's account is closed."
	case b.Suspended:
		return c.After, "It will be refused: the peer is suspended."
	case accounts.Unlimited.Less(c.After):
		return c.After, "It will be refused: the largest line is " + text(accounts.Unlimited) + " (unlimited)."
	case !free.Less(decrease):
		return c.After, ""
	case c.Partial:
		return b.CreditLine.SubFloor(free), fmt.Sprintf("Only %s is free, and is revoked.", text(free))
	case free.IsZero():
		return c.After, "It will be refused: all of the line is in use."
	default:
		return c.After, fmt.Sprintf("It will be refused: at most %s can be revoked. With --what-is-free this part is revoked.", text(free))
	}
}

// DescribeClosing returns the reason why closing a peer is refused, or the amount that closing
// writes off; "" if neither.
func DescribeClosing(b accounts.Balance, force bool) string {
	owed := ""
	switch b.Position().Sign() {
	case 1:
		if owed = "we owe the peer " + b.Asset.Text(b.Payable); !b.Prepaid.IsZero() {
			owed += ", of which " + MarkUpperBound(b.Asset.Text(b.Prepaid), b.PrepaidAtMost) + " is prepaid (peerledger settle refund)"
		}
	case -1:
		owed = "the peer owes us " + b.Asset.Text(b.Receivable)
	}
	switch {
	case !b.HeldIn.IsZero() || !b.HeldOut.IsZero() || !b.Settling.IsZero():
		return "It will be refused while packets, reservations of connectors (peerledger holds) or an order hold an amount. After peerledger peers suspend, connectors release their reservations within a second or two."
	case !b.Announced.IsZero() && !force:
		return fmt.Sprintf("It will be refused while payments of %s are announced (peerledger settle announced). With --force, received payments wait in our suspense account.",
			b.Asset.Text(b.Announced))
	case owed == "":
		return ""
	case force:
		return "The amount is written off: " + owed + "."
	default:
		return "It will be refused: " + owed + ". With --force the amount is written off."
	}
}
