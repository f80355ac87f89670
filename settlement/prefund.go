package settlement

import (
	"fmt"
	"math/big"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// Prefund is a [Threshold] with levels that may be below 0. It pays ahead until the peer owes us, so that packets
// to the peer go on during a slow settlement. It pays when the net position of the peer ([accounts.Balance.Net])
// reaches PrefundThreshold, and pays it down to SettleTo.
//
// The peer's credit line must be as large as the amount paid ahead, or nothing can be ordered. A peer with a
// prepayment is not paid ahead. After an order that paid ahead, the next one waits for [Config.OrderCooldown] and
// a random time of the same length: otherwise two connectors that prefund each other at the same moment would pay
// each other for ever.
type Prefund struct {
	PrefundThreshold *big.Int // units; more than SettleTo
	SettleTo         *big.Int // units; below 0: the peer owes us as much after the payment
}

// Validate reports an impossible policy as an *[accounts.FieldError] ([accounts.ErrInvalid]) with the field.
func (p Prefund) Validate() error {
	fault := func(field, reason string) error {
		return &accounts.FieldError{Subject: "prefund", Field: field, Reason: reason}
	}
	switch {
	case p.PrefundThreshold == nil:
		return fault("PrefundThreshold", "is missing")
	case p.SettleTo == nil:
		return fault("SettleTo", "is missing")
	case p.PrefundThreshold.Cmp(p.SettleTo) <= 0:
		return fault("SettleTo", fmt.Sprintf("%v must be below PrefundThreshold, %v", p.SettleTo, p.PrefundThreshold))
	case new(big.Int).Neg(p.SettleTo).Cmp(accounts.Unlimited.Big()) > 0:
		return fault("SettleTo", "is beyond the largest credit line")
	default:
		return nil
	}
}

// Due implements [Policy].
func (p Prefund) Due(in PolicyInput) PaymentRequest {
	target := p.SettleTo
	if target.Sign() < 0 && !in.Prepaid.IsZero() {
		target = new(big.Int)
	}
	amount := new(big.Int).Sub(in.Net(), target)
	if span := new(big.Int).Sub(p.PrefundThreshold, p.SettleTo); amount.Cmp(span) < 0 && !in.Urgent {
		return PaymentRequest{}
	}
	return PaymentRequest{Amount: ledger.ClampAmount(amount), Prefunding: ledger.ClampAmount(new(big.Int).Neg(p.SettleTo))}
}

// checkMinimum refuses a minimum that would let the threshold be reached without a payment.
func (p Prefund) checkMinimum(minimum ledger.Amount) error {
	if span := new(big.Int).Sub(p.PrefundThreshold, p.SettleTo); span.Cmp(minimum.Big()) >= 0 {
		return nil
	}
	return &accounts.FieldError{
		Subject: "policy", Field: "AtLeast.Amount",
		Reason: fmt.Sprintf("%v must be at most PrefundThreshold less SettleTo, or the threshold would be reached without a payment", minimum),
	}
}
