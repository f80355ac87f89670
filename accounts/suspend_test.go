package accounts_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

var lifeScenarios = []scenario{
	{"peer suspended and resumed", testSuspend},
	{"peer suspended and its line revoked", testSuspendRevokes},
	{"peer suspended by many operators", testManySuspend},
	{"peer suspended by an operator who is late", testLateSuspend},
	{"peer closed and reopened", testClosePeer},
	{"peer closed while something is owed", testCloseOwed},
	{"peer closed while something is held", testCloseHeld},
	{"peer closed by many operators", testManyClose},
}

func testSuspend(t *testing.T, l ledger.Ledger) {
	ctx, book := t.Context(), newBook(t, l)
	peers := provision(t, book, 100, "alice", "bob")
	alice, bob := peers[0], peers[1]
	toPost := movePacket(t, l, alice.ID(), bob.ID(), 30, ledger.TransferPending)
	toVoid := movePacket(t, l, alice.ID(), bob.ID(), 10, ledger.TransferPending)
	_, mark, err := book.Suspensions(ctx, time.Time{})
	require.NoError(t, err)

	require.NoError(t, book.SuspendPeer(ctx, alice, accounts.WithReasonCode(9)))
	require.NoError(t, book.SuspendPeer(ctx, alice, accounts.WithReasonCode(10)), "suspended already")
	require.True(t, balance(t, newBook(t, l), alice).Suspended)
	require.False(t, balance(t, book, bob).Suspended)
	_, err = book.ExtendCredit(ctx, alice, units(1))
	require.ErrorIs(t, err, accounts.ErrSuspended)

	// Held packets are resolved as before, and settlements continue.
	resolveHold(t, l, toPost, ledger.TransferPostPending)
	resolveHold(t, l, toVoid, ledger.TransferVoidPending)
	movePacket(t, l, book.PeerIDs(alice).Settlement, alice.ID(), 5, 0)
	require.Equal(t, units(25), balance(t, book, alice).Receivable)

	changes, last, err := book.Suspensions(ctx, mark)
	require.NoError(t, err)
	require.Equal(t, []accounts.SuspensionChange{{Peer: alice.ID(), Suspended: true}}, changes)
	changes, again, err := book.Suspensions(ctx, last.Add(-time.Nanosecond))
	require.NoError(t, err)
	require.Equal(t, []accounts.SuspensionChange{{Peer: alice.ID(), Suspended: true}}, changes, "a nanosecond earlier")
	require.Equal(t, last, again)
	changes, again, err = book.Suspensions(ctx, last)
	require.NoError(t, err)
	require.Empty(t, changes)
	require.Equal(t, last, again)

	require.NoError(t, book.ResumePeer(ctx, alice))
	require.NoError(t, book.ResumePeer(ctx, alice), "resumed already")
	require.False(t, balance(t, book, alice).Suspended)
	changes, last, err = book.Suspensions(ctx, last)
	require.NoError(t, err)
	require.Equal(t, []accounts.SuspensionChange{{Peer: alice.ID(), Suspended: false}}, changes)
	_, err = book.ExtendCredit(ctx, alice, units(1))
	require.NoError(t, err)

	require.NoError(t, book.SuspendPeer(ctx, alice), "again")
	require.True(t, balance(t, book, alice).Suspended)
	require.NoError(t, book.ResumePeer(ctx, alice))
	changes, _, err = book.Suspensions(ctx, last)
	require.NoError(t, err)
	require.Len(t, changes, 2)
	ledgertest.RequireNothingHeld(t, l)
}

func testSuspendRevokes(t *testing.T, l ledger.Ledger) {
	ctx, book := t.Context(), newBook(t, l)
	peers := provision(t, book, 100, "alice", "bob")
	alice := peers[0]
	movePacket(t, l, alice.ID(), peers[1].ID(), 30, 0)
	require.NoError(t, book.SuspendPeer(ctx, alice, accounts.WithFreeRevoked()))
	b := balance(t, book, alice)
	require.Equal(t, units(30), b.CreditLine)
	require.Zero(t, b.Headroom, "it cannot send any more")
	require.True(t, b.Suspended)

	// A suspension is ended and begun again to revoke headroom that became free meanwhile.
	movePacket(t, l, book.PeerIDs(alice).Settlement, alice.ID(), 12, 0)
	require.NoError(t, book.SuspendPeer(ctx, alice, accounts.WithFreeRevoked()))
	b = balance(t, book, alice)
	require.Equal(t, units(18), b.CreditLine)
	require.True(t, b.Suspended)
	require.NoError(t, book.ResumePeer(ctx, alice))
	got, err := book.SetCreditLine(ctx, alice, units(100))
	require.NoError(t, err)
	require.Equal(t, units(18), got.Before)
	ledgertest.RequireNothingHeld(t, l)
}

func suspendOptions(freeRevoked bool, reasonCode uint32) []accounts.SuspendOption {
	options := []accounts.SuspendOption{accounts.WithReasonCode(reasonCode)}
	if freeRevoked {
		options = append(options, accounts.WithFreeRevoked())
	}
	return options
}

func testManySuspend(t *testing.T, l ledger.Ledger) {
	book := newBook(t, l)
	alice := provision(t, book, 100, "alice")[0]
	var operators sync.WaitGroup
	for n := range 12 {
		operators.Go(func() {
			successes, ctx := newBook(t, l), t.Context()
			for range 4 {
				if err := successes.SuspendPeer(ctx, alice, suspendOptions(n%3 == 0, uint32(n))...); err != nil {
					t.Error(err)
				}
				if err := successes.ResumePeer(ctx, alice); err != nil {
					t.Error(err)
				}
			}
		})
	}
	operators.Wait()
	require.False(t, balance(t, book, alice).Suspended, "each has resumed what it had suspended")
	require.NoError(t, book.SuspendPeer(t.Context(), alice))
	require.True(t, balance(t, book, alice).Suspended)
	ledgertest.RequireNothingHeld(t, l)
}

// An operator decides to suspend a peer. Before the operator writes, a concurrent operator, who
// had to skip a burnt id, has suspended and resumed the peer. Later operators can still suspend
// the peer, and change its line.
func testLateSuspend(t *testing.T, l ledger.Ledger) {
	ctx, book := t.Context(), newBook(t, l)
	alice := provision(t, book, 100, "alice")[0]
	line := book.PeerIDs(alice).Line
	burnt := ledger.Transfer{
		ID:             chart.Namespace(book.Namespace()).Derive("line", chart.ID(line), chart.U64(2)),
		DebitAccountID: randomID(), CreditAccountID: alice.ID(), Amount: units(1), Ledger: usd.Ledger, Code: chart.CodeGrant,
	}
	results, err := l.CreateTransfers(ctx, []ledger.Transfer{burnt})
	require.NoError(t, err)
	require.Equal(t, ledger.TransferDebitAccountNotFound, results[0].Status)

	late := &interrupted{Ledger: l, do: func() {
		require.NoError(t, book.SuspendPeer(ctx, alice, accounts.WithFreeRevoked(), accounts.WithReasonCode(1)))
		require.NoError(t, book.ResumePeer(ctx, alice))
	}}
	require.NoError(t, newBook(t, late).SuspendPeer(ctx, alice, accounts.WithReasonCode(2)))
	for n := range 4 {
		require.True(t, balance(t, book, alice).Suspended)
		require.NoError(t, book.ResumePeer(ctx, alice))
		_, err := book.SetCreditLine(ctx, alice, units(uint64(50+n)))
		require.NoError(t, err)
		require.NoError(t, book.SuspendPeer(ctx, alice, suspendOptions(n%2 == 0, uint32(3+n))...))
	}
	ledgertest.RequireNothingHeld(t, l)
}
