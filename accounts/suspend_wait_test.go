package accounts_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// The wait ends an interval after the last hold has: a connector that had not seen the suspension may have taken a
// packet just before.
func TestWaitForHolds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := embedded.New()
		book := newBook(t, l)
		peers := provision(t, book, 100, "alice", "bob")
		alice, bob := peers[0], peers[1]
		require.ErrorIs(t, book.WaitForHolds(t.Context(), alice), accounts.ErrNotSuspended)

		toAlice := movePacket(t, l, bob.ID(), alice.ID(), 30, ledger.TransferPending)
		require.NoError(t, book.SuspendPeer(t.Context(), alice))
		began := time.Now()
		ends := make(chan error, 1)
		go func() { ends <- book.WaitForHolds(t.Context(), alice) }()
		passTime(2500 * time.Millisecond) // two looks found the 30
		fromAlice := movePacket(t, l, alice.ID(), bob.ID(), 10, ledger.TransferPending)
		resolveHold(t, l, toAlice, ledger.TransferPostPending)
		passTime(time.Second) // the look at 3 s found the 10
		resolveHold(t, l, fromAlice, ledger.TransferVoidPending)
		passTime(time.Second)
		late := movePacket(t, l, alice.ID(), bob.ID(), 5, ledger.TransferPending)
		passTime(time.Second) // the look at 4 s found nothing, the one at 5 s the 5
		resolveHold(t, l, late, ledger.TransferVoidPending)
		require.NoError(t, <-ends)
		require.Equal(t, 7*time.Second, time.Since(began), "looks at 6 and 7 s find nothing")

		// An order holds its amount for as long as the rail takes: it is no packet.
		movePacket(t, l, bob.ID(), alice.ID(), 40, 0)
		movePacket(t, l, alice.ID(), book.PeerIDs(alice).Settlement, 20, ledger.TransferPending)
		require.NoError(t, book.WaitForHolds(t.Context(), alice))
	})
}

// A wait that ends too early tells what was held.
func TestWaitForHoldsThatStay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := embedded.New()
		book := newBook(t, l)
		peers := provision(t, book, 100, "alice", "bob")
		hold := movePacket(t, l, peers[0].ID(), peers[1].ID(), 30, ledger.TransferPending)
		require.NoError(t, book.SuspendPeer(t.Context(), peers[0]))
		errTime := errors.New("ten seconds are over")
		wait := func(limit time.Duration) error {
			ctx, cancel := context.WithTimeoutCause(t.Context(), limit, errTime)
			defer cancel()
			return book.WaitForHolds(ctx, peers[0])
		}
		err := wait(10*time.Second - 1)
		require.ErrorIs(t, err, errTime)
		held := new(accounts.HeldError)
		require.ErrorAs(t, err, &held)
		require.Equal(t, units(30), held.HeldIn)

		require.EqualError(t, wait(time.Second-1), "wait for the packets of alice on ledger 1: ten seconds are over", "before the first look")
		resolveHold(t, l, hold, ledger.TransferVoidPending)
		err = wait(2*time.Second - 1)
		require.ErrorIs(t, err, errTime)
		require.NotErrorIs(t, err, accounts.ErrHeld, "one look found nothing held")

		ends := make(chan error, 1)
		go func() { ends <- book.WaitForHolds(t.Context(), peers[0]) }()
		passTime(1500 * time.Millisecond)
		require.NoError(t, book.ResumePeer(t.Context(), peers[0]))
		require.ErrorIs(t, <-ends, accounts.ErrNotSuspended)
	})
}

// passTime lets virtual time pass.
func passTime(d time.Duration) { time.Sleep(d) } //nolint:forbidigo // in synctest
