package transfers_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/transfers"
)

func TestCloseDrains(t *testing.T) {
	t.Parallel()
	f := newFixture(t, transfers.Config{MaxBacklog: 4}, nil)
	var futures []transfers.Future
	for range 100 {
		future, err := f.recorder.Submit(t.Context(), transfers.ForwardOp(f.packet(1, 1)))
		require.NoError(t, err)
		futures = append(futures, future)
	}
	require.NoError(t, f.recorder.Close(t.Context()))
	for _, future := range futures {
		require.NoError(t, future.Wait(t.Context()).Err)
	}
	for range 10 { // more than the backlog: no place is lost
		_, err := f.recorder.Submit(t.Context(), transfers.ForwardOp(f.packet(1, 1)))
		require.ErrorIs(t, err, transfers.ErrRecorderClosed)
		_, err = f.recorder.TrySubmit(transfers.ForwardOp(f.packet(1, 1)))
		require.ErrorIs(t, err, transfers.ErrRecorderClosed)
		_, err = f.recorder.TrySubmit(transfers.ForwardOp(f.packet(0, 0)))
		require.ErrorIs(t, err, transfers.ErrRecorderClosed)
	}
	require.NoError(t, f.recorder.Flush(t.Context()))
	f.closeAndCheck(t)
}

func TestCloseListsUnfinishedOperations(t *testing.T) {
	t.Parallel()
	f, slow := newStalledFixture(t, transfers.Config{Lanes: 1})
	ctx := t.Context()
	first, err := f.recorder.Submit(ctx, transfers.ForwardOp(f.packet(1, 1)))
	require.NoError(t, err)
	<-slow.requests // at the ledger
	second, err := f.recorder.Submit(ctx, transfers.ForwardOp(f.packet(2, 2)))
	require.NoError(t, err)

	err = f.recorder.Close(canceled(ctx))
	require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
	require.ErrorIs(t, err, context.Canceled)
	var left *transfers.CloseError
	require.ErrorAs(t, err, &left)
	require.Len(t, left.UnknownOps, 1)
	require.Equal(t, first.Packet(), left.UnknownOps[0].Packet)
	require.Len(t, left.UnsentOps, 1)
	require.Equal(t, second.Packet(), left.UnsentOps[0].Packet)
	require.ErrorIs(t, first.Wait(ctx).Err, ledger.ErrOutcomeUnknown)
	require.ErrorIs(t, second.Wait(ctx).Err, transfers.ErrRecorderClosed)
	require.ErrorContains(t, err, "1 operations of unknown outcome and 1 unsent, the first is the forward of packet "+first.Packet().ID.String())
	require.Equal(t, err, f.recorder.Close(ctx), "the second Close says the same")
	ledgertest.RequireNothingHeld(t, f.embedded)
}

// Callers waiting for room return at once when the recorder is closed. Submitted operations are
// answered, under any number of concurrent Closes.
func TestCloseWhileOthersWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, slow := newStalledFixture(t, transfers.Config{Lanes: 1, MaxBacklog: 2})
		futures := f.submit(t, transfers.PrepareOp(f.packet(1, 1)))
		<-slow.requests
		futures = append(futures, f.submit(t, transfers.ForwardOp(f.packet(1, 1)))...)
		waiting, closed := make(chan error, 3), make(chan error, 2)
		for _, op := range []transfers.Op{
			transfers.PrepareOp(f.packet(1, 1)), transfers.ForwardOp(f.packet(1, 1)), transfers.RejectOp(futures[0].Packet()),
		} {
			go func() {
				_, err := f.recorder.Record(t.Context(), op)
				waiting <- err
			}()
		}
		synctest.Wait()
		for range 2 {
			go func() { closed <- f.recorder.Close(t.Context()) }()
		}
		for range 3 {
			require.ErrorIs(t, <-waiting, transfers.ErrRecorderClosed)
		}
		synctest.Wait()
		require.Empty(t, closed, "two are not answered")
		go func() {
			slow.proceed <- nil
			slow.answerAll(t.Context())
		}()
		require.NoError(t, <-closed)
		require.NoError(t, <-closed)
		for _, future := range futures {
			require.NoError(t, future.Wait(canceled(t.Context())).Err)
		}
		ledgertest.RequireConserved(t, f.embedded)
	})
}

// Requests of unknown outcome are repeated until the recorder is closed, and then reported.
func TestUnknownUntilClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, transfers.Config{}, func(l ledger.Ledger) ledger.Ledger { return &lossyLedger{Ledger: l, lose: 1 << 30} })
		future := f.submit(t, transfers.ForwardOp(f.packet(100, 90)))[0]
		day, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
		defer cancel()
		require.ErrorIs(t, future.Wait(day).Err, ledger.ErrOutcomeUnknown)
		err := f.recorder.Close(day)
		var left *transfers.CloseError
		require.ErrorAs(t, err, &left)
		require.Equal(t, []transfers.Op{transfers.ForwardOp(future.Packet())}, left.UnknownOps)
		require.ErrorIs(t, future.Wait(t.Context()).Err, ledger.ErrOutcomeUnknown)

		next, err := transfers.NewRecorder(f.embedded, f.book, transfers.Config{})
		require.NoError(t, err)
		got, err := next.Record(t.Context(), left.UnknownOps[0])
		require.NoError(t, err, "the packet is enough to find out the outcome")
		require.Equal(t, ledger.OutcomeAlreadyApplied, got.Outcome)
		require.NoError(t, next.Close(t.Context()))
		ledgertest.RequireNothingHeld(t, f.embedded)
	})
}

func TestClosedLedger(t *testing.T) {
	t.Parallel()
	f := newFixture(t, transfers.Config{}, nil)
	ledgertest.RequireNothingHeld(t, f.embedded)
	require.NoError(t, f.embedded.Close())
	_, err := f.recorder.Forward(t.Context(), f.packet(1, 1))
	require.ErrorIs(t, err, ledger.ErrClosed)
	require.NotErrorIs(t, err, transfers.ErrRecorderClosed, "the recorder is open")
	require.NoError(t, f.recorder.Close(t.Context()), "its caller was told")
}

func TestEndedContext(t *testing.T) {
	t.Parallel()
	f := newFixture(t, transfers.Config{}, func(ledger.Ledger) ledger.Ledger { return nil })
	_, err := f.recorder.Prepare(canceled(t.Context()), f.packet(1, 1))
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, ledger.ErrOutcomeUnknown, "nothing was handed over")
	f.closeAndCheck(t)
}
