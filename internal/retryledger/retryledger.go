// Package retryledger finds the outcome of transfers after a lost answer.
package retryledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/peerledger/peerledger/ledger"
)

// Ledger sends transfers again while their outcome is unknown. The ids of the transfers must be
// derived, so sending the same transfers again is safe and finds the outcome. Every other error is
// returned, and the caller can call again.
type Ledger struct {
	ledger.Ledger
}

// CreateTransfers returns [ledger.ErrOutcomeUnknown] only if the context ended, or the ledger
// refused another request, before the outcome was known.
func (r Ledger) CreateTransfers(
	ctx context.Context, transfers []ledger.Transfer,
) ([]ledger.CreateTransferResult, error) {
	results, err := r.Ledger.CreateTransfers(ctx, transfers)
	if !errors.Is(err, ledger.ErrOutcomeUnknown) { // almost always, and then no backoff is made
		return results, err
	}
	return r.resend(ctx, transfers, err)
}

// resend sends transfers again until their outcome is known. lost is the error of the first request.
func (r Ledger) resend(ctx context.Context, transfers []ledger.Transfer, lost error) ([]ledger.CreateTransferResult, error) {
	isFirst := true
	send := func() ([]ledger.CreateTransferResult, error) {
		if isFirst { // the backoff comes between the first request and the second
			isFirst = false
			return nil, lost
		}
		results, err := r.Ledger.CreateTransfers(ctx, transfers)
		if err == nil || errors.Is(err, ledger.ErrOutcomeUnknown) {
			return results, err
		}
		return nil, backoff.Permanent(err)
	}
	waits := &backoff.ExponentialBackOff{
		InitialInterval: 10 * time.Millisecond, MaxInterval: time.Second,
		Multiplier: 2, RandomizationFactor: 0.5,
	}
	results, err := backoff.Retry(ctx, send, backoff.WithBackOff(waits), backoff.WithMaxElapsedTime(0))
	if err != nil && !errors.Is(err, ledger.ErrOutcomeUnknown) {
		// The error of a later request that was not sent does not settle the first one.
		err = fmt.Errorf("%w: %w", ledger.ErrOutcomeUnknown, err)
	}
	return results, err
}
