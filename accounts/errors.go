package accounts

import (
	"errors"
	"fmt"
	"strings"

	"github.com/peerledger/peerledger/ledger"
)

var (
	// ErrInvalid is matched by a [FieldError]: an argument is invalid, and nothing was written.
	ErrInvalid = errors.New("accounts: invalid")
	// ErrUnknownAsset is returned for an asset that the Book does not have.
	ErrUnknownAsset = errors.New("accounts: unknown asset")
	// ErrNotProvisioned is returned if the ledger has no accounts of the peer in the asset: call
	// [Book.Provision].
	ErrNotProvisioned = errors.New("accounts: not provisioned")
	// ErrDrift is matched by a [DriftError].
	ErrDrift = errors.New("accounts: the ledger differs from the configuration")
	// ErrLineConflict is matched by a [LineConflictError]: the line was changed concurrently.
	// Decide again on the current line.
	ErrLineConflict = errors.New("accounts: the credit line was changed meanwhile")
	// ErrLineInUse is matched by a [LineInUseError]: the free part of the line is less than the
	// amount to revoke.
	ErrLineInUse = errors.New("accounts: the credit line is in use")
	// ErrSuspended is returned for a suspended peer: new packets are refused, and its line cannot
	// be changed. See [Book.SuspendPeer] and [Book.ResumePeer].
	ErrSuspended = errors.New("accounts: peer is suspended")
	// ErrPeerClosed is returned for a closed peer. See [Book.ClosePeer] and [Book.ReopenPeer].
	ErrPeerClosed = errors.New("accounts: peer is closed")
	// ErrHeld is matched by a [HeldError]: packets, orders or payments of the peer are in flight.
	ErrHeld = errors.New("accounts: amounts of the peer are held")
	// ErrOwed is matched by an [OwedError]: the peer owes us, or we owe the peer.
	ErrOwed = errors.New("accounts: something is owed")
	// ErrKeyReused is returned if the key was used for a different booking.
	ErrKeyReused = errors.New("accounts: key was used for another booking")
	// ErrKeyBurnt is returned if the ledger will never take a booking under the key: an earlier
	// version had the booking refused 16 times. Nothing is booked: use a new key.
	ErrKeyBurnt = errors.New("accounts: key was refused too often")
	// ErrNoArrears is returned if the peer's account can pay all of its arrears: there is nothing
	// to write off.
	ErrNoArrears = errors.New("accounts: no arrears")
	// ErrNotCovered is matched by a [CoverError]: the account has less than the amount to take.
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

// LineConflictError is returned for a change of a credit line that was decided on an outdated
// line. Nothing was changed. It matches [ErrLineConflict].
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

// LineInUseError is returned if the free part of a line is less than the amount to revoke. Line
// less Free is in use. It matches [ErrLineInUse].
type LineInUseError struct {
	Account    PeerAccount
	Asset      Asset
	CreditLine ledger.Amount // the current line, in units
	Free       ledger.Amount // the part of the line that can be revoked
	By         ledger.Amount // the amount to revoke; possibly more than Line
	Wanted     ledger.Amount // the wanted line; 0 also for a wanted line below 0
}

func (e *LineInUseError) Error() string {
	text := e.Asset.Text
	if e.CreditLine.Less(e.By) {
		return fmt.Sprintf("accounts: the credit line of %v is %s, so %s cannot be taken back: at most %s can be revoked",
			e.Account, text(e.CreditLine), text(e.By), text(e.Free))
	}
	return fmt.Sprintf("%v: the line of %v is %s, so it cannot be lowered by %s to %s: at most %s can be revoked",
		ErrLineInUse, e.Account, text(e.CreditLine), text(e.By), text(e.Wanted), text(e.Free))
}

// Is reports whether target is [ErrLineInUse].
func (e *LineInUseError) Is(target error) bool { return target == ErrLineInUse }

// HeldError is returned if a peer cannot be closed because amounts are in flight: with the
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
	text := fmt.Sprintf("%v: of %v, %s by packets from the peer, %s by packets to the peer, %s by settlement orders",
		ErrHeld, e.Account, e.Asset.Text(e.HeldIn), e.Asset.Text(e.HeldOut), e.Asset.Text(e.Settling))
	if !e.Announced.IsZero() {
		text += fmt.Sprintf("; payments of %s are announced", e.Asset.Text(e.Announced))
	}
	return text
}

// Is reports whether target is [ErrHeld].
func (e *HeldError) Is(target error) bool { return target == ErrHeld }

// OwedError is returned if a peer cannot be closed because of a debt. It matches [ErrOwed].
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

// CoverError is returned if an account has less than the amount to take. It matches
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
