package aggregate_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/transfers"
)

// slowReservations is a ledger that holds back the first reservation until proceed is closed.
type slowReservations struct {
	ledger.Ledger
	asked   chan struct{} // holds one token: a reservation has arrived
	proceed chan struct{}
}

func (s *slowReservations) CreateTransfers(ctx context.Context, events []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if events[0].Code == chart.CodeReserve {
		select {
		case s.asked <- struct{}{}:
		default:
		}
		<-s.proceed
	}
	return s.Ledger.CreateTransfers(ctx, events)
}

// Prepares that arrive while a top-up is under way are not in it. They wait for another one, and only
// those beyond the headroom are refused.
func TestPreparesDuringATopUp(t *testing.T) {
	t.Parallel()
	const line = 1_000_000
	l := &slowReservations{Ledger: embedded.New(), asked: make(chan struct{}, 1), proceed: make(chan struct{})}
	f := newFixture(t, l, line)
	r := f.open(t)
	submit := func(amount uint64) transfers.Future {
		future, err := r.Submit(t.Context(), transfers.PrepareOp(f.packet(0, 1, amount, amount)))
		require.NoError(t, err)
		return future
	}
	first := submit(1)
	<-l.asked
	second := submit(line - 2)
	tooMuch := submit(2)
	last := submit(1)
	close(l.proceed)
	// All are decided before the first reject, which makes room.
	require.ErrorIs(t, tooMuch.Wait(t.Context()).Err, transfers.ErrCreditLine)
	for _, future := range []transfers.Future{first, second, last} {
		require.NoError(t, future.Wait(t.Context()).Err)
	}
	for _, future := range []transfers.Future{first, second, last} {
		_, err := r.Reject(t.Context(), future.Packet())
		require.NoError(t, err)
	}
	require.NoError(t, r.Close(t.Context()))
	balance, err := f.book.Balance(t.Context(), f.peers[0])
	require.NoError(t, err)
	require.True(t, balance.HeldIn.IsZero())
	ledgertest.RequireConserved(t, l)
	require.NoError(t, l.Close())
}
