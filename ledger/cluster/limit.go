//go:build cgo

package cluster

import (
	"context"
	"errors"

	"github.com/peerledger/peerledger/ledger"
)

// BatchMax is how many events a create request may carry on this cluster, as learnt when
// it was opened: ledger.BatchMax, or fewer on servers with smaller requests (253 with
// --development). Larger requests are refused with ledger.ErrTooMuchData before anybody is
// asked.
func (l *Ledger) BatchMax() int { return int(l.batchMax.Load()) }

// developmentMax is what servers started with --development take.
const developmentMax = 253

// learnBatchMax finds out how large a request may be. The native client knows, and does
// not tell; but it refuses by itself what is too large. What is not too large is sent: transfers
// without an id, which are refused and leave nothing behind. Mostly that is one request, or
// two small ones.
func (l *Ledger) learnBatchMax(ctx context.Context) error {
	if fits, err := l.fits(ctx, ledger.BatchMax); fits || err != nil {
		return err
	}
	low, high := 0, ledger.BatchMax // low fits and high does not
	for guess := developmentMax; low+1 < high; {
		fits, err := l.fits(ctx, guess)
		switch {
		case err != nil:
			return err
		case fits && guess == developmentMax:
			low, guess = guess, guess+1
			continue
		case fits:
			low = guess
		default:
			high = guess
		}
		guess = (low + high) / 2
	}
	l.batchMax.Store(int64(low))
	return nil
}

// fits reports whether a request of n transfers can be sent.
func (l *Ledger) fits(ctx context.Context, n int) (bool, error) {
	_, err := l.createTransfers(ctx, make([]ledger.Transfer, n))
	if errors.Is(err, ledger.ErrTooMuchData) {
		return false, nil
	}
	return err == nil, err
}
