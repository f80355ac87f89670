// Package retryledger finds out what became of transfers whose answer got lost.
package retryledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/peerledger/peerledger/ledger"
)

// Ledger is a ledger that sends transfers again as long as their outcome is
// unknown. Whoever uses it derives the ids of transfers, so the same event again is
// always safe and finds out. Other errors are the caller's, who can come back.
type Ledger struct {
	ledger.Ledger
}

// CreateTransfers returns ledger.ErrOutcomeUnknown only if the context ended, or
// the ledger refused to be asked again, before the outcome was found out.
func (r Ledger) CreateTransfers(
	ctx context.Context, transfers []ledger.Transfer,
) ([]ledger.CreateTransferResult, error) {
	lost := false
	send := func() ([]ledger.CreateTransferResult, error) {
		results, err := r.Ledger.CreateTransfers(ctx, transfers)
		if err == nil || errors.Is(err, ledger.ErrOutcomeUnknown) {
			lost = lost || err != nil
			return results, err
		}
		return nil, backoff.Permanent(err)
	}
	waits := &backoff.ExponentialBackOff{
		InitialInterval: 10 * time.Millisecond, MaxInterval: time.Second,
		Multiplier: 2, RandomizationFactor: 0.5,
	}
	results, err := backoff.Retry(ctx, send, backoff.WithBackOff(waits), backoff.WithMaxElapsedTime(0))
	if err != nil && lost && !errors.Is(err, ledger.ErrOutcomeUnknown) {
		// A later request that was not sent says nothing about the first one.
		err = fmt.Errorf("%w: %w", ledger.ErrOutcomeUnknown, err)
	}
	return results, err
}
