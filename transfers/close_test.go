package transfers_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/transfers"
)

func TestCloseDrains(t *testing.T) {
	t.Parallel()
	f := newFixture(t, transfers.Config{Backlog: 4}, nil)
	var tickets []transfers.Ticket
	for range 100 {
		ticket, err := f.recorder.Submit(t.Context(), transfers.Forward(f.packet(1, 1)))
		require.NoError(t, err)
		tickets = append(tickets, ticket)
	}
	require.NoError(t, f.recorder.Close(t.Context()))
	for _, ticket := range tickets {
		require.NoError(t, ticket.Wait(t.Context()).Err)
	}
	for range 10 { // more than the backlog: no room is lost
		_, err := f.recorder.Submit(t.Context(), transfers.Forward(f.packet(1, 1)))
		require.ErrorIs(t, err, transfers.ErrClosed)
		_, err = f.recorder.TrySubmit(transfers.Forward(f.packet(1, 1)))
		require.ErrorIs(t, err, transfers.ErrClosed)
		_, err = f.recorder.TrySubmit(transfers.Forward(f.packet(0, 0)))
		require.ErrorIs(t, err, transfers.ErrClosed)
	}
	require.NoError(t, f.recorder.Flush(t.Context()))
	f.end(t)
}

func TestCloseSaysWhatItLeaves(t *testing.T) {
	t.Parallel()
	f, slow := newStalledFixture(t, transfers.Config{Lanes: 1})
	ctx := t.Context()
	first, err := f.recorder.Submit(ctx, transfers.Forward(f.packet(1, 1)))
	require.NoError(t, err)
	<-slow.requests // handed over
	second, err := f.recorder.Submit(ctx, transfers.Forward(f.packet(2, 2)))
	require.NoError(t, err)

	err = f.recorder.Close(canceled(ctx))
	require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
	require.ErrorIs(t, err, context.Canceled)
	var left *transfers.CloseError
	require.ErrorAs(t, err, &left)
	require.Len(t, left.Unknown, 1)
	require.Equal(t, first.Packet(), left.Unknown[0].Packet)
	require.Len(t, left.Unsent, 1)
	require.Equal(t, second.Packet(), left.Unsent[0].Packet)
	require.ErrorIs(t, first.Wait(ctx).Err, ledger.ErrOutcomeUnknown)
	require.ErrorIs(t, second.Wait(ctx).Err, transfers.ErrClosed)
	require.ErrorContains(t, err, "1 operations of unknown outcome and 1 unsent, the first is the forward of packet "+first.Packet().ID.String())
	require.Equal(t, err, f.recorder.Close(ctx), "the second Close says the same")
	ledgertest.RequireNothingHeld(t, f.embedded)
}

func TestClosedLedger(t *testing.T) {
	t.Parallel()
	f := newFixture(t, transfers.Config{}, nil)
	ledgertest.RequireNothingHeld(t, f.embedded)
	require.NoError(t, f.embedded.Close())
	_, err := f.recorder.Forward(t.Context(), f.packet(1, 1))
	require.ErrorIs(t, err, ledger.ErrClosed)
	require.NotErrorIs(t, err, transfers.ErrClosed, "the recorder is open")
	require.NoError(t, f.recorder.Close(t.Context()), "its caller was told")
}

func TestEndedContext(t *testing.T) {
	t.Parallel()
	f := newFixture(t, transfers.Config{}, func(ledger.Ledger) ledger.Ledger { return nil })
	_, err := f.recorder.Prepare(canceled(t.Context()), f.packet(1, 1))
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, ledger.ErrOutcomeUnknown, "nothing was handed over")
	f.end(t)
}
