package settlement

import (
	"errors"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// Threshold pays when the amount owed reaches SettleThreshold, and pays it down to SettleTo. The distance
// between the two levels prevents a payment for every packet. With [PolicyInput.Urgent] everything above SettleTo
// is paid.
//
// The amount owed is the payable less the peer's prepayment. The rule "at or above" is the rule of Interledger's
// connectors (https://github.com/interledger/interledger-rs/issues/189).
type Threshold struct {
	SettleThreshold ledger.Amount // units; more than SettleTo
	SettleTo        ledger.Amount // units
}

// Validate reports an impossible threshold as an *[accounts.FieldError] ([accounts.ErrInvalid]) with the field.
func (t Threshold) Validate() error {
	if t.SettleTo.Less(t.SettleThreshold) {
		return nil
	}
	return &accounts.FieldError{
		Subject: "threshold", Field: "SettleTo", Reason: fmt.Sprintf("%v must be below SettleThreshold, %v", t.SettleTo, t.SettleThreshold),
	}
}

// Due implements [Policy].
func (t Threshold) Due(in PolicyInput) PaymentRequest {
	if in.Owed().Less(t.SettleThreshold) && !in.Urgent {
		return PaymentRequest{}
	}
	return PaymentRequest{Amount: in.Owed().SubFloor(t.SettleTo)}
}

// checkMinimum refuses a minimum that would let the threshold be reached without a payment.
func (t Threshold) checkMinimum(minimum ledger.Amount) error {
	span := t.SettleThreshold.SubFloor(t.SettleTo)
	if !span.Less(minimum) {
		return nil
	}
	return &accounts.FieldError{
		Subject: "policy", Field: "AtLeast.Amount",
		Reason: fmt.Sprintf("%v must be at most SettleThreshold less SettleTo, %v, or the threshold would be reached without a payment", minimum, span),
	}
}

// Every pays the amount owed after something was owed for After. A payment starts the time again. The Engine
// looks at the time every [Config.SweepInterval], so a payment can be late by as much.
type Every struct {
	After    time.Duration // more than 0
	SettleTo ledger.Amount // units that stay owed
}

// Validate reports an impossible policy as an *[accounts.FieldError] ([accounts.ErrInvalid]) with the field.
func (p Every) Validate() error { return checkAfter("every", p.After) }

// Due implements [Policy].
func (p Every) Due(in PolicyInput) PaymentRequest {
	return requestAfter(in, in.OwedSince, p.After, p.SettleTo)
}

// Idle pays the amount owed when no packet went from or to the peer for After. It pays the rest after the traffic
// has stopped, which would never reach a threshold. The Engine looks at the time every [Config.SweepInterval], so
// a payment can be late by as much.
type Idle struct {
	After    time.Duration // more than 0
	SettleTo ledger.Amount // units that stay owed
}

// Validate reports an impossible policy as an *[accounts.FieldError] ([accounts.ErrInvalid]) with the field.
func (p Idle) Validate() error { return checkAfter("idle", p.After) }

// Due implements [Policy].
func (p Idle) Due(in PolicyInput) PaymentRequest {
	return requestAfter(in, in.ActiveAt, p.After, p.SettleTo)
}

func checkAfter(subject string, after time.Duration) error {
	if after > 0 {
		return nil
	}
	return &accounts.FieldError{Subject: subject, Field: "After", Reason: "must be above 0"}
}

func requestAfter(in PolicyInput, since time.Time, after time.Duration, settleTo ledger.Amount) PaymentRequest {
	if in.Now.Sub(since) < after && !in.Urgent {
		return PaymentRequest{}
	}
	return PaymentRequest{Amount: in.Owed().SubFloor(settleTo)}
}

// FirstOf asks for the first request of its members that can be paid: for example a [Threshold], and after it an
// [Every] of a day.
type FirstOf []Policy

// Validate reports all impossible members at once.
func (p FirstOf) Validate() error {
	if len(p) == 0 {
		return &accounts.FieldError{Subject: "policy", Field: "FirstOf", Reason: "must have members"}
	}
	var errs []error
	for i, member := range p {
		if member == nil {
			errs = append(errs, &accounts.FieldError{Subject: "policy", Field: fmt.Sprintf("FirstOf[%d]", i), Reason: "must not be nil"})
			continue
		}
		if err := validatePolicy(member); err != nil {
			errs = append(errs, fmt.Errorf("FirstOf[%d]: %w", i, err))
		}
	}
	return errors.Join(errs...)
}

// Due implements [Policy].
func (p FirstOf) Due(in PolicyInput) PaymentRequest {
	for _, member := range p {
		if request := member.Due(in); !request.payableFrom(in.Balance).IsZero() {
			return request
		}
	}
	return PaymentRequest{}
}

func (p FirstOf) checkMinimum(minimum ledger.Amount) error {
	var errs []error
	for _, member := range p {
		errs = append(errs, checkPolicyMinimum(member, minimum))
	}
	return errors.Join(errs...)
}

// AtLeast passes on the request of another [Policy], with Amount as its least payment, so that no payment costs
// more than it is worth.
type AtLeast struct {
	Amount ledger.Amount // units; more than 0
	Of     Policy
}

// Validate reports impossible policies as errors that match [accounts.ErrInvalid] and name the field. Amount must
// not exceed SettleThreshold less SettleTo of a [Threshold] in Of: the threshold could be reached without a payment.
func (p AtLeast) Validate() error {
	switch {
	case p.Of == nil:
		return &accounts.FieldError{Subject: "policy", Field: "AtLeast.Of", Reason: "must not be nil"}
	case p.Amount.IsZero():
		return &accounts.FieldError{Subject: "policy", Field: "AtLeast.Amount", Reason: "must not be 0"}
	default:
		return errors.Join(validatePolicy(p.Of), checkPolicyMinimum(p.Of, p.Amount))
	}
}

// Due implements [Policy].
func (p AtLeast) Due(in PolicyInput) PaymentRequest {
	request := p.Of.Due(in)
	if request.Minimum.Less(p.Amount) {
		request.Minimum = p.Amount
	}
	return request
}

func (p AtLeast) checkMinimum(minimum ledger.Amount) error { return checkPolicyMinimum(p.Of, minimum) }

// checkPolicyMinimum refuses a minimum that a policy does not allow.
func checkPolicyMinimum(p Policy, minimum ledger.Amount) error {
	if m, ok := p.(interface{ checkMinimum(ledger.Amount) error }); ok {
		return m.checkMinimum(minimum)
	}
	return nil
}
