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

// abandon makes a recorder whose ledger holds the next request back until the
// context of the caller, which it returns, has ended.
func abandon(t *testing.T) (f *fixture, slow *stalled, ctx context.Context) {
	t.Helper()
	f = newFixture(t, transfers.Config{Lanes: 1}, func(l ledger.Ledger) ledger.Ledger { slow = newStalled(l); return slow })
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	t.Cleanup(cancel)
	go func() {
		<-slow.requests
		<-ctx.Done()
		synctest.Wait()
		slow.proceed <- nil
		slow.answerAll(t.Context())
	}()
	return f, slow, ctx
}

// The caller of a prepare goes away before the answer: it will not forward the
// packet, so the recorder gives the hold back.
func TestAbandonedPrepareIsGivenBack(t *testing.T) {
	t.Parallel()
	for _, id := range []ledger.ID{{}, ledger.NewID(1<<8, 1)} {
		synctest.Test(t, func(t *testing.T) {
			f, _, ctx := abandon(t)
			p := f.packet(100, 90)
			p.ID = id
			got, err := f.recorder.Prepare(ctx, p)
			require.ErrorIs(t, err, transfers.ErrAbandoned)
			require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Equal(t, ledger.OutcomeUnknown, got.Outcome)
			require.Equal(t, "T00", transfers.Code(err))
			f.end(t) // nothing is held
		})
	}
}

func TestAbandonedPreparesOfRecordAllAreGivenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, _, ctx := abandon(t)
		_, err := f.recorder.RecordAll(ctx, transfers.Prepare(f.packet(100, 90)), transfers.Prepare(f.packet(50, 50)))
		require.ErrorIs(t, err, transfers.ErrAbandoned)
		f.end(t)
	})
}

// Close has begun when the caller goes away: the lane gives back before it ends.
func TestAbandonedPrepareIsGivenBackWhileClosing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, _, ctx := abandon(t)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			time.Sleep(time.Millisecond) //nolint:forbidigo // virtual time: after the prepare
			f.end(t)
		}()
		_, err := f.recorder.Prepare(ctx, f.packet(100, 90))
		require.ErrorIs(t, err, transfers.ErrAbandoned)
		<-ended
	})
}

// A packet is prepared and forwarded. A second prepare of it is abandoned, and
// must not void what the first one holds.
func TestAbandonedRepeatLeavesTheHoldAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, _, ctx := abandon(t)
		p := f.packet(100, 90)
		p.ID = ledger.NewID(1<<8, 1)
		other, err := transfers.NewRecorder(f.embedded, f.book, transfers.Config{})
		require.NoError(t, err)
		held, err := other.Prepare(t.Context(), p)
		require.NoError(t, err)
		_, err = f.recorder.Prepare(ctx, p)
		require.ErrorIs(t, err, transfers.ErrAbandoned)
		require.NoError(t, f.recorder.Flush(t.Context()))
		_, err = other.Fulfill(t.Context(), held.Packet)
		require.NoError(t, err)
		require.NoError(t, other.Close(t.Context()))
		f.end(t)
	})
}

// An answer is lost, and the caller goes away. If the recorder drew the id, the
// hold that it finds is its own. If the caller gave the id, it may be another's,
// and ends with its timeout.
func TestAbandonedPrepareWithALostAnswer(t *testing.T) {
	t.Parallel()
	for id, want := range map[ledger.ID]uint64{{}: 0, ledger.NewID(1<<8, 1): 100} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, transfers.Config{}, func(l ledger.Ledger) ledger.Ledger { return &lossy{Ledger: l, lose: 8} })
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			p := f.packet(100, 90)
			p.ID = id
			_, err := f.recorder.Prepare(ctx, p)
			require.ErrorIs(t, err, transfers.ErrAbandoned)
			require.NoError(t, f.recorder.Close(t.Context()))
			b, err := f.book.Balance(t.Context(), f.alice)
			require.NoError(t, err)
			require.Equal(t, units(want), b.HeldIn)
			ledgertest.RequireConserved(t, f.embedded)
		})
	}
}
