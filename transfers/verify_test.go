package transfers_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// rebuildPacket returns the packet as a caller rebuilds it from stored fields: without a seal.
func rebuildPacket(p transfers.Packet) transfers.Packet {
	return transfers.Packet{
		ID: p.ID, From: p.From, To: p.To, In: p.In, Out: p.Out, Dust: p.Dust,
		Expiry: p.Expiry, Hold: p.Hold, Condition: p.Condition,
	}
}

// others returns changes that make a packet differ from its prepare.
func (f *fixture) others(t *testing.T) map[string]func(*transfers.Packet) {
	t.Helper()
	us, err := f.book.OwnAccount(usd)
	require.NoError(t, err)
	return map[string]func(*transfers.Packet){
		"no fee":                 func(p *transfers.Packet) { p.In = p.Out },
		"no fee, more delivered": func(p *transfers.Packet) { p.Out = p.In },
		"a smaller fee":          func(p *transfers.Packet) { p.In-- },
		"less of both":           func(p *transfers.Packet) { p.In, p.Out = p.In-1, p.Out-1 },
		"more of both":           func(p *transfers.Packet) { p.In, p.Out = p.In+1, p.Out+1 },
		"nothing":                func(p *transfers.Packet) { p.In, p.Out = 0, 0 },
		"swapped peers":          func(p *transfers.Packet) { p.From, p.To = p.To, p.From },
		"another sender":         func(p *transfers.Packet) { p.From = f.bob },
		"to ourselves":           func(p *transfers.Packet) { p.To = us },
		"from ourselves":         func(p *transfers.Packet) { p.From = us },
		"another asset":          func(p *transfers.Packet) { p.To = f.bobEUR },
	}
}

// A fulfill or reject of a packet that differs from its prepare is refused before anything is
// written, whether the packet was changed or rebuilt. The right packet still passes.
func TestResolutionOfAnotherPacketIsAConflict(t *testing.T) {
	t.Parallel()
	f := newFixture(t, transfers.Config{}, nil)
	for name, change := range f.others(t) {
		for _, resolve := range []func(transfers.Packet) transfers.Op{transfers.FulfillOp, transfers.RejectOp} {
			for _, keep := range []func(transfers.Packet) transfers.Packet{rebuildPacket, func(p transfers.Packet) transfers.Packet { return p }} {
				held, err := f.recorder.Prepare(t.Context(), f.packet(100, 90))
				require.NoError(t, err)
				p := keep(held.Packet)
				change(&p)
				got, err := f.recorder.Record(t.Context(), resolve(p))
				require.ErrorIs(t, err, ledger.ErrIDConflict, name)
				require.Equal(t, ledger.OutcomeRefused, got.Outcome, name)
				var refused *transfers.RefusedError
				require.ErrorAs(t, err, &refused)
				require.Equal(t, held.Packet.ID, refused.Packet)
				b, err := f.book.Balance(t.Context(), f.alice)
				require.NoError(t, err)
				require.Equal(t, units(100), b.HeldIn, name)
				require.Zero(t, b.Position().Sign(), name)
				_, err = f.recorder.Reject(t.Context(), keep(held.Packet))
				require.NoError(t, err, name)
			}
		}
	}
	f.closeAndCheck(t)
}

// A conversion with other Dust is another packet too.
func TestConversionWithOtherDustIsAConflict(t *testing.T) {
	t.Parallel()
	f := newFixture(t, transfers.Config{}, nil)
	p := transfers.Packet{From: f.alice, To: f.bobEUR, In: 100, Out: 5, Dust: 3, Hold: time.Minute}
	held, err := f.recorder.Prepare(t.Context(), p)
	require.NoError(t, err)
	other := held.Packet
	other.Dust = 0
	_, err = f.recorder.Fulfill(t.Context(), other)
	require.ErrorIs(t, err, ledger.ErrIDConflict)
	_, err = f.recorder.Fulfill(t.Context(), rebuildPacket(held.Packet))
	require.NoError(t, err)
	f.closeAndCheck(t)
}

// The prepare is not in the ledger yet: it goes in the same request.
func TestResolutionOfAnotherPacketBesideItsPrepare(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, slow := newStalledFixture(t, transfers.Config{Lanes: 1})
		f.submit(t, transfers.ForwardOp(f.packet(1, 1)))
		<-slow.requests
		p := f.packet(100, 90)
		p.ID = ledger.NewID(1<<8, 5)
		other := p
		other.In = other.Out
		futures := f.submit(t, transfers.PrepareOp(p), transfers.FulfillOp(other))
		slow.proceed <- nil
		require.Len(t, <-slow.requests, 2, "the prepare")
		slow.proceed <- nil
		require.NoError(t, futures[0].Wait(t.Context()).Err)
		require.ErrorIs(t, futures[1].Wait(t.Context()).Err, ledger.ErrIDConflict)
		slow.closeAll(t, f)
	})
}

// A late fulfill is booked by the packet's fields, so it is compared too.
func TestLateFulfillOfAnotherPacketIsAConflict(t *testing.T) {
	t.Parallel()
	f, w := newLateFixture(t, transfers.Config{})
	held, err := f.recorder.Prepare(t.Context(), f.packet(100, 90))
	require.NoError(t, err)
	w.advance(time.Hour)
	for name, change := range f.others(t) {
		other := held.Packet
		change(&other)
		_, err = f.recorder.Fulfill(t.Context(), other)
		require.ErrorIs(t, err, ledger.ErrIDConflict, name)
	}
	got, err := f.recorder.Fulfill(t.Context(), held.Packet)
	require.NoError(t, err)
	require.True(t, got.Late)
	require.Equal(t, int64(90), f.position(t, f.bob))
	f.closeAndCheck(t)
}

// A prepare refused because its id belongs to another packet does not verify its own fulfill:
// the fulfill is compared with the hold.
func TestFulfillOfARefusedPrepareIsAConflict(t *testing.T) {
	t.Parallel()
	f := newFixture(t, transfers.Config{}, nil)
	p := f.packet(100, 90)
	p.ID = ledger.NewID(1<<8, 5)
	held, err := f.recorder.Prepare(t.Context(), p)
	require.NoError(t, err)
	p.In = 90
	refused, err := f.recorder.Prepare(t.Context(), p)
	require.ErrorIs(t, err, ledger.ErrIDConflict)
	_, err = f.recorder.Fulfill(t.Context(), refused.Packet)
	require.ErrorIs(t, err, ledger.ErrIDConflict)
	_, err = f.recorder.Fulfill(t.Context(), held.Packet)
	require.NoError(t, err)
	f.closeAndCheck(t)
}

// The ledger is closed when holds are to be read: all waiting operations and later ones get
// that error.
func TestWhatIsHeldCannotBeReadAnyMore(t *testing.T) {
	t.Parallel()
	f := newFixture(t, transfers.Config{Lanes: 1}, nil)
	held, err := f.recorder.Prepare(t.Context(), f.packet(100, 90))
	require.NoError(t, err)
	require.NoError(t, f.embedded.Close())
	got, err := f.recorder.Fulfill(t.Context(), rebuildPacket(held.Packet))
	require.ErrorIs(t, err, ledger.ErrClosed)
	require.Equal(t, ledger.OutcomeRefused, got.Outcome)
	_, err = f.recorder.TrySubmit(transfers.PrepareOp(f.packet(1, 1)))
	require.ErrorIs(t, err, ledger.ErrClosed)
	require.NoError(t, f.recorder.Close(t.Context()))
}

// readingLedger counts the requests for transfers, and fails some.
type readingLedger struct {
	ledger.Ledger
	requests atomic.Int32
	away     atomic.Bool
}

func (r *readingLedger) LookupTransfers(ctx context.Context, ids []ledger.ID) ([]ledger.Transfer, error) {
	r.requests.Add(1)
	if r.away.Load() {
		return nil, fmt.Errorf("%w: %w", ledger.ErrOutcomeUnknown, errNoConnection) // it is about a read, and says nothing
	}
	return r.Ledger.LookupTransfers(ctx, ids)
}

// Holds are read only for a packet other than the one of the prepare's Result: for many
// packets at once, again after an error, and not after the end.
func TestWhatIsHeldIsReadOnlyIfItMust(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &readingLedger{}
		f := newFixture(t, transfers.Config{Lanes: 1}, func(l ledger.Ledger) ledger.Ledger { r.Ledger = l; return r })
		prepare := func() transfers.Packet {
			held, err := f.recorder.Prepare(t.Context(), f.packet(2, 1))
			require.NoError(t, err)
			return held.Packet
		}
		_, err := f.recorder.Fulfill(t.Context(), prepare())
		require.NoError(t, err)
		again, err := f.recorder.Prepare(t.Context(), prepare())
		require.NoError(t, err)
		_, err = f.recorder.Reject(t.Context(), again.Packet)
		require.NoError(t, err)
		require.Zero(t, r.requests.Load())

		_, err = f.recorder.Reject(t.Context(), rebuildPacket(prepare()))
		require.NoError(t, err)
		require.Equal(t, int32(1), r.requests.Load())

		late := prepare()
		r.away.Store(true)
		future := f.submit(t, transfers.FulfillOp(rebuildPacket(late)))[0]
		time.Sleep(5 * time.Second) //nolint:forbidigo // virtual time
		require.Greater(t, r.requests.Load(), int32(3))
		require.ErrorIs(t, future.Wait(canceled(t.Context())).Err, ledger.ErrOutcomeUnknown)
		r.away.Store(false)
		require.NoError(t, future.Wait(t.Context()).Err)

		r.away.Store(true)
		left := f.submit(t, transfers.FulfillOp(rebuildPacket(prepare())))[0]
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err = f.recorder.Close(ctx)
		var unfinished *transfers.CloseError
		require.ErrorAs(t, err, &unfinished)
		require.Len(t, unfinished.UnsentOps, 1)
		require.ErrorIs(t, left.Wait(t.Context()).Err, transfers.ErrRecorderClosed)
		require.NotErrorIs(t, left.Wait(t.Context()).Err, ledger.ErrOutcomeUnknown)
		require.NoError(t, f.embedded.Close())
	})
}

// A fulfill of a changed packet was in the journal when the process died: the next recorder
// refuses it, and posts nothing.
func TestReplayOfAnotherPacketIsAConflict(t *testing.T) {
	t.Parallel()
	f := newFixture(t, transfers.Config{}, nil)
	held, err := f.recorder.Prepare(t.Context(), f.packet(100, 90))
	require.NoError(t, err)
	unreadable := &readingLedger{Ledger: f.embedded}
	unreadable.away.Store(true)
	folder := newFolder(t)
	r := f.newJournaled(t, folder, &eventLog{}, unreadable)
	other := held.Packet
	other.In = 90
	_, err = r.Submit(t.Context(), transfers.FulfillOp(other))
	require.NoError(t, err)
	killed := readFiles(t, folder).writeFolder(t)
	_ = r.Close(canceled(t.Context()))
	h := &eventLog{}
	require.NoError(t, f.newJournaled(t, killed, h, nil).Close(t.Context()))
	replayed := h.takeReplayed()
	require.Len(t, replayed, 1)
	require.ErrorIs(t, replayed[0].Err, ledger.ErrIDConflict)
	b, err := f.book.Balance(t.Context(), f.alice)
	require.NoError(t, err)
	require.Equal(t, units(100), b.HeldIn)
	_, err = f.recorder.Reject(t.Context(), held.Packet)
	require.NoError(t, err)
	f.closeAndCheck(t)
}
