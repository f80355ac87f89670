package settlement

import (
	"fmt"
	"math/big"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// Prefund is a Threshold whose levels may be below 0: it pays ahead, until the peer owes us
// that much, so that packets to the peer go on while a settlement takes its time. It pays when
// the net of the peer (Balance.Net) reaches At, and pays it down to SettleTo.
//
// The peer's credit line must be as large as what is paid ahead, or nothing can be ordered.
// While the peer has a prepayment nothing is paid ahead. After an order that paid ahead the
// next such one waits for Config.OrderCooldown and a random time of the same length: two
// connectors that prefund one another at the same moment would else pay each other for ever.
type Prefund struct {
	PrefundThreshold *big.Int // units; more than SettleTo
	SettleTo         *big.Int // units; below 0 the peer owes us that much when it is paid
}

// Validate reports what is impossible, as a *accounts.FieldError (accounts.ErrInvalid) that
// names the field.
func (p Prefund) Validate() error {
	fault := func(field, reason string) error {
		return &accounts.FieldError{Subject: "prefund", Field: field, Reason: reason}
	}
	switch {
	case p.PrefundThreshold == nil:
		return fault("At", "is missing")
	case p.SettleTo == nil:
		return fault("SettleTo", "is missing")
	case p.PrefundThreshold.Cmp(p.SettleTo) <= 0:
		return fault("SettleTo", fmt.Sprintf("%v must be below At, %v", p.SettleTo, p.PrefundThreshold))
	case new(big.Int).Neg(p.SettleTo).Cmp(accounts.Unlimited.Big()) > 0:
		return fault("SettleTo", "is beyond the largest credit line")
	default:
		return nil
	}
}

// Due implements Policy.
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

// checkMinimum refuses a minimum that At would not hold.
func (p Prefund) checkMinimum(minimum ledger.Amount) error {
	if span := new(big.Int).Sub(p.PrefundThreshold, p.SettleTo); span.Cmp(minimum.Big()) >= 0 {
		return nil
	}
	return &accounts.FieldError{
		Subject: "policy", Field: "AtLeast.Amount",
		Reason: fmt.Sprintf("%v must be at most At less SettleTo, or At would not be held", minimum),
	}
}
