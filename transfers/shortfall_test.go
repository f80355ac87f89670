package transfers_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// The result of a late fulfill has the Shortfall: to the caller, in Events.Late, and after
// recording it again.
func TestShortfallOfALateFulfill(t *testing.T) {
	t.Parallel()
	for _, c := range lateCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var told []transfers.Result
			f, w := newLateFixture(t, transfers.Config{Lanes: 1, Events: transfers.Events{Late: func(late []transfers.Result) {
				told = append(told, late...)
			}}})
			p := f.holdExpired(t, w)
			f.closeAccounts(t, c.sender, c.receiver)
			want := uint64(600)
			if !c.sender {
				want = 300 // its line of 1000 had 300 left
			}
			for range 2 {
				got, err := f.recorder.Fulfill(t.Context(), p)
				require.NoError(t, err)
				require.True(t, got.Late)
				require.Equal(t, want, got.Shortfall)
				require.False(t, got.ShortfallUnknown)
			}
			require.Equal(t, int64(want), f.arrears(t, f.alice))
			require.Len(t, told, 2)
			require.Equal(t, want, told[0].Shortfall)
			f.closeAndCheck(t)
		})
	}
}

// The shortfall is 0 if the account covers the packet, in time, for our own packets, and if a
// later packet's correction collects earlier arrears.
func TestShortfallOfNothing(t *testing.T) {
	t.Parallel()
	f, w := newLateFixture(t, transfers.Config{AllowArrears: true})
	inTime, err := f.recorder.Forward(t.Context(), f.packet(100, 100))
	require.NoError(t, err)
	require.Zero(t, inTime.Shortfall)
	p := f.holdOf(t, w, f.packet(200, 200)) // 800 of 1000 are used
	late, err := f.recorder.Fulfill(t.Context(), p)
	require.NoError(t, err)
	require.True(t, late.Late)
	require.Zero(t, late.Shortfall)
	beyond, err := f.recorder.Forward(t.Context(), f.packet(150, 150))
	require.NoError(t, err)
	require.True(t, beyond.Late)
	require.Equal(t, uint64(150), beyond.Shortfall)
	own, err := f.book.OwnAccount(usd)
	require.NoError(t, err)
	_, err = f.recorder.Forward(t.Context(), transfers.Packet{From: own, To: f.alice, Out: 160})
	require.NoError(t, err)
	more, err := f.recorder.Forward(t.Context(), f.packet(170, 170)) // 160 are left, and 150 are owed
	require.NoError(t, err)
	require.True(t, more.Late)
	require.Equal(t, uint64(10), more.Shortfall)
	ours := f.holdOfOurs(t, w)
	got, err := f.recorder.Fulfill(t.Context(), ours)
	require.NoError(t, err)
	require.True(t, got.Late)
	require.Zero(t, got.Shortfall)
	f.closeAndCheck(t)
}

// holdOfOurs returns a packet from ourselves whose hold has expired.
func (f *fixture) holdOfOurs(t *testing.T, w *virtualClock) transfers.Packet {
	t.Helper()
	own, err := f.book.OwnAccount(usd)
	require.NoError(t, err)
	held, err := f.recorder.Prepare(t.Context(), transfers.Packet{From: own, To: f.bob, In: 5, Out: 5, Hold: time.Minute})
	require.NoError(t, err)
	w.advance(time.Hour)
	_, err = f.recorder.Forward(t.Context(), transfers.Packet{From: own, To: f.bob, Out: 1}) // lets the hold expire
	require.NoError(t, err)
	return held.Packet
}

// The ledger is down when the shortfall is to be read: the answer waits. If the recorder is
// closed first, the packet is booked, and the shortfall is unknown, not 0.
func TestShortfallThatCannotBeRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &readingLedger{}
		f := newFixture(t, transfers.Config{Lanes: 1, AllowArrears: true}, func(l ledger.Ledger) ledger.Ledger { r.Ledger = l; return r })
		r.away.Store(true)
		future := f.submit(t, transfers.ForwardOp(f.packet(1100, 1100)))[0]
		time.Sleep(10 * time.Second) //nolint:forbidigo // virtual time
		require.Equal(t, ledger.OutcomeUnknown, future.Wait(canceled(t.Context())).Outcome)
		r.away.Store(false)
		got := future.Wait(t.Context())
		require.NoError(t, got.Err)
		require.Equal(t, uint64(100), got.Shortfall)

		r.away.Store(true)
		future = f.submit(t, transfers.ForwardOp(f.packet(40, 40)))[0]
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.NoError(t, f.recorder.Close(ctx), "the forward is booked")
		got = future.Wait(t.Context())
		require.NoError(t, got.Err)
		require.True(t, got.Late)
		require.True(t, got.ShortfallUnknown)
		next, err := transfers.NewRecorder(f.embedded, f.book, transfers.Config{})
		require.NoError(t, err)
		again, err := next.Forward(t.Context(), got.Packet)
		require.NoError(t, err)
		require.Equal(t, ledger.OutcomeAlreadyApplied, again.Outcome)
		require.False(t, again.ShortfallUnknown)
		require.Equal(t, uint64(40), again.Shortfall)
		require.NoError(t, next.Close(t.Context()))
		require.NoError(t, f.embedded.Close())
	})
}
