package accounts

import (
	"errors"
	"fmt"
	"strings"
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
	Account Account // of the peer, or our own
	Kind    string  // which ledger account: "peer", "line", "settlement", "liquidity", ...
	Field   string  // "flags", "scale", "asset", "credit_line", ...
	Want    string
	Got     string
}

// String is the drift as in "alice on ledger 1: line account: credit_line is 5,
// want 7".
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
