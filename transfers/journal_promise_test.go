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

// The next recorder books an accepted fulfill once, whether the ledger executed it and the
// answer was lost, or never got it.
func TestPromisesOutliveTheRecorder(t *testing.T) {
	t.Parallel()
	for name, applies := range map[string]bool{"answers lost": true, "requests lost": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, folder := newFixture(t, transfers.Config{}, nil), newFolder(t)
			packets := f.prepareHeld(t, 20)
			f.leaveInJournal(t, folder, applies, packets...)

			h := &eventLog{}
			r := f.newJournaled(t, folder, h, nil)
			require.NoError(t, r.Flush(t.Context()))
			replayed := resultsByID(t, h.takeReplayed())
			require.Len(t, replayed, len(packets))
			for _, p := range packets {
				got := replayed[p.ID]
				require.NoError(t, got.Err)
				require.Equal(t, transfers.KindFulfill, got.Kind)
				require.True(t, got.Outcome.Done())
				require.False(t, got.Late)
				want := p
				want.Expiry = want.Expiry.UTC()
				require.Equal(t, want, got.Packet, "whole, with its accounts")
			}
			require.Equal(t, int64(-20), f.position(t, f.alice))
			require.Equal(t, int64(20), f.position(t, f.bob))
			require.NoError(t, r.Close(t.Context()))
			require.Empty(t, h.journalErrors())
			f.requireEmptyJournal(t, folder)
			require.Equal(t, int64(20), f.position(t, f.bob))
			f.closeAndCheck(t)
		})
	}
}

// Several recorders in a row are closed during the replay. No fulfill is lost, and each recorder's
// CloseError lists the fulfills of unknown outcome.
func TestStoppedWhileReplaying(t *testing.T) {
	t.Parallel()
	f, folder := newFixture(t, transfers.Config{}, nil), newFolder(t)
	packets := f.prepareHeld(t, 15)
	f.leaveInJournal(t, folder, false, packets[:5]...)
	for n := 5; n < 15; n += 5 {
		h := &eventLog{}
		silent := newSilentLedger(f.embedded, n == 10, 0)
		r := f.newJournaled(t, folder, h, silent)
		<-silent.asked
		for _, p := range packets[n : n+5] {
			_, err := r.Submit(t.Context(), transfers.FulfillOp(p))
			require.NoError(t, err)
		}
		f.closeUnanswered(t, r, n+5)
		replayed := resultsByID(t, h.takeReplayed())
		require.Len(t, replayed, n, "those that were new are not replayed")
		unknown := 0
		for _, got := range replayed {
			require.Error(t, got.Err)
			require.False(t, got.Outcome.Done())
			if got.Outcome == ledger.OutcomeUnknown {
				unknown++
			}
		}
		require.Positive(t, unknown)
	}
	h := &eventLog{}
	r := f.newJournaled(t, folder, h, nil)
	require.NoError(t, r.Close(t.Context()), "Close waits for the replayed fulfills")
	require.Len(t, resultsByID(t, h.takeReplayed()), 15)
	require.Equal(t, int64(15), f.position(t, f.bob))
	f.requireEmptyJournal(t, folder)
	f.closeAndCheck(t)
}

// Packets with all kinds of legs are replayed unchanged.
func TestReplayOfEveryKindOfPacket(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	f, folder := newFixture(t, transfers.Config{}, nil), newFolder(t)
	us, err := f.book.OwnAccount(usd)
	require.NoError(t, err)
	ourEUR, err := f.book.OwnAccount(loss)
	require.NoError(t, err)
	kinds := []transfers.Packet{
		{From: f.alice, To: f.bob, In: 10, Out: 9},
		{From: f.aliceEUR, To: f.bobEUR, In: 10, Out: 12},
		{From: f.alice, To: f.bobEUR, In: 105, Out: 1, Dust: 5},
		{From: us, To: f.bob, In: 3, Out: 10},
		{From: f.alice, To: us, In: 10, Out: 9},
		{From: us, To: f.bobEUR, In: 10, Out: 7},
		{From: f.alice, To: ourEUR, In: 10, Out: 7, Dust: 1},
		{From: f.alice, To: f.alice, In: 10, Out: 8},
	}
	packets := make([]transfers.Packet, len(kinds))
	for i, p := range kinds {
		p.Expiry, p.Condition = time.Now().Add(time.Hour), [32]byte{byte(i + 1)}
		result, err := f.recorder.Prepare(ctx, p)
		require.NoError(t, err)
		packets[i] = result.Packet
	}
	f.leaveInJournal(t, folder, false, packets...)
	h := &eventLog{}
	r := f.newJournaled(t, folder, h, nil)
	require.NoError(t, r.Close(ctx))
	replayed := resultsByID(t, h.takeReplayed())
	for _, p := range packets {
		got := replayed[p.ID]
		require.NoError(t, got.Err)
		require.Equal(t, ledger.OutcomeApplied, got.Outcome)
		require.True(t, p.Expiry.Equal(got.Packet.Expiry))
		p.Expiry, got.Packet.Expiry = time.Time{}, time.Time{}
		require.Equal(t, p, got.Packet)
	}
	require.Equal(t, int64(-10-105-10-10-10+8), f.position(t, f.alice))
	require.Equal(t, int64(9+10), f.position(t, f.bob))
	require.Equal(t, int64(12+1+7), f.position(t, f.bobEUR))
	f.closeAndCheck(t)
}

// Operations submitted to the next recorder go behind the replayed fulfills.
func TestReplayGoesAhead(t *testing.T) {
	t.Parallel()
	f, folder := newFixture(t, transfers.Config{}, nil), newFolder(t)
	packets := f.prepareHeld(t, 50)
	f.leaveInJournal(t, folder, false, packets...)
	r := f.newJournaled(t, folder, &eventLog{}, nil)
	for _, p := range packets {
		_, err := r.Reject(t.Context(), p)
		require.ErrorIs(t, err, transfers.ErrPacketConflict)
		got, err := r.Fulfill(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, ledger.OutcomeAlreadyApplied, got.Outcome)
	}
	require.Equal(t, int64(50), f.position(t, f.bob))
	require.NoError(t, r.Close(t.Context()))
	f.requireEmptyJournal(t, folder)
	f.closeAndCheck(t)
}

// More fulfills are pending than the backlog takes.
func TestReplayBeyondTheBacklog(t *testing.T) {
	t.Parallel()
	f, folder := newFixture(t, transfers.Config{}, nil), newFolder(t)
	packets := f.prepareHeld(t, 20)
	f.leaveInJournal(t, folder, false, packets...)
	slow := newStalledLedger(f.embedded)
	full := make(chan bool, 10)
	cfg := transfers.Config{JournalFolder: folder, Lanes: 1, MaxBacklog: 4, Events: transfers.Events{
		BacklogFull: func(is bool) { full <- is }, Replayed: func([]transfers.Result) {},
	}}
	r, err := transfers.NewRecorder(slow, f.book, cfg)
	require.NoError(t, err)
	require.True(t, <-full)
	_, err = r.TrySubmit(transfers.FulfillOp(packets[0]))
	require.ErrorIs(t, err, transfers.ErrBacklogFull)
	require.Len(t, <-slow.requests, 20, "in one request")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		slow.proceed <- nil
		slow.answerAll(ctx)
	}()
	require.NoError(t, r.Flush(t.Context()))
	require.False(t, <-full)
	for range 10 { // no place is lost, and none too many
		_, err = r.Fulfill(t.Context(), packets[0])
		require.NoError(t, err)
	}
	require.NoError(t, r.Close(t.Context()))
	require.Empty(t, full)
	f.closeAndCheck(t)
}

// The ledger refuses a fulfill: the refusal is an answer, which is reported, and the journal
// is empty.
func TestRefusedForGoodIsForgotten(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	f, folder := newFixture(t, transfers.Config{}, nil), newFolder(t)
	packets := f.prepareHeld(t, 2)
	_, err := f.recorder.Reject(ctx, packets[0])
	require.NoError(t, err)
	never := f.packet(1, 1)
	never.ID = ledger.NewID(1<<8, 7)
	odd := []transfers.Packet{packets[0], never}
	why := []error{transfers.ErrPacketConflict, transfers.ErrUnknownPacket}

	t.Log("at once")
	h := &eventLog{}
	r := f.newJournaled(t, folder, h, nil)
	for i, p := range odd {
		future, err := r.Submit(ctx, transfers.FulfillOp(p))
		require.NoError(t, err, "the fulfill is on disk")
		require.ErrorIs(t, future.Wait(ctx).Err, why[i])
		require.NoError(t, future.Journaled(ctx))
	}
	require.NoError(t, r.Close(ctx))
	f.requireEmptyJournal(t, folder)

	t.Log("when it is replayed, among others")
	f.leaveInJournal(t, folder, false, append(odd, packets[1])...)
	r = f.newJournaled(t, folder, h, nil)
	require.NoError(t, r.Close(ctx))
	replayed := resultsByID(t, h.takeReplayed())
	require.Len(t, replayed, 3)
	for i, p := range odd {
		require.ErrorIs(t, replayed[p.ID].Err, why[i])
		require.False(t, replayed[p.ID].Outcome.Done())
	}
	require.NoError(t, replayed[packets[1].ID].Err)
	require.Empty(t, h.journalErrors())
	f.requireEmptyJournal(t, folder)
	require.Equal(t, int64(1), f.position(t, f.bob))
	f.closeAndCheck(t)
}

// The hold has expired before the fulfill is replayed. A correction books it once, also if the
// earlier recorder had sent the correction already.
func TestReplayOfWhatCameTooLate(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]int{"before the post": 0, "before the correction": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f, folder := newFixture(t, transfers.Config{}, nil), newFolder(t)
				p := f.packet(100, 90)
				p.Hold = time.Second
				held, err := f.recorder.Prepare(t.Context(), p)
				require.NoError(t, err)
				sleepVirtual(time.Minute)

				silent := newSilentLedger(f.embedded, true, after)
				r := f.newJournaled(t, folder, &eventLog{}, silent)
				_, err = r.Submit(t.Context(), transfers.FulfillOp(held.Packet))
				require.NoError(t, err)
				<-silent.asked
				f.closeUnanswered(t, r, 1)

				h := &eventLog{}
				r = f.newJournaled(t, folder, h, nil)
				require.NoError(t, r.Close(t.Context()))
				replayed := resultsByID(t, h.takeReplayed())[held.Packet.ID]
				require.NoError(t, replayed.Err)
				require.True(t, replayed.Late)
				require.Equal(t, []transfers.Result{replayed}, h.late)
				want := map[int]ledger.Outcome{0: ledger.OutcomeApplied, 1: ledger.OutcomeAlreadyApplied}
				require.Equal(t, want[after], replayed.Outcome)
				require.Equal(t, int64(-100), f.position(t, f.alice))
				require.Equal(t, int64(90), f.position(t, f.bob))
				f.requireEmptyJournal(t, folder)
				f.closeAndCheck(t)
			})
		})
	}
}

// Record and RecordAll append a fulfill to the journal before they enqueue it: the fulfill of
// a caller that goes away is promised too, and the error says so.
func TestCallerGoesAwayFromAPromise(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, folder := newFixture(t, transfers.Config{}, nil), newFolder(t)
		packets := f.prepareHeld(t, 3)
		silent := newSilentLedger(f.embedded, false, 0)
		r := f.newJournaled(t, folder, &eventLog{}, silent)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		all := make(chan error)
		go func() {
			_, err := r.RecordAll(ctx, transfers.FulfillOp(packets[1]), transfers.FulfillOp(packets[2]))
			all <- err
		}()
		got, err := r.Fulfill(ctx, packets[0])
		require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, transfers.ErrJournal)
		require.Equal(t, ledger.OutcomeUnknown, got.Outcome)
		err = <-all
		require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
		require.NotErrorIs(t, err, transfers.ErrJournal)
		f.closeUnanswered(t, r, 3)

		h := &eventLog{}
		require.NoError(t, f.newJournaled(t, folder, h, nil).Close(t.Context()))
		require.Len(t, resultsByID(t, h.takeReplayed()), 3)
		require.Equal(t, int64(3), f.position(t, f.bob))
		ledgertest.RequireNothingHeld(t, f.embedded)
		require.NoError(t, f.recorder.Close(t.Context()))
	})
}

// Only fulfills are kept. A packet without amounts needs no promise.
func TestWhatIsNotKept(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	f, folder := newFixture(t, transfers.Config{}, nil), newFolder(t)
	packets := f.prepareHeld(t, 1)
	silent := newSilentLedger(f.embedded, false, 0)
	r := f.newJournaled(t, folder, &eventLog{}, silent)
	nothing := transfers.Packet{ID: ledger.NewID(1<<8, 9), From: f.alice, To: f.bob}
	future, err := r.Submit(ctx, transfers.FulfillOp(nothing))
	require.NoError(t, err)
	require.NoError(t, future.Wait(ctx).Err)
	require.NoError(t, future.Journaled(ctx))
	for _, op := range []transfers.Op{
		transfers.PrepareOp(f.packet(1, 1)), transfers.ForwardOp(f.packet(1, 1)), transfers.RejectOp(packets[0]),
	} {
		future, err := r.Submit(ctx, op)
		require.NoError(t, err)
		require.NoError(t, future.Journaled(canceled(ctx)))
	}
	<-silent.asked
	f.closeUnanswered(t, r, 3)
	f.requireEmptyJournal(t, folder)
	_, err = f.recorder.Reject(ctx, packets[0])
	require.NoError(t, err)
	f.closeAndCheck(t)
}

// More fulfills are pending than fit into one request. All are sent before later operations.
func TestReplayInManyRequests(t *testing.T) {
	t.Parallel()
	f, folder := newFixture(t, transfers.Config{}, nil), newFolder(t)
	packets := make([]transfers.Packet, 3*ledger.BatchMax)
	for i := range packets {
		packets[i] = f.numbered(t, i)
	}
	f.prepareAll(t, packets)
	silent := newSilentLedger(f.embedded, false, 0)
	r := f.newJournaled(t, folder, &eventLog{}, silent)
	for _, p := range packets {
		_, err := r.TrySubmit(transfers.FulfillOp(p))
		require.NoError(t, err)
	}
	<-silent.asked
	f.closeUnanswered(t, r, len(packets))
	h := &eventLog{}
	r = f.newJournaled(t, folder, h, nil)
	last := packets[len(packets)-1]
	_, err := r.Reject(t.Context(), last)
	require.ErrorIs(t, err, transfers.ErrPacketConflict)
	require.NoError(t, r.Flush(t.Context()))
	require.Len(t, resultsByID(t, h.takeReplayed()), len(packets))
	require.NoError(t, r.Close(t.Context()))
	f.requireEmptyJournal(t, folder)
	require.Equal(t, int64(len(packets)), f.position(t, f.bob))
	f.closeAndCheck(t)
}

// The ledger is closed first: fulfills without an answer stay in the journal, and the recorder
// accepts no more.
func TestLedgerEndsBeforeItHasAnswered(t *testing.T) {
	t.Parallel()
	f, folder := newFixture(t, transfers.Config{}, nil), newFolder(t)
	packets := f.prepareHeld(t, 1)
	r := f.newJournaled(t, folder, &eventLog{}, closedLedger{f.embedded})
	future, err := r.Submit(t.Context(), transfers.FulfillOp(packets[0]))
	require.NoError(t, err)
	got := future.Wait(t.Context())
	require.Equal(t, ledger.OutcomeUnknown, got.Outcome, "not refused: the next recorder books the fulfill")
	require.ErrorIs(t, got.Err, ledger.ErrOutcomeUnknown)
	require.ErrorIs(t, got.Err, ledger.ErrClosed)
	require.NoError(t, future.Journaled(t.Context()), "the fulfill is in the journal, and not in the ledger")
	for _, p := range packets {
		_, err = r.Submit(t.Context(), transfers.FulfillOp(p))
		require.ErrorIs(t, err, ledger.ErrClosed)
		_, err = r.TrySubmit(transfers.FulfillOp(p))
		require.ErrorIs(t, err, ledger.ErrClosed)
	}
	require.NoError(t, r.Close(t.Context()), "who waited was told")
	f.requireReplayed(t, folder, packets)
	f.requireEmptyJournal(t, folder)
	f.closeAndCheck(t)
}

// closedLedger is a closed ledger.
type closedLedger struct{ ledger.Ledger }

func (closedLedger) CreateTransfers(context.Context, []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	return nil, ledger.ErrClosed
}
