package settlement

import (
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// Policy decides when a peer is paid. It is a pure function of the position between us and the peer, and is called
// concurrently.
//
// [NewEngine] calls the method Validate() error of a Policy that has one, as the policies of this package do.
type Policy interface {
	// Due returns the amount to pay now. The Engine caps the amount to the balance.
	Due(input PolicyInput) PaymentRequest
}

// PolicyInput is the input of a [Policy].
type PolicyInput struct {
	// Balance has posted amounts only: packets in flight are not owed yet.
	accounts.Balance

	Now time.Time // by Config.Clock
	// OwedSince is since when something has been owed without a break and without an order; long ago if the
	// Engine does not know.
	OwedSince time.Time
	// ActiveAt is the time of the newest packet from or to the peer; long ago if the Engine does not know.
	ActiveAt time.Time
	// Urgent is true if there is a reason not to wait: the peer refuses packets because of the amount we owe
	// (T04), or an operator settles.
	Urgent bool
}

// Owed is the unpaid part of the peer's earnings from packets, in units: the payable less the prepayment.
func (in PolicyInput) Owed() ledger.Amount { return owedAmount(in.Balance) }

// owedAmount is the payable less the prepayment; 0 if the prepayment is larger.
func owedAmount(b accounts.Balance) ledger.Amount { return b.Payable.SubFloor(b.Prepaid) }

// PaymentRequest is the answer of a [Policy]. The zero PaymentRequest asks for nothing.
type PaymentRequest struct {
	Amount ledger.Amount // to pay, in units
	// Minimum is the smallest payment worth making, in units: nothing is paid if less than Minimum can be.
	Minimum ledger.Amount
	// Prefunding is how much the peer may owe us after the payment, in units: the amount paid ahead of
	// the earnings. It counts only while the peer has no prepayment.
	Prefunding ledger.Amount

	refund bool // an operator asked for the prepayment to be paid back
}

// payableFrom is the amount that may be ordered now: the requested amount, capped to maxPayable and to the headroom
// less the arrears; 0 if the result is below the minimum.
func (r PaymentRequest) payableFrom(b accounts.Balance) ledger.Amount {
	amount := r.Amount.Min(r.maxPayable(b)).Min(b.Headroom.SubFloor(b.Arrears))
	if amount.Less(r.Minimum) {
		return ledger.Amount{}
	}
	return amount
}

// maxPayable is the unpaid part of the earnings; with a refund also the prepayment; and with Prefunding an amount
// ahead, but only for a peer without a prepayment.
func (r PaymentRequest) maxPayable(b accounts.Balance) ledger.Amount {
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

// policyValidator is a [Policy] that can be impossible.
type policyValidator interface{ Validate() error }

// validatePolicy validates a policy that is a policyValidator.
func validatePolicy(p Policy) error {
	if v, ok := p.(policyValidator); ok {
		return v.Validate()
	}
	return nil
}
