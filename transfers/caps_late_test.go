package transfers_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
)

// A late fulfill is owed in addition to the packets admitted since its hold expired.
func TestLateFulfillCountsForTheCap(t *testing.T) {
	t.Parallel()
	w := newVirtualClock()
	l := embedded.New(embedded.WithClock(w.Now))
	f := newCapped(t, l, capSettings(100, ""), transfers.Config{Clock: w.Now})
	held, err := f.recorder.Prepare(t.Context(), f.packet(100, 100))
	require.NoError(t, err)
	w.advance(time.Hour)
	us, err := f.book.OwnAccount(usd)
	require.NoError(t, err)
	_, err = f.recorder.Forward(t.Context(), transfers.Packet{From: f.alice, To: us, In: 1, Out: 1}) // a request lets the hold expire
	require.NoError(t, err)
	// The new recorder reads the peers before its first packet.
	r, err := transfers.NewRecorder(l, f.book, transfers.Config{Clock: w.Now})
	require.NoError(t, err)
	warm, err := r.Prepare(t.Context(), f.packet(1, 1))
	require.NoError(t, err)
	got, err := r.Fulfill(t.Context(), held.Packet)
	require.NoError(t, err)
	require.True(t, got.Late)
	_, err = r.Prepare(t.Context(), f.packet(1, 1))
	require.ErrorIs(t, err, transfers.ErrPayableCap)
	_, err = r.Reject(t.Context(), warm.Packet)
	require.NoError(t, err)
	require.NoError(t, r.Close(t.Context()))
	f.closeAndCheck(t)
}

// A fulfill left in the journal may be late, so it counts from the start.
func TestReplayedFulfillCountsForTheCap(t *testing.T) {
	t.Parallel()
	f := newCapped(t, embedded.New(), capSettings(100, ""), transfers.Config{})
	held, err := f.recorder.Prepare(t.Context(), f.packet(100, 100))
	require.NoError(t, err)
	folder := newFolder(t)
	f.leaveInJournal(t, folder, false, held.Packet)
	_, err = f.recorder.Reject(t.Context(), held.Packet) // as if the hold had expired
	require.NoError(t, err)
	silent := newSilentLedger(f.embedded, false, 0)
	r := f.newJournaled(t, folder, &eventLog{}, silent)
	_, err = r.Submit(t.Context(), transfers.PrepareOp(f.packet(1, 1)))
	require.ErrorIs(t, err, transfers.ErrPayableCap)
	<-silent.asked
	require.Error(t, r.Close(canceled(t.Context())))
	f.closeAndCheck(t)
}
