package transfers_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// notingWaiter notes the submissions that were waited for.
type notingWaiter struct{ waited []transfers.Submission }

func (w *notingWaiter) Wait(_ context.Context, s transfers.Submission) transfers.Result {
	w.waited = append(w.waited, s)
	return transfers.Result{Err: ledger.ErrOutcomeUnknown}
}

func (w *notingWaiter) Journaled(context.Context, transfers.Submission) error { return nil }

// A Future asks its Waiter, unless the decision is the whole result.
func TestFutureOfAnotherRecorder(t *testing.T) {
	t.Parallel()
	op := transfers.PrepareOp(transfers.Packet{ID: ledger.NewID(1<<8, 0), In: 2, Out: 1})
	for _, final := range []ledger.Outcome{ledger.OutcomeApplied, ledger.OutcomeAlreadyApplied} {
		w := &notingWaiter{}
		want := transfers.Result{Kind: op.Kind, Packet: op.Packet, Outcome: final}
		require.Equal(t, want, transfers.NewFuture(w, &op, transfers.Decision{Outcome: final}).Wait(t.Context()))
		require.Empty(t, w.waited)
	}
	for _, d := range []transfers.Decision{
		{},
		{Outcome: ledger.OutcomeRefused},
		{Outcome: ledger.OutcomeIDBurnt},
		{Outcome: ledger.OutcomeApplied, Record: 1},
		{Outcome: ledger.OutcomeApplied, Late: true},
		{Outcome: ledger.OutcomeAlreadyApplied, Record: 1},
	} {
		w := &notingWaiter{}
		f := transfers.NewFuture(w, &op, d)
		require.Equal(t, op.Packet, f.Packet())
		require.ErrorIs(t, f.Wait(t.Context()).Err, ledger.ErrOutcomeUnknown)
		require.Equal(t, []transfers.Submission{{Kind: op.Kind, Packet: op.Packet, Decision: d}}, w.waited)
	}
}
