package settlement

import (
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// Policy decides when a peer is paid. It is a pure function of what stands between us
// and the peer, and is called concurrently.
//
// A Policy that also has a method Validate() error is asked by NewEngine whether it is
// possible at all, as those of this package are.
type Policy interface {
	// Due is what should be paid down now. It need not mind what can be paid:
	// the Engine caps it.
	Due(standing PolicyInput) PaymentRequest
}

// PolicyInput is what a Policy decides on.
type PolicyInput struct {
	// Balance is posted amounts alone: what packets in flight will bring is not owed
	// yet.
	accounts.Balance

	Now time.Time // by Config.Clock
	// OwedSince is since when something is owed without a break and without an order;
	// long ago if that is not known.
	OwedSince time.Time
	// ActiveAt is when the newest packet from or to the peer was booked; long ago if
	// that is not known.
	ActiveAt time.Time
	// Urgent says that there is a reason not to wait: the peer takes no packets any
	// more for what we owe it (T04), or an operator wants to settle.
	Urgent bool
}

// Owed is what packets earned the peer and is not paid: the payable less what the peer
// prepaid. In units.
func (in PolicyInput) Owed() ledger.Amount { return owedAmount(in.Balance) }

// owedAmount is the net of a balance, 0 if that is below 0.
func owedAmount(b accounts.Balance) ledger.Amount { return b.Payable.SubFloor(b.Prepaid) }

// PaymentRequest is what a Policy asks for. The zero Demand asks for nothing.
type PaymentRequest struct {
	Amount ledger.Amount // how much should be paid, in units
	// Minimum is the smallest payment worth making, in units: if less than it
	// can be paid, nothing is.
	Minimum ledger.Amount
	// Prefunding is how much the peer may owe us when the amount is paid, in units: what is paid
	// ahead of what packets earn. It counts only while the peer has prepaid nothing.
	Prefunding ledger.Amount

	refund bool // an operator wants the prepayment to be paid back
}

// payableFrom is how much may be ordered now: what the policy demands, as far as it may be paid
// and as far as the headroom covers it after the arrears; 0 if that is below the minimum.
func (r PaymentRequest) payableFrom(b accounts.Balance) ledger.Amount {
	amount := r.Amount.Min(r.sum(b)).Min(b.Headroom.SubFloor(b.Arrears))
	if amount.Less(r.Minimum) {
		return ledger.Amount{}
	}
	return amount
}

// sum is the most that may be paid: what packets earned, with a refund also what the peer
// prepaid, and ahead of that only to a peer that prepaid nothing.
func (r PaymentRequest) sum(b accounts.Balance) ledger.Amount {
	switch {
	case r.refund:
		return b.Payable
	case b.Prepaid.IsZero():
		sum, fits := owedAmount(b).Add(r.Prefunding.SubFloor(b.Receivable))
		if !fits {
			return ledger.AmountMax
		}
		return sum
	default:
		return owedAmount(b)
	}
}

// policyValidator is a Policy that can be impossible.
type policyValidator interface{ Validate() error }

// validatePolicy asks a policy whether it is possible.
func validatePolicy(p Policy) error {
	if v, ok := p.(policyValidator); ok {
		return v.Validate()
	}
	return nil
}
