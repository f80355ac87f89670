package ledger

import (
	"errors"
	"fmt"
)

// Errors of whole requests. See Ledger.
var (
	// ErrOutcomeUnknown says that a request was handed over and nobody knows
	// whether it was applied: the context ended, or the session was lost. The
	// remedy is to send the same events, under the same ids, again.
	ErrOutcomeUnknown = errors.New("ledger: outcome unknown")
	// ErrTooMuchData says that a request held more events, or asked for more
	// rows, than the ledger takes. Nothing was sent: cut it and send the parts.
	ErrTooMuchData = errors.New("ledger: too much data in one request")
	// ErrClosed says that the ledger was closed, or had come to its end by itself
	// (the error then names the cause), before the request was sent.
	ErrClosed = errors.New("ledger: closed")
)

// Errors of single events, matched by AccountError and TransferError.
var (
	// ErrIDSpent says that the ledger refused the transfer under this id and
	// will for ever. It may pass under a new id.
	ErrIDSpent = errors.New("ledger: refused, and the id is spent")
	// ErrIDConflict says that another object is stored under this id. The
	// caller gave one id to two things, or shares ids with somebody else.
	ErrIDConflict = errors.New("ledger: the id belongs to something else")
	// ErrRefused says that the event is wrong in itself. Sending it again
	// unchanged ends the same way; the id stays free.
	ErrRefused = errors.New("ledger: refused")
)

// AccountError is an account that the ledger refused. It matches ErrIDConflict
// or ErrRefused.
type AccountError struct {
	ID     ID
	Status CreateAccountStatus
}

func (e *AccountError) Error() string { return fmt.Sprintf("account %v: %v", e.ID, e.Status) }

// Is reports whether target is the class of the refusal.
func (e *AccountError) Is(target error) bool {
	if e.Status.Conflict() {
		return target == ErrIDConflict
	}
	return target == ErrRefused
}

// TransferError is a transfer that the ledger refused. It matches exactly one of
// ErrIDSpent, ErrIDConflict and ErrRefused.
type TransferError struct {
	ID     ID
	Status CreateTransferStatus
}

func (e *TransferError) Error() string { return fmt.Sprintf("transfer %v: %v", e.ID, e.Status) }

// Is reports whether target is the class of the refusal.
func (e *TransferError) Is(target error) bool {
	switch {
	case e.Status.Conflict():
		return target == ErrIDConflict
	case e.Status.Outcome() == OutcomeIDSpent:
		return target == ErrIDSpent
	default:
		return target == ErrRefused
	}
}
