//go:build cgo

package cluster

import (
	"context"
	"errors"
	"fmt"

	tb "github.com/tigerbeetle/tigerbeetle-go"

	"github.com/peerledger/peerledger/ledger"
)

// errClosed is the error of calls after Close.
var errClosed = fmt.Errorf("cluster: %w", ledger.ErrClosed)

// classError is an error class of package ledger with its cause. errors.Is matches this class and
// no other: the cause may stem from an earlier request and carry a different class. The classes
// exclude each other, because ErrOutcomeUnknown means a sent request, and the rest a request not
// sent.
type classError struct {
	class error
	cause error
}

func (e *classError) Error() string { return fmt.Sprintf("cluster: %v: %v", e.class, e.cause) }

// Is reports whether target is the class, or an error of the cause that is no class.
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

// wrapUnknown returns the error of a request that may have been executed.
func wrapUnknown(cause error) error { return &classError{ledger.ErrOutcomeUnknown, cause} }

// contextError returns the error of an ended context, together with the context's cause.
func contextError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == err { //nolint:errorlint // a context without a cause of its own gives the very same
		return err
	}
	return &classError{err, cause}
}

// wrapUnsent returns the error of an attempt that was not sent. If an earlier attempt is
// unanswered, the outcome is unknown.
func wrapUnsent(err error, unanswered bool) error {
	if unanswered {
		return wrapUnknown(err)
	}
	return err
}
