package settlement

import (
	"errors"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// Threshold pays when what is owed reaches At, and pays it down to SettleTo. The
// distance between the two keeps it from paying for every packet. When the Standing is
// pressed it pays whatever is above SettleTo.
//
// What is owed is the payable less what the peer prepaid. The names and the rule
// "at or above" are those of Interledger's connectors
// (https://github.com/interledger/interledger-rs/issues/189).
type Threshold struct {
	SettleThreshold ledger.Amount // units; more than SettleTo
	SettleTo        ledger.Amount // units
}

// Validate reports what is impossible about the threshold, as a
// *accounts.FieldError (accounts.ErrInvalid) that names the field.
func (t Threshold) Validate() error {
	if t.SettleTo.Less(t.SettleThreshold) {
		return nil
	}
	return &accounts.FieldError{
		Subject: "threshold", Field: "SettleTo", Reason: fmt.Sprintf("%v must be below At, %v", t.SettleTo, t.SettleThreshold),
	}
}

// Due implements Policy.
func (t Threshold) Due(in PolicyInput) PaymentRequest {
	if in.Owed().Less(t.SettleThreshold) && !in.Urgent {
		return PaymentRequest{}
	}
	return PaymentRequest{Amount: in.Owed().SubFloor(t.SettleTo)}
}

// checkMinimum refuses a minimum that At would not hold.
func (t Threshold) checkMinimum(minimum ledger.Amount) error {
	span := t.SettleThreshold.SubFloor(t.SettleTo)
	if !span.Less(minimum) {
		return nil
	}
	return &accounts.FieldError{
		Subject: "policy", Field: "AtLeast.Amount",
		Reason: fmt.Sprintf("%v must be at most the threshold's At less SettleTo, %v, or At would not be held", minimum, span),
	}
}

// Every pays what is owed when something was owed for After, so at least that often
// while anything is owed; a payment begins a new time. The time is looked at by every
// Config.SweepInterval, so it is as exact as that.
type Every struct {
	After    time.Duration // more than 0
	SettleTo ledger.Amount // units that stay owed
}

// Validate reports what is impossible, as a *accounts.FieldError (accounts.ErrInvalid)
// that names the field.
func (p Every) Validate() error { return checkAfter("every", p.After) }

// Due implements Policy.
func (p Every) Due(in PolicyInput) PaymentRequest {
	return requestAfter(in, in.OwedSince, p.After, p.SettleTo)
}

// Idle pays what is owed when no packet went from or to the peer for After: the last
// payment for a while, when there may be no further packet that makes a threshold. The
// time is looked at by every Config.SweepInterval, so it is as exact as that.
type Idle struct {
	After    time.Duration // more than 0
	SettleTo ledger.Amount // units that stay owed
}

// Validate reports what is impossible, as a *accounts.FieldError (accounts.ErrInvalid)
// that names the field.
func (p Idle) Validate() error { return checkAfter("idle", p.After) }

// Due implements Policy.
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

// FirstOf asks for what the first of its members asks for that can be paid: a
// threshold, for example, and else whatever was owed for a day.
type FirstOf []Policy

// Validate reports what is impossible about the members, all at once.
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

// Due implements Policy.
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

// AtLeast asks for what another Policy asks for if it is this amount or more, so that no
// payment costs more than it is worth.
type AtLeast struct {
	Amount ledger.Amount // units; more than 0
	Of     Policy
}

// Validate reports what is impossible, as errors that match accounts.ErrInvalid and name
// the field. An amount that a Threshold in it would not come to when it is reached is
// impossible: the threshold would not be held.
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

// Due implements Policy.
func (p AtLeast) Due(in PolicyInput) PaymentRequest {
	request := p.Of.Due(in)
	if request.Minimum.Less(p.Amount) {
		request.Minimum = p.Amount
	}
	return request
}

func (p AtLeast) checkMinimum(minimum ledger.Amount) error { return checkPolicyMinimum(p.Of, minimum) }

// checkPolicyMinimum reports whether a policy makes sense when nothing below a minimum is paid.
func checkPolicyMinimum(p Policy, minimum ledger.Amount) error {
	if m, ok := p.(interface{ checkMinimum(ledger.Amount) error }); ok {
		return m.checkMinimum(minimum)
	}
	return nil
}
