package transfers_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/transfers"
)

// impatientContext is a context that ends between the start of a call and the call's first wait,
// before the disk has synced: its Done is always closed, and its first Err is nil.
type impatientContext struct {
	context.Context
	errCalls atomic.Int64
}

func newImpatientContext() *impatientContext { return &impatientContext{Context: context.Background()} }

func (c *impatientContext) Done() <-chan struct{} { return canceled(c.Context).Done() }

func (c *impatientContext) Err() error {
	if c.errCalls.Add(1) == 1 {
		return nil
	}
	return context.Canceled
}

// The caller's context ends before the disk has synced. The fulfill is enqueued nevertheless.
func TestContextEndsBeforeTheDiskIsThrough(t *testing.T) {
	t.Parallel()
	f, folder := newFixture(t, transfers.Config{}, nil), newFolder(t)
	packets := f.prepareHeld(t, 500)
	silent := newSilentLedger(f.embedded, false, 0)
	h := &eventLog{}
	r := f.newJournaled(t, folder, h, silent)
	submitted, ended := 0, 0
	for _, p := range packets {
		submitted++
		future, err := r.Submit(newImpatientContext(), transfers.FulfillOp(p))
		require.Equal(t, p, future.Packet())
		if err != nil { // else the disk was faster
			ended++
			require.ErrorIs(t, err, transfers.ErrJournal)
			require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorContains(t, err, "fulfill of packet "+p.ID.String())
		}
		again := newImpatientContext()
		again.errCalls.Add(1)
		if err := future.Journaled(again); err != nil {
			require.ErrorIs(t, err, transfers.ErrJournal)
			require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
		}
		require.NoError(t, future.Journaled(t.Context()), "the fulfill was enqueued")
		require.NoError(t, future.Journaled(again), "nothing to wait for")
		if ended == 10 {
			break
		}
	}
	require.Positive(t, ended, "in %d attempts", submitted)

	// Record returns an unknown outcome too: the fulfill is enqueued, with no sync and no answer.
	for isUnsynced := false; !isUnsynced; submitted++ {
		require.Less(t, submitted, len(packets), "the disk was always faster")
		got, err := r.Record(newImpatientContext(), transfers.FulfillOp(packets[submitted]))
		require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
		require.Equal(t, ledger.OutcomeUnknown, got.Outcome)
		isUnsynced = errors.Is(err, transfers.ErrJournal)
	}
	<-silent.asked
	f.closeUnanswered(t, r, submitted)
	require.Empty(t, h.journalErrors(), "an ended context is no failure of the journal")

	require.NoError(t, f.newJournaled(t, folder, h, nil).Close(t.Context()))
	require.Len(t, resultsByID(t, h.takeReplayed()), submitted)
	require.Equal(t, int64(submitted), f.position(t, f.bob))
	f.settleAll(t, packets)
	f.closeAndCheck(t)
}

// After TrySubmit one or many callers wait with Journaled.
func TestTrySubmitAndJournaled(t *testing.T) {
	t.Parallel()
	f, folder := newFixture(t, transfers.Config{}, nil), newFolder(t)
	packets := f.prepareHeld(t, 500)
	silent := newSilentLedger(f.embedded, false, 0)
	r := f.newJournaled(t, folder, &eventLog{}, silent)
	futures := make([]transfers.Future, len(packets))
	for i, p := range packets {
		var err error
		futures[i], err = r.TrySubmit(transfers.FulfillOp(p))
		require.NoError(t, err)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for _, future := range futures {
				if err := future.Journaled(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	killed := readFiles(t, folder).writeFolder(t)
	<-silent.asked
	f.closeUnanswered(t, r, len(packets))
	for _, future := range futures {
		require.NoError(t, future.Journaled(canceled(t.Context())), "the fulfill is on disk, also after Close")
	}
	f.requireReplayed(t, killed, packets)
	f.closeAndCheck(t)
}

// Without a journal only the operations in the ledger outlive the process.
func TestJournaledWithoutAJournal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		f, slow := newStalledFixture(t, transfers.Config{Lanes: 1})
		go func() {
			<-slow.requests
			slow.proceed <- nil
		}()
		held, err := f.recorder.Prepare(ctx, f.packet(1, 1))
		require.NoError(t, err)
		future, err := f.recorder.Submit(ctx, transfers.FulfillOp(held.Packet))
		require.NoError(t, err, "without a journal Submit does not wait for a disk")
		<-slow.requests
		err = future.Journaled(ctx)
		require.ErrorIs(t, err, transfers.ErrJournal)
		require.NotErrorIs(t, err, ledger.ErrOutcomeUnknown)
		refused, err := f.recorder.Submit(ctx, transfers.RejectOp(held.Packet))
		require.NoError(t, err)
		require.NoError(t, refused.Journaled(ctx), "rejects are not in the journal")
		slow.proceed <- nil
		require.NoError(t, future.Wait(ctx).Err)
		require.NoError(t, future.Journaled(ctx), "the fulfill is in the ledger")
		slow.closeAll(t, f)
		ledgertest.RequireNothingHeld(t, f.embedded)
	})
}

func TestZeroFuture(t *testing.T) {
	t.Parallel()
	require.ErrorIs(t, transfers.Future{}.Journaled(t.Context()), transfers.ErrJournal)
}
