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

// abandonPrepare returns a recorder whose ledger delays the next request until the returned
// context of the caller has ended.
func abandonPrepare(t *testing.T) (f *fixture, slow *stalledLedger, ctx context.Context) {
	t.Helper()
	f, slow = newStalledFixture(t, transfers.Config{Lanes: 1})
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

// The caller of a prepare goes away before the answer. It will not forward the packet, so the
// recorder voids the hold.
func TestAbandonedPrepareIsGivenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, _, ctx := abandonPrepare(t)
		got, err := f.recorder.Prepare(ctx, f.packet(100, 90))
		require.ErrorIs(t, err, transfers.ErrAbandoned)
		require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, ledger.OutcomeUnknown, got.Outcome)
		require.Equal(t, "T00", transfers.ILPCode(err))
		f.closeAndCheck(t) // nothing is held
	})
}

// The caller gave the id and prepares the packet again: the hold is the second prepare's, and
// must not be voided.
func TestAbandonedPrepareMayBeAskedForAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, _, ctx := abandonPrepare(t)
		p := f.packet(100, 90)
		p.ID = ledger.NewID(1<<8, 1)
		_, err := f.recorder.Prepare(ctx, p)
		require.ErrorIs(t, err, transfers.ErrAbandoned)
		again, err := f.recorder.Prepare(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, ledger.OutcomeAlreadyApplied, again.Outcome)
		_, err = f.recorder.Fulfill(t.Context(), again.Packet)
		require.NoError(t, err)
		require.Equal(t, int64(90), f.position(t, f.bob))
		f.closeAndCheck(t)
	})
}

// An answer after the end of the hold does not allow to forward the packet.
func TestAnswerAfterTheHold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, transfers.Config{}, func(l ledger.Ledger) ledger.Ledger { return &lossyLedger{Ledger: l, lose: 20} })
		p := f.packet(100, 90)
		p.Hold = time.Second
		_, err := f.recorder.Prepare(t.Context(), p)
		require.ErrorIs(t, err, transfers.ErrHoldExpired)
		f.closeAndCheck(t)
	})
}

// A prepare that waited in the backlog until its packet had expired is not sent.
func TestPrepareThatWaitedTooLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, slow := newStalledFixture(t, transfers.Config{Lanes: 1})
		first, err := f.recorder.Submit(t.Context(), transfers.ForwardOp(f.packet(1, 1)))
		require.NoError(t, err)
		<-slow.requests
		p := f.packet(100, 90)
		p.Hold, p.Expiry = 0, time.Now().Add(2*time.Second)
		late, err := f.recorder.Submit(t.Context(), transfers.PrepareOp(p))
		require.NoError(t, err)
		last, err := f.recorder.Submit(t.Context(), transfers.ForwardOp(f.packet(2, 2)))
		require.NoError(t, err)
		time.Sleep(2 * time.Second) //nolint:forbidigo // virtual time
		go func() {
			slow.proceed <- nil
			slow.answerAll(t.Context())
		}()
		require.NoError(t, first.Wait(t.Context()).Err)
		require.ErrorIs(t, late.Wait(t.Context()).Err, transfers.ErrHoldTooShort)
		require.NoError(t, last.Wait(t.Context()).Err)
		f.closeAndCheck(t)
	})
}

// The caller of an answered prepare need not wait while the lane voids the hold of another
// packet of the same batch.
func TestAnsweredCallerIsNotKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, slow := newStalledFixture(t, transfers.Config{Lanes: 1})
		blocker, err := f.recorder.Submit(t.Context(), transfers.ForwardOp(f.packet(1, 1)))
		require.NoError(t, err)
		<-slow.requests // the next two go together
		soon, cancelSoon := context.WithTimeout(t.Context(), time.Second)
		defer cancelSoon()
		later, cancelLater := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancelLater()
		go func() {
			_, err := f.recorder.Prepare(soon, f.packet(5, 5))
			require.ErrorIs(t, err, transfers.ErrAbandoned)
		}()
		go func() {
			time.Sleep(2 * time.Second) //nolint:forbidigo // virtual time: the first caller is gone
			slow.proceed <- nil         // the blocker
			<-slow.requests             // both prepares
			slow.proceed <- nil
			<-slow.requests       // the give-back, which is not answered for long
			time.Sleep(time.Hour) //nolint:forbidigo // virtual time
			slow.proceed <- nil
		}()
		began := time.Now()
		_, err = f.recorder.Prepare(later, f.packet(100, 90))
		require.NoError(t, err, "it was applied")
		require.Equal(t, 2*time.Second, time.Since(began))
		require.NoError(t, blocker.Wait(t.Context()).Err)
		require.NoError(t, f.recorder.Close(t.Context()))
		ledgertest.RequireConserved(t, f.embedded)
	})
}

func TestAbandonedPreparesOfRecordAllAreGivenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, _, ctx := abandonPrepare(t)
		_, err := f.recorder.RecordAll(ctx, transfers.PrepareOp(f.packet(100, 90)), transfers.PrepareOp(f.packet(50, 50)))
		require.ErrorIs(t, err, transfers.ErrAbandoned)
		f.closeAndCheck(t)
	})
}

// The caller goes away after Close has begun: the lane voids the hold before it ends.
func TestAbandonedPrepareIsGivenBackWhileClosing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, _, ctx := abandonPrepare(t)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			time.Sleep(time.Millisecond) //nolint:forbidigo // virtual time: after the prepare
			f.closeAndCheck(t)
		}()
		_, err := f.recorder.Prepare(ctx, f.packet(100, 90))
		require.ErrorIs(t, err, transfers.ErrAbandoned)
		<-ended
	})
}

// A packet is prepared and forwarded. A second prepare of it is abandoned: the first one's
// hold must stay.
func TestAbandonedRepeatLeavesTheHoldAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, _, ctx := abandonPrepare(t)
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
		f.closeAndCheck(t)
	})
}

// An answer is lost, and the caller goes away. If the recorder generated the id, it voids the
// hold that it finds. If the caller gave the id, the hold may belong to another prepare, and
// ends with its timeout.
func TestAbandonedPrepareWithALostAnswer(t *testing.T) {
	t.Parallel()
	for id, want := range map[ledger.ID]uint64{{}: 0, ledger.NewID(1<<8, 1): 100} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, transfers.Config{}, func(l ledger.Ledger) ledger.Ledger { return &lossyLedger{Ledger: l, lose: 8} })
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

// The prepare is sent twice before the ledger answers `exists`. The recorder generated the id,
// so no other prepare made the hold, and the recorder voids it.
func TestAbandonedPrepareThatWasSentTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, transfers.Config{}, func(l ledger.Ledger) ledger.Ledger {
			return &slowLedger{Ledger: l, delay: 10 * time.Second, twice: true}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := f.recorder.Prepare(ctx, f.packet(100, 90))
		require.ErrorIs(t, err, transfers.ErrAbandoned)
		f.closeAndCheck(t) // nothing is held
	})
}

// refusingLedger answers the first request when the request's context has ended, and refuses all
// later requests.
type refusingLedger struct{ ledger.Ledger }

func (l refusingLedger) CreateTransfers(ctx context.Context, batch []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	results, err := l.Ledger.CreateTransfers(context.WithoutCancel(ctx), batch)
	<-ctx.Done()
	return results, err
}

// An abandoned prepare is applied, and its hold cannot be voided before the recorder ends.
func TestCloseListsAnAbandonedHold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, transfers.Config{Lanes: 1}, func(l ledger.Ledger) ledger.Ledger { return refusingLedger{l} })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := f.recorder.Prepare(ctx, f.packet(100, 90))
		require.ErrorIs(t, err, transfers.ErrAbandoned)
		err = f.recorder.Close(canceled(t.Context()))
		var left *transfers.CloseError
		require.ErrorAs(t, err, &left)
		require.Len(t, left.UnknownOps, 1)
		require.Equal(t, transfers.KindPrepare, left.UnknownOps[0].Kind)
		require.Empty(t, left.UnsentOps)
		b, err := f.book.Balance(t.Context(), f.alice)
		require.NoError(t, err)
		require.Equal(t, units(100), b.HeldIn)
	})
}
