package aggregate_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
)

// reserveAll lets a recorder reserve all that a peer has, and hold none of it.
func (f *fixture) reserveAll(t *testing.T, n node, peer int) {
	t.Helper()
	b, err := f.book.LookUpBalances(t.Context(), f.peers[peer])
	require.NoError(t, err)
	all, _ := b[0].Headroom.Uint64()
	held, err := n.recorder.Prepare(t.Context(), f.packet(peer, 2, all, all))
	require.NoError(t, err)
	_, err = n.recorder.Reject(t.Context(), held.Packet)
	require.NoError(t, err)
	require.Equal(t, all, f.heldIn(t, peer))
}

// A reservation counts as held: a line that is reserved is not reduced, and a peer with reservations is not closed.
// Within a poll interval of a suspension the reservations are given back. Then the peer can be closed, or its free line
// revoked before it is resumed: recorders have nothing to reserve then.
func TestOperatorsBesideReservations(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, embedded.New(), 1000)
		n := f.connect(t, settlement.Config{}, false)
		ctx := t.Context()
		f.reserveAll(t, n, 0)
		_, err := f.book.SetCreditLine(ctx, f.peers[0], units(400))
		require.ErrorIs(t, err, accounts.ErrLineInUse)
		require.ErrorIs(t, f.book.ClosePeer(ctx, f.peers[0]), accounts.ErrHeld)
		require.Equal(t, uint64(1000), f.heldIn(t, 0))

		require.NoError(t, f.book.SuspendPeer(ctx, f.peers[0]))
		sleepVirtual(aPoll)
		require.Zero(t, f.heldIn(t, 0))
		require.NoError(t, f.book.SuspendPeer(ctx, f.peers[0], accounts.WithFreeRevoked()))
		require.NoError(t, f.book.ResumePeer(ctx, f.peers[0]))
		sleepVirtual(aPoll)
		require.Zero(t, f.heldIn(t, 0))
		change, err := f.book.SetCreditLine(ctx, f.peers[0], units(400))
		require.NoError(t, err)
		require.Zero(t, change.Before)
		sleepVirtual(aPoll)
		_, err = n.recorder.Prepare(ctx, f.packet(0, 1, 401, 401))
		require.ErrorIs(t, err, transfers.ErrCreditLine)
		require.Equal(t, uint64(400), f.heldIn(t, 0), "the new line is reserved")

		require.NoError(t, f.book.SuspendPeer(ctx, f.peers[0]))
		sleepVirtual(aPoll)
		require.NoError(t, f.book.ClosePeer(ctx, f.peers[0]))
		sleepVirtual(aPoll)
		_, err = n.recorder.Prepare(ctx, f.packet(0, 1, 1, 1))
		require.ErrorIs(t, err, accounts.ErrPeerClosed)
		n.close(t)
		f.requireSettled(t, newPayer())
	})
}

// The reservation of a packet in flight stays, also of a suspended peer, until the packet ends.
func TestCloseAfterPacketsInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, embedded.New(), 1000)
		n := f.connect(t, settlement.Config{}, false)
		ctx := t.Context()
		held, err := n.recorder.Prepare(ctx, f.packet(0, 1, 30, 30))
		require.NoError(t, err)
		require.NoError(t, f.book.SuspendPeer(ctx, f.peers[0]))
		sleepVirtual(aPoll)
		require.Equal(t, uint64(30), f.heldIn(t, 0))
		require.ErrorIs(t, f.book.ClosePeer(ctx, f.peers[0]), accounts.ErrHeld)
		_, err = n.recorder.Reject(ctx, held.Packet)
		require.NoError(t, err)
		sleepVirtual(aPoll)
		require.NoError(t, f.book.ClosePeer(ctx, f.peers[0]))
		n.close(t)
		f.requireSettled(t, newPayer())
	})
}

// What a receiver earns in a round after its closing waits, and is given back as earned, once, and paid.
func TestEarnedByAClosedReceiver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, pays := newFixture(t, embedded.New(), 1000), newPayer()
		n := f.connect(t, settledBy(pays, inFull(98)), false)
		ctx, bob := t.Context(), f.peers[1]
		held, err := n.recorder.Prepare(ctx, f.packet(0, 1, 100, 98))
		require.NoError(t, err)
		require.NoError(t, f.book.ClosePeer(ctx, bob))
		_, err = n.recorder.Fulfill(ctx, held.Packet)
		require.NoError(t, err)
		require.NoError(t, n.recorder.Flush(ctx))
		waiting := func() uint64 {
			b, err := f.book.Balance(ctx, bob)
			require.NoError(t, err)
			amounts, err := f.book.WaitingInSuspense(ctx, b)
			require.NoError(t, err)
			amount, _ := amounts[0].Uint64()
			return amount
		}
		require.Equal(t, uint64(98), waiting())
		_, err = n.engine.Release(ctx, bob)
		require.ErrorIs(t, err, accounts.ErrPeerClosed)
		require.NoError(t, f.book.ReopenPeer(ctx, bob))
		for _, want := range []int{1, 0} {
			released, err := n.engine.Release(ctx, bob)
			require.NoError(t, err)
			require.Len(t, released.Payments, want)
			require.Zero(t, waiting())
		}
		pass()
		require.Equal(t, uint64(98), pays.total(bob))
		b, err := f.book.Balance(ctx, bob)
		require.NoError(t, err)
		require.Equal(t, units(98), b.Earned)
		require.Zero(t, b.Payable)
		n.close(t)
		f.requireSettled(t, pays)
	})
}

// A payment of the peer is headroom for its next packet, without a wait for a look, whatever rounds run.
func TestPayWhileRoundsRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, embedded.New(), 0)
		n := f.connect(t, settlement.Config{}, false)
		ctx := t.Context()
		sent := uint64(0)
		for i := range uint64(40) {
			in := settlement.IncomingPayment{Account: f.peers[0], Key: fmt.Sprint("key ", i), Amount: units(10 + i)}
			booked, err := n.engine.RecordIncoming(ctx, in)
			require.NoError(t, err)
			require.False(t, booked.AlreadyBooked)
			held, err := n.recorder.Prepare(ctx, f.packet(0, 1, 10+i, 10+i))
			require.NoError(t, err, "the payment %d", i)
			_, err = n.recorder.Fulfill(ctx, held.Packet)
			require.NoError(t, err)
			sent += 10 + i
			if i%7 == 0 {
				pass()
			}
		}
		_, err := n.recorder.Prepare(ctx, f.packet(0, 1, 1, 1))
		require.ErrorIs(t, err, transfers.ErrCreditLine)
		n.close(t)
		b, err := f.book.Balance(ctx, f.peers[0])
		require.NoError(t, err)
		require.Equal(t, units(sent), b.Sent)
		require.Equal(t, units(sent), b.SettledIn)
		require.Zero(t, b.Payable)
		require.Zero(t, b.Receivable)
		f.requireSettled(t, newPayer())
	})
}

// Reservations do not keep arrears from being collected: a peer in arrears, whose packets are refused, gives them back.
func TestArrearsBesideReservations(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, embedded.New(), 1000)
		cfg := settledBy(newPayer(), inFull(1))
		cfg.SweepInterval = time.Second
		n := f.connect(t, cfg, false)
		ctx := t.Context()
		n.engine.Enqueue(f.peers)
		f.reserveAll(t, n, 0)
		_, err := f.book.Adjust(ctx, accounts.Adjustment{Account: f.peers[0], Key: "a", Debit: units(300), ReasonCode: 1, BeyondHeadroom: true})
		require.NoError(t, err)
		b, err := f.book.Balance(ctx, f.peers[0])
		require.NoError(t, err)
		require.Equal(t, units(300), b.Arrears)
		for range 5 { // two looks of the recorder, one of the engine
			sleepVirtual(aPoll)
		}
		held, err := n.recorder.Prepare(ctx, f.packet(0, 1, 700, 700))
		require.NoError(t, err)
		_, err = n.recorder.Reject(ctx, held.Packet)
		require.NoError(t, err)
		n.close(t)
		f.requireSettled(t, newPayer())
	})
}
