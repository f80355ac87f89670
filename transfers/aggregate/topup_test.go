package aggregate_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// gatedLedger stops before the first request that creates reservations.
type gatedLedger struct {
	ledger.Ledger

	first   sync.Once
	arrived chan struct{}
	open    chan struct{}
}

func (l *gatedLedger) CreateTransfers(ctx context.Context, events []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if len(events) > 0 && events[0].Flags.Has(ledger.TransferPending) {
		l.first.Do(func() {
			close(l.arrived)
			<-l.open
		})
	}
	return l.Ledger.CreateTransfers(ctx, events)
}

// A prepare that comes while a smaller one's top-up is under way gets a top-up of its own, since the
// headroom covers both.
func TestPrepareBehindATopUp(t *testing.T) {
	t.Parallel()
	gate := &gatedLedger{Ledger: embedded.New(), arrived: make(chan struct{}), open: make(chan struct{})}
	f := newFixture(t, gate, 1_000_000)
	r := f.open(t, func(c *aggregate.Config) { c.RoundInterval = time.Hour })
	first, err := r.Submit(t.Context(), transfers.PrepareOp(f.packet(0, 1, 10, 10)))
	require.NoError(t, err)
	<-gate.arrived
	second, err := r.Submit(t.Context(), transfers.PrepareOp(f.packet(0, 1, 1000, 1000)))
	require.NoError(t, err)
	beyond, err := r.Submit(t.Context(), transfers.PrepareOp(f.packet(0, 1, 1_000_000, 1_000_000)))
	require.NoError(t, err)
	close(gate.open)
	require.NoError(t, first.Wait(t.Context()).Err)
	require.NoError(t, second.Wait(t.Context()).Err)
	require.ErrorIs(t, beyond.Wait(t.Context()).Err, transfers.ErrCreditLine)
	require.NoError(t, r.Close(t.Context()))
}
