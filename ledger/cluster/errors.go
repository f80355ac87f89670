//go:build cgo

package cluster

import (
	"context"
	"errors"
	"fmt"

	tb "github.com/tigerbeetle/tigerbeetle-go"

	"github.com/peerledger/peerledger/ledger"
)

// errClosed is why a call is refused after Close.
var errClosed = fmt.Errorf("cluster: %w", ledger.ErrClosed)

// classError is what became of a request, and why. The classes of package ledger exclude
// each other (one says that a request was sent, the others and the native client's word for
// one of them that it was not), so the error matches its own, and of its cause whatever is none of them: a cause may come from
// anywhere, and may be what became of another request.
type classError struct {
	class error
	cause error
}

func (e *classError) Error() string { return fmt.Sprintf("cluster: %v: %v", e.class, e.cause) }

// Is reports whether target is the class, or of the cause.
func (e *classError) Is(target error) bool {
	switch target {
	case e.class:
		return true
	case ledger.ErrOutcomeUnknown, ledger.ErrTooMuchData, ledger.ErrClosed, tb.ErrTooMuchData:
		return false
	}
	return errors.Is(e.cause, target)
}

// As finds a typed error in the cause.
func (e *classError) As(target any) bool { return errors.As(e.cause, target) }

// wrapUnknown says that nobody knows whether a request was executed.
func wrapUnknown(cause error) error { return &classError{ledger.ErrOutcomeUnknown, cause} }

// contextError is the error of a context that has ended: its own, and the cause that it was given.
func contextError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == err { //nolint:errorlint // a context without a cause of its own gives the very same
		return err
	}
	return &classError{err, cause}
}

// wrapUnsent is why a request was not sent, or not once more.
func wrapUnsent(err error, unanswered bool) error {
	if unanswered {
		return wrapUnknown(err)
	}
	return err
}
