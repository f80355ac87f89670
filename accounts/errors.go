package accounts

import (
	"errors"
	"fmt"
	"strings"

	"github.com/peerledger/peerledger/ledger"
)

var (
	// ErrInvalid is returned when an argument is invalid, as a *[FieldError]. Nothing was written.
	ErrInvalid = errors.New("accounts: invalid")
	// ErrUnknownAsset is returned when the Book does not have the asset.
	ErrUnknownAsset = errors.New("accounts: unknown asset")
	// ErrNotProvisioned is returned when the ledger has no accounts of the peer in the asset: call
	// [Book.Provision].
	ErrNotProvisioned = errors.New("accounts: not provisioned")
	// ErrDrift is returned when the ledger differs from the provisioning, as a *[DriftError].
	ErrDrift = errors.New("accounts: the ledger differs from the configuration")
	// ErrLineConflict is returned when a concurrent operator has changed the line, then as a
	// *[LineConflictError], or keeps changing the peer. Decide again on the current state.
	ErrLineConflict = errors.New("accounts: the credit line was changed meanwhile")
	// ErrLineInUse is returned when the free part of the line is less than the amount to revoke, as
	// a *[LineInUseError].
	ErrLineInUse = errors.New("accounts: the credit line is in use")
	// ErrSuspended is returned when the peer is suspended: new packets are refused, and its line
	// cannot be changed. See [Book.SuspendPeer] and [Book.ResumePeer].
	ErrSuspended = errors.New("accounts: peer is suspended")
	// ErrNotSuspended is returned when the peer is not suspended, or was resumed meanwhile.
	ErrNotSuspended = errors.New("accounts: peer is not suspended")
	// ErrPeerClosed is returned when the peer is closed. See [Book.ClosePeer] and [Book.ReopenPeer].
	ErrPeerClosed = errors.New("accounts: peer is closed")
	// ErrHeld is returned when packets, orders or payments of the peer are in flight, as a
	// *[HeldError].
	ErrHeld = errors.New("accounts: amounts of the peer are held")
	// ErrOwed is returned when the peer owes us or we owe the peer, as an *[OwedError].
	ErrOwed = errors.New("accounts: something is owed")
	// ErrKeyReused is returned when the key was used for a different booking.
	ErrKeyReused = errors.New("accounts: key was used for another booking")
	// ErrKeyBurnt is returned when the ledger will never take a booking under the key: an earlier
	// version had the booking refused 16 times. Nothing is booked: use a new key.
	ErrKeyBurnt = errors.New("accounts: key was refused too often")
	// ErrNoArrears is returned when the peer's account can pay all of its arrears: there is nothing
	// to write off.
	ErrNoArrears = errors.New("accounts: no arrears")
	// ErrNotCovered is returned when the account has less than the amount to take, as a
	// *[CoverError].
	ErrNotCovered = errors.New("accounts: not covered")
)

// FieldError is an invalid value of a field. It matches [ErrInvalid].
type FieldError struct {
	Subject string // the owner of the field, e.g. `peer "alice"`
	Field   string // the field's name in the API
	Reason  string
}

func (e *FieldError) Error() string { return fmt.Sprintf("%s: %s %s", e.Subject, e.Field, e.Reason) }

// Is reports whether target is [ErrInvalid].
func (e *FieldError) Is(target error) bool { return target == ErrInvalid }

// Drift is a field of a ledger account with an unexpected value.
type Drift struct {
	Account     PeerAccount // the peer's, or our own
	AccountKind string      // the kind of ledger account: "peer", "line", "settlement", "liquidity", ...
	Field       string      // "flags", "scale", "asset", "credit_line", ...
	Want        string      // amounts in whole units, or in units if the scale differs
	Got         string
}

// String returns the drift as in "alice on ledger 1: line account: credit_line is 5.00 USD, want
// 7.00 USD".
func (d Drift) String() string {
	return fmt.Sprintf("%v: %s account: %s is %s, want %s", d.Account, d.AccountKind, d.Field, d.Got, d.Want)
}

// DriftError lists every field in which the ledger differs from the provisioning. The ledger was
// not changed to hide a difference. It matches [ErrDrift].
type DriftError struct {
	Drifts []Drift
}

func (e *DriftError) Error() string {
	lines := make([]string, len(e.Drifts))
	for i, d := range e.Drifts {
		lines[i] = d.String()
	}
	return fmt.Sprintf("%v: %s", ErrDrift, strings.Join(lines, "; "))
}

// Is reports whether target is [ErrDrift].
func (e *DriftError) Is(target error) bool { return target == ErrDrift }

// LineConflictError is returned when a change of a credit line was decided on an outdated line. Nothing was changed. It matches [ErrLineConflict].
type LineConflictError struct {
	Account    PeerAccount
	Asset      Asset
	CreditLine ledger.Amount // the current line, in units
}

func (e *LineConflictError) Error() string {
	return fmt.Sprintf("%v: the line of %v is %s now", ErrLineConflict, e.Account, e.Asset.Text(e.CreditLine))
}

// Is reports whether target is [ErrLineConflict].
func (e *LineConflictError) Is(target error) bool { return target == ErrLineConflict }

// LineInUseError is returned when the free part of a line is less than the amount to revoke.
// CreditLine less Free is in use. It matches [ErrLineInUse].
type LineInUseError struct {
	Account    PeerAccount
	Asset      Asset
	CreditLine ledger.Amount // the current line, in units
	Free       ledger.Amount // the part of the line that can be revoked
	By         ledger.Amount // the amount to revoke; possibly more than CreditLine
	Wanted     ledger.Amount // the wanted line; 0 also for a wanted line below 0
}

func (e *LineInUseError) Error() string {
	text := e.Asset.Text
	if e.CreditLine.Less(e.By) {
		return fmt.Sprintf("accounts: the credit line of %v is %s, so %s cannot be revoked: at most %s can be revoked",
			e.Account, text(e.CreditLine), text(e.By), text(e.Free))
	}
	return fmt.Sprintf("%v: the line of %v is %s, so it cannot be lowered by %s to %s: at most %s can be revoked",
		ErrLineInUse, e.Account, text(e.CreditLine), text(e.By), text(e.Wanted), text(e.Free))
}

// Is reports whether target is [ErrLineInUse].
func (e *LineInUseError) Is(target error) bool { return target == ErrLineInUse }

// HeldError is returned when a peer cannot be closed because amounts are in flight: with the
// account closed, their fulfills could not be booked. It matches [ErrHeld].
//
// If only Announced is in flight, nothing would be lost: wait until the payments are received or
// have failed, or close with [WithForce].
type HeldError struct {
	Account                   PeerAccount
	Asset                     Asset
	HeldIn, HeldOut, Settling ledger.Amount // as in [Balance], in units
	Announced                 ledger.Amount // as in [Balance], in units
}

func (e *HeldError) Error() string {
	text := fmt.Sprintf("%v: of %v, %s by packets from the peer or reserved for them, %s by packets to the peer, %s by settlement orders",
		ErrHeld, e.Account, e.Asset.Text(e.HeldIn), e.Asset.Text(e.HeldOut), e.Asset.Text(e.Settling))
	if !e.Announced.IsZero() {
		text += fmt.Sprintf("; payments of %s are announced", e.Asset.Text(e.Announced))
	}
	return text
}

// Is reports whether target is [ErrHeld].
func (e *HeldError) Is(target error) bool { return target == ErrHeld }

// OwedError is returned when a peer cannot be closed because of a debt. It matches [ErrOwed].
type OwedError struct {
	Account             PeerAccount
	Asset               Asset
	Payable, Receivable ledger.Amount // as in [Balance], in units
	Arrears             ledger.Amount // as in [Balance]: the part of Receivable that the peer's account could not pay
}

func (e *OwedError) Error() string {
	switch {
	case e.Receivable.IsZero():
		return fmt.Sprintf("%v: we owe %s to %v", ErrOwed, e.Asset.Text(e.Payable), e.Account)
	case e.Arrears.IsZero():
		return fmt.Sprintf("%v: %v owes us %s", ErrOwed, e.Account, e.Asset.Text(e.Receivable))
	default:
		return fmt.Sprintf("%v: %v owes us %s, of which %s is arrears", ErrOwed, e.Account, e.Asset.Text(e.Receivable), e.Asset.Text(e.Arrears))
	}
}

// Is reports whether target is [ErrOwed].
func (e *OwedError) Is(target error) bool { return target == ErrOwed }

// CoverError is returned when an account has less than the amount to take. It matches
// [ErrNotCovered].
type CoverError struct {
	Account PeerAccount
	Asset   Asset
	Has     ledger.Amount // the available amount, in units
	Wanted  ledger.Amount
}

func (e *CoverError) Error() string {
	return fmt.Sprintf("%v: %v has %v, not %v", ErrNotCovered, e.Account, e.Asset.Text(e.Has), e.Asset.Text(e.Wanted))
}

// Is reports whether target is [ErrNotCovered].
func (e *CoverError) Is(target error) bool { return target == ErrNotCovered }

func wrapAccount(account PeerAccount, err error) error { return fmt.Errorf("%w: %v", err, account) }
