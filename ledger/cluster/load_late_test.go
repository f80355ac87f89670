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

// lateLedger executes an abandoned request while the books are counted, as a real server may at any
// time.
type lateLedger struct {
	*embedded.Ledger

	mu      sync.Mutex
	delayed [][]ledger.Transfer
}

func (b *lateLedger) CreateTransfers(ctx context.Context, transfers []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
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

// LookupAccounts is the call with which a load counts the books.
func (b *lateLedger) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
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

// A stopped load counts its books right, whenever its abandoned requests are executed.
func TestLoadCountsWhatIsExecutedLate(t *testing.T) {
	t.Parallel()
	l := &lateLedger{Ledger: embedded.New()}
	w := startLoad(t, l)
	// Most callers end between two requests; this caller ends during one.
	given := w.newTransfers(loadBatch)
	ended, end := context.WithCancel(t.Context())
	end()
	_, err := l.CreateTransfers(ended, given)
	require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
	w.stop()
	w.callers.Wait()
	w.unknown = append(w.unknown, given)
	w.stopAndCheck(t, l)
	require.NoError(t, l.Close())
}
