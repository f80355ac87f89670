//go:build cgo && unix

package cluster_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// belated executes a request whose caller has gone when the books are counted, as a real
// server may at any time, and refuses nothing else.
type belated struct {
	*embedded.Ledger

	mu      sync.Mutex
	delayed [][]ledger.Transfer
}

func (b *belated) CreateTransfers(ctx context.Context, transfers []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	results, err := b.Ledger.CreateTransfers(ctx, transfers)
	if ctx.Err() == nil {
		return results, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		b.delayed = append(b.delayed, transfers)
	}
	return nil, fmt.Errorf("%w: %w", ledger.ErrOutcomeUnknown, context.Cause(ctx))
}

// LookupAccounts is what a load counts the books with.
func (b *belated) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	b.mu.Lock()
	delayed := b.delayed
	b.delayed = nil
	b.mu.Unlock()
	for _, transfers := range delayed {
		if _, err := b.Ledger.CreateTransfers(ctx, transfers); err != nil {
			return nil, err
		}
	}
	return b.Ledger.LookupAccounts(ctx, ids)
}

// A load that is stopped counts its books right, whenever the requests that it gave up are
// executed.
func TestLoadCountsWhatIsExecutedLate(t *testing.T) {
	t.Parallel()
	l := &belated{Ledger: embedded.New()}
	w := startLoad(t, l)
	// The callers end between two requests most of the time; this one does not.
	given := w.transfers(loadBatch)
	ended, end := context.WithCancel(t.Context())
	end()
	_, err := l.CreateTransfers(ended, given)
	require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
	w.stop()
	w.callers.Wait()
	w.unknown = append(w.unknown, given)
	w.finish(t, l)
	require.NoError(t, l.Close())
}
