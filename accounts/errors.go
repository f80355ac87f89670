package accounts

import (
	"errors"
	"fmt"
	"strings"

	"github.com/peerledger/peerledger/ledger"
)

var (
	// ErrInvalid is matched by a FieldError: the caller gave something that
	// cannot be, and nothing was written.
	ErrInvalid = errors.New("accounts: invalid")
	// ErrUnknownAsset says that the Book was not made with this asset.
	ErrUnknownAsset = errors.New("accounts: unknown asset")
	// ErrNotProvisioned says that the ledger holds no accounts for the peer in
	// this asset: call Book.Provision.
	ErrNotProvisioned = errors.New("accounts: not provisioned")
	// ErrDrift is matched by a DriftError.
	ErrDrift = errors.New("accounts: the ledger differs from what was asked for")
	// ErrLineConflict is matched by a LineConflictError: somebody else has changed the
	// line. Decide again on the line as it is now.
	ErrLineConflict = errors.New("accounts: the credit line was changed meanwhile")
	// ErrLineInUse is matched by a LineInUseError: less of the line is free than was to
	// be taken back.
	ErrLineInUse = errors.New("accounts: the credit line is in use")
	// ErrSuspended says that the peer is suspended: it takes no new packets, and its
	// line is not changed. See Book.Suspend and Book.Resume.
	ErrSuspended = errors.New("accounts: peer is suspended")
	// ErrPeerClosed says that the peer is closed. See Book.ClosePeer and Book.ReopenPeer.
	ErrPeerClosed = errors.New("accounts: peer is closed")
	// ErrHeld is matched by a HeldError: packets, orders or payments of the peer are in flight.
	ErrHeld = errors.New("accounts: amounts of the peer are held")
	// ErrOwed is matched by an OwedError: something is owed between the peer and us.
	ErrOwed = errors.New("accounts: something is owed")
	// ErrKeyReused says that another booking was made under the key before.
	ErrKeyReused = errors.New("accounts: key was used for another booking")
	// ErrKeySpent says that the ledger will never take a booking under the key: an earlier
	// version had it refused 16 times. Nothing is booked: use another key.
	ErrKeySpent = errors.New("accounts: key was refused too often")
	// ErrNoArrears says that the peer has no arrears that its account cannot pay by itself:
	// there is nothing to write off.
	ErrNoArrears = errors.New("accounts: no arrears")
	// ErrNotCovered is matched by a CoverError: the account has less than was to be
	// taken from it.
	ErrNotCovered = errors.New("accounts: not covered")
)

// FieldError is a value that cannot be used. It matches ErrInvalid.
type FieldError struct {
	Subject string // what the field belongs to, e.g. `peer "alice"`
	Field   string // the field's name in the API
	Reason  string
}

func (e *FieldError) Error() string { return fmt.Sprintf("%s: %s %s", e.Subject, e.Field, e.Reason) }

// Is reports whether target is ErrInvalid.
func (e *FieldError) Is(target error) bool { return target == ErrInvalid }

// Drift is one field of an account that the ledger holds with another value than
// was asked for.
type Drift struct {
	Account PeerAccount // of the peer, or our own
	Kind    string      // which ledger account: "peer", "line", "settlement", "liquidity", ...
	Field   string      // "flags", "scale", "asset", "credit_line", ...
	Want    string      // amounts in whole units, or in units if the scale differs
	Got     string
}

// String is the drift as in "alice on ledger 1: line account: credit_line is 5.00 USD,
// want 7.00 USD".
func (d Drift) String() string {
	return fmt.Sprintf("%v: %s account: %s is %s, want %s", d.Account, d.Kind, d.Field, d.Got, d.Want)
}

// DriftError lists every field in which the ledger differs from what was to be
// provisioned. Nothing was changed to hide it. It matches ErrDrift.
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

// Is reports whether target is ErrDrift.
func (e *DriftError) Is(target error) bool { return target == ErrDrift }

// LineConflictError is a change of a credit line that was not made, since the line is
// not what the change rests on. It matches ErrLineConflict.
type LineConflictError struct {
	Account PeerAccount
	Asset   Asset
	Line    ledger.Amount // as it is now, in units
}

func (e *LineConflictError) Error() string {
	return fmt.Sprintf("%v: that of %v is %s now", ErrLineConflict, e.Account, e.Asset.Text(e.Line))
}

// Is reports whether target is ErrLineConflict.
func (e *LineConflictError) Is(target error) bool { return target == ErrLineConflict }

// LineInUseError is a credit line that was not lowered, since less of it is free than was to
// be taken back: Line less Free is in use. It matches ErrLineInUse.
type LineInUseError struct {
	Account PeerAccount
	Asset   Asset
	Line    ledger.Amount // as it is now, in units
	Free    ledger.Amount // of it: what can be taken back
	By      ledger.Amount // what was to be taken back; it may be more than Line
	Wanted  ledger.Amount // the line that was asked for; 0 also if less than 0 was
}

func (e *LineInUseError) Error() string {
	text := e.Asset.Text
	if e.Line.Less(e.By) {
		return fmt.Sprintf("accounts: the credit line of %v is %s, so %s cannot be taken back: at most %s can be revoked",
			e.Account, text(e.Line), text(e.By), text(e.Free))
	}
	return fmt.Sprintf("%v: that of %v is %s, so it cannot be lowered by %s to %s: at most %s can be revoked",
		ErrLineInUse, e.Account, text(e.Line), text(e.By), text(e.Wanted), text(e.Free))
}

// Is reports whether target is ErrLineInUse.
func (e *LineInUseError) Is(target error) bool { return target == ErrLineInUse }

// HeldError is a peer that is not closed, since amounts are in flight: closing its
// account would lose what was promised of them. It matches ErrHeld.
//
// If nothing but Announced is in flight, nothing would be lost: wait until the payments are
// received or have failed, or close with Closing.Force.
type HeldError struct {
	Account                   PeerAccount
	Asset                     Asset
	HeldIn, HeldOut, Settling ledger.Amount // as in Balance, in units
	Announced                 ledger.Amount // as in Balance, in units
}

func (e *HeldError) Error() string {
	text := fmt.Sprintf("%v: of %v, %s by packets from it, %s by packets to it, %s by settlement orders",
		ErrHeld, e.Account, e.Asset.Text(e.HeldIn), e.Asset.Text(e.HeldOut), e.Asset.Text(e.Settling))
	if !e.Announced.IsZero() {
		text += fmt.Sprintf("; payments of %s are announced", e.Asset.Text(e.Announced))
	}
	return text
}

// Is reports whether target is ErrHeld.
func (e *HeldError) Is(target error) bool { return target == ErrHeld }

// OwedError is a peer that is not closed, since something is owed. It matches ErrOwed.
type OwedError struct {
	Account             PeerAccount
	Asset               Asset
	Payable, Receivable ledger.Amount // as in Balance, in units
	Arrears             ledger.Amount // as in Balance: the part of Receivable that could not be charged
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

// Is reports whether target is ErrOwed.
func (e *OwedError) Is(target error) bool { return target == ErrOwed }

// CoverError is an amount that was not taken from an account, since the account has
// less. It matches ErrNotCovered.
type CoverError struct {
	Account PeerAccount
	Asset   Asset
	Has     ledger.Amount // what could be taken, in units
	Wanted  ledger.Amount
}

func (e *CoverError) Error() string {
	return fmt.Sprintf("%v: %v has %v, not %v", ErrNotCovered, e.Account, e.Asset.Text(e.Has), e.Asset.Text(e.Wanted))
}

// Is reports whether target is ErrNotCovered.
func (e *CoverError) Is(target error) bool { return target == ErrNotCovered }

func wrapAccount(account PeerAccount, err error) error { return fmt.Errorf("%w: %v", err, account) }
