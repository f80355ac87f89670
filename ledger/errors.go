package ledger

import (
	"errors"
	"fmt"
)

// Errors of whole requests. See [Ledger].
var (
	// ErrOutcomeUnknown is returned when a request was sent and its answer was lost: the context
	// ended, or the session was lost. Whether the request was applied is unknown. Send the same
	// events, under the same ids, again.
	ErrOutcomeUnknown = errors.New("ledger: outcome unknown")
	// ErrTooMuchData is returned when a request holds more events, or asks for more rows, than
	// the ledger takes. Nothing was sent: cut the request and send the parts.
	ErrTooMuchData = errors.New("ledger: too much data in one request")
	// ErrClosed is returned when the ledger was closed, or had ended by itself, before the
	// request was sent. In the second case the error names the cause.
	ErrClosed = errors.New("ledger: closed")
)

// Errors of single events, matched by [AccountError] and [TransferError].
var (
	// ErrIDBurnt is matched by a transfer refused for a transient reason. The ledger refuses its
	// id from now on; the same transfer may pass under a new id.
	ErrIDBurnt = errors.New("ledger: refused, and the id is burnt")
	// ErrIDConflict is matched by an event whose id belongs to another object: the caller used
	// one id twice, or shares ids with another program.
	ErrIDConflict = errors.New("ledger: the id belongs to something else")
	// ErrRefused is matched by an event that is wrong in itself. The unchanged event is refused
	// again; its id stays free.
	ErrRefused = errors.New("ledger: refused")
)

// AccountError is a refused account. It matches [ErrIDConflict] or [ErrRefused].
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

// TransferError is a refused transfer. It matches exactly one of [ErrIDBurnt], [ErrIDConflict] and
// [ErrRefused].
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
	case e.Status.Outcome() == OutcomeIDBurnt:
		return target == ErrIDBurnt
	default:
		return target == ErrRefused
	}
}
