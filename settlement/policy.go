package settlement

import (
	"fmt"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// Policy decides when a peer is paid. It is a pure function of a balance, and is
// called concurrently.
type Policy interface {
	// Due is what should be paid down now. It need not mind what can be paid:
	// the Engine caps it.
	Due(balance accounts.Balance) Demand
}

// Demand is what a Policy asks for. The zero Demand asks for nothing.
type Demand struct {
	Amount ledger.Amount // how much should be paid, in units
	// Minimum is the smallest payment worth making, in units: if less than it
	// can be paid, nothing is.
	Minimum ledger.Amount
}

// Threshold pays when what is owed reaches At, and pays it down to SettleTo. The
// distance between the two keeps it from paying for every packet.
//
// What is owed is the payable less what the peer prepaid. The names and the rule
// "at or above" are those of Interledger's connectors
// (https://github.com/interledger/interledger-rs/issues/189).
type Threshold struct {
	At       ledger.Amount // units; more than SettleTo
	SettleTo ledger.Amount // units
	Minimum  ledger.Amount // units; at most At less SettleTo
}

// Validate reports what is impossible about the threshold, as a
// *accounts.FieldError (accounts.ErrInvalid) that names the field.
func (t Threshold) Validate() error {
	span, _ := t.At.Sub(t.SettleTo)
	switch {
	case !t.SettleTo.Less(t.At):
		return &accounts.FieldError{
			Subject: "threshold", Field: "SettleTo", Reason: fmt.Sprintf("%v must be below At, %v", t.SettleTo, t.At),
		}
	case span.Less(t.Minimum):
		return &accounts.FieldError{
			Subject: "threshold", Field: "Minimum",
			Reason: fmt.Sprintf("%v must be at most At less SettleTo, %v, or At would not be held", t.Minimum, span),
		}
	default:
		return nil
	}
}

// Due implements Policy.
func (t Threshold) Due(b accounts.Balance) Demand {
	owed := b.Payable.SubFloor(b.Prepaid)
	if owed.Less(t.At) {
		return Demand{}
	}
	return Demand{Amount: owed.SubFloor(t.SettleTo), Minimum: t.Minimum}
}

// payable is how much may be ordered now: what the policy demands, as far as the
// peer account covers it and packets earned it; 0 if that is below the minimum.
func (d Demand) payable(b accounts.Balance) ledger.Amount {
	amount := d.Amount.Min(b.Headroom).Min(b.Unpaid())
	if amount.Less(d.Minimum) {
		return ledger.Amount{}
	}
	return amount
}
