package accounts_test

import (
	"context"
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

// quickBook makes a book with a short poll interval.
func quickBook(t *testing.T, l ledger.Ledger) *accounts.Book {
	t.Helper()
	book, err := accounts.NewBook(l, accounts.Config{
		Namespace: t.Name(), Assets: []accounts.Asset{usd, xrp}, SuspensionPollInterval: time.Millisecond,
	})
	require.NoError(t, err)
	return book
}

func testSuspend(t *testing.T, l ledger.Ledger) {
	ctx, book := t.Context(), newBook(t, l)
	peers := provision(t, book, 100, "alice", "bob")
	alice, bob := peers[0], peers[1]
	toPost := movePacket(t, l, alice.ID(), bob.ID(), 30, ledger.TransferPending)
	toVoid := movePacket(t, l, alice.ID(), bob.ID(), 10, ledger.TransferPending)
	_, mark, err := book.Suspensions(ctx, time.Time{})
	require.NoError(t, err)

	require.NoError(t, book.Suspend(ctx, alice, accounts.SuspendOptions{ReasonCode: 9}))
	require.NoError(t, book.Suspend(ctx, alice, accounts.SuspendOptions{ReasonCode: 10}), "suspended already")
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

	require.NoError(t, book.Resume(ctx, alice))
	require.NoError(t, book.Resume(ctx, alice), "resumed already")
	require.False(t, balance(t, book, alice).Suspended)
	changes, last, err = book.Suspensions(ctx, last)
	require.NoError(t, err)
	require.Equal(t, []accounts.SuspensionChange{{Peer: alice.ID(), Suspended: false}}, changes)
	_, err = book.ExtendCredit(ctx, alice, units(1))
	require.NoError(t, err)

	require.NoError(t, book.Suspend(ctx, alice, accounts.SuspendOptions{}), "again")
	require.True(t, balance(t, book, alice).Suspended)
	require.NoError(t, book.Resume(ctx, alice))
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
	require.NoError(t, book.Suspend(ctx, alice, accounts.SuspendOptions{RevokeFree: true}))
	b := balance(t, book, alice)
	require.Equal(t, units(30), b.CreditLine)
	require.Zero(t, b.Headroom, "it cannot send any more")
	require.True(t, b.Suspended)

	// A suspension is ended and begun again to revoke headroom that became free meanwhile.
	movePacket(t, l, book.PeerIDs(alice).Settlement, alice.ID(), 12, 0)
	require.NoError(t, book.Suspend(ctx, alice, accounts.SuspendOptions{RevokeFree: true}))
	b = balance(t, book, alice)
	require.Equal(t, units(18), b.CreditLine)
	require.True(t, b.Suspended)
	require.NoError(t, book.Resume(ctx, alice))
	got, err := book.SetCreditLine(ctx, alice, units(100))
	require.NoError(t, err)
	require.Equal(t, units(18), got.Before)
	ledgertest.RequireNothingHeld(t, l)
}

func testManySuspend(t *testing.T, l ledger.Ledger) {
	book := newBook(t, l)
	alice := provision(t, book, 100, "alice")[0]
	var operators sync.WaitGroup
	for n := range 12 {
		operators.Go(func() {
			successes, ctx := newBook(t, l), t.Context()
			for range 4 {
				if err := successes.Suspend(ctx, alice, accounts.SuspendOptions{RevokeFree: n%3 == 0, ReasonCode: uint32(n)}); err != nil {
					t.Error(err)
				}
				if err := successes.Resume(ctx, alice); err != nil {
					t.Error(err)
				}
			}
		})
	}
	operators.Wait()
	require.False(t, balance(t, book, alice).Suspended, "each has resumed what it had suspended")
	require.NoError(t, book.Suspend(t.Context(), alice, accounts.SuspendOptions{}))
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
		require.NoError(t, book.Suspend(ctx, alice, accounts.SuspendOptions{RevokeFree: true, ReasonCode: 1}))
		require.NoError(t, book.Resume(ctx, alice))
	}}
	require.NoError(t, newBook(t, late).Suspend(ctx, alice, accounts.SuspendOptions{ReasonCode: 2}))
	for n := range 4 {
		require.True(t, balance(t, book, alice).Suspended)
		require.NoError(t, book.Resume(ctx, alice))
		_, err := book.SetCreditLine(ctx, alice, units(uint64(50+n)))
		require.NoError(t, err)
		require.NoError(t, book.Suspend(ctx, alice, accounts.SuspendOptions{RevokeFree: n%2 == 0, ReasonCode: uint32(3 + n)}))
	}
	ledgertest.RequireNothingHeld(t, l)
}

func testClosePeer(t *testing.T, l ledger.Ledger) {
	ctx, book := t.Context(), quickBook(t, l)
	peers := provision(t, book, 100, "alice", "bob")
	alice, bob := peers[0], peers[1]
	require.NoError(t, book.ClosePeer(ctx, alice, accounts.CloseOptions{ReasonCode: 3}))
	require.NoError(t, book.ClosePeer(ctx, alice, accounts.CloseOptions{}), "closed already")
	b := balance(t, book, alice)
	require.True(t, b.Closed)
	require.True(t, b.Suspended)
	for _, row := range []ledger.Transfer{
		{DebitAccountID: alice.ID(), CreditAccountID: bob.ID()}, {DebitAccountID: bob.ID(), CreditAccountID: alice.ID()},
	} {
		row.ID, row.Amount, row.Ledger, row.Code = randomID(), units(1), usd.Ledger, chart.CodePacket
		results, err := l.CreateTransfers(ctx, []ledger.Transfer{row})
		require.NoError(t, err)
		require.Contains(t, []ledger.CreateTransferStatus{
			ledger.TransferDebitAccountAlreadyClosed, ledger.TransferCreditAccountAlreadyClosed,
		}, results[0].Status, "the ledger itself refuses")
	}
	for _, err := range []error{
		book.Suspend(ctx, alice, accounts.SuspendOptions{}), book.Resume(ctx, alice),
		errOf(book.ExtendCredit(ctx, alice, units(1))),
		errOf(book.Adjust(ctx, accounts.Adjustment{Account: alice, Key: "k", Credit: units(1), ReasonCode: 1})),
	} {
		require.ErrorIs(t, err, accounts.ErrPeerClosed)
	}
	_, err := book.Provision(ctx, accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(100)})
	require.NoError(t, err, "a closed peer is not a drifted one")

	require.NoError(t, book.ReopenPeer(ctx, alice))
	require.NoError(t, book.ReopenPeer(ctx, alice), "open already")
	b = balance(t, book, alice)
	require.False(t, b.Closed)
	require.True(t, b.Suspended)
	require.NoError(t, book.Resume(ctx, alice))
	movePacket(t, l, alice.ID(), bob.ID(), 5, 0)
	ledgertest.RequireNothingHeld(t, l)
}

func errOf[T any](_ T, err error) error { return err }

func testCloseOwed(t *testing.T, l ledger.Ledger) {
	ctx, book := t.Context(), quickBook(t, l)
	peers := provision(t, book, 100, "alice", "bob")
	alice, bob := peers[0], peers[1]
	movePacket(t, l, alice.ID(), bob.ID(), 30, 0)
	for _, p := range peers {
		err := book.ClosePeer(ctx, p, accounts.CloseOptions{})
		var owed *accounts.OwedError
		require.ErrorIs(t, err, accounts.ErrOwed)
		require.ErrorAs(t, err, &owed)
		b := balance(t, book, p)
		require.Equal(t, accounts.OwedError{Account: p, Asset: usd, Payable: b.Payable, Receivable: b.Receivable}, *owed)
		require.False(t, b.Suspended, "nothing was changed")
	}
	requireField(t, book.ClosePeer(ctx, alice, accounts.CloseOptions{Force: true}), "ReasonCode")
	for _, p := range peers {
		require.NoError(t, book.ClosePeer(ctx, p, accounts.CloseOptions{Force: true, ReasonCode: 77}))
		b := balance(t, book, p)
		require.True(t, b.Closed)
		require.Zero(t, b.Position().Sign())
	}
	positions, err := book.Positions(ctx)
	require.NoError(t, err)
	require.Zero(t, positions[0].Suspense.Sign(), "what one owed us is what we owed the other")
	rows, err := l.GetAccountTransfers(ctx, ledger.AccountFilter{
		AccountID: alice.ID(), Code: chart.CodeAdjust, Limit: 10, Flags: ledger.AccountFilterDebits | ledger.AccountFilterCredits,
	})
	require.NoError(t, err)
	require.Len(t, rows, 1)
	require.Equal(t, units(30), rows[0].Amount)
	require.Equal(t, uint32(77), rows[0].UserData32)
	ledgertest.RequireNothingHeld(t, l)
}

func testCloseHeld(t *testing.T, l ledger.Ledger) {
	ctx, book := t.Context(), quickBook(t, l)
	peers := provision(t, book, 100, "alice", "bob")
	alice, bob := peers[0], peers[1]
	hold := movePacket(t, l, alice.ID(), bob.ID(), 30, ledger.TransferPending)
	var held *accounts.HeldError
	for _, p := range peers {
		err := book.ClosePeer(ctx, p, accounts.CloseOptions{Force: true, ReasonCode: 1})
		require.ErrorIs(t, err, accounts.ErrHeld)
		require.ErrorAs(t, err, &held)
		require.False(t, balance(t, book, p).Suspended, "nothing was changed")
	}
	resolveHold(t, l, hold, ledger.TransferVoidPending)

	// A packet comes at the last moment, from a connector that has not seen the suspension: the
	// closing is taken back, and the packet can be fulfilled.
	between := &interrupted{Ledger: l}
	slow := quickBook(t, between)
	require.NoError(t, book.Suspend(ctx, bob, accounts.SuspendOptions{}))
	between.do = func() { hold = movePacket(t, l, alice.ID(), bob.ID(), 30, ledger.TransferPending) }
	err := slow.ClosePeer(ctx, bob, accounts.CloseOptions{})
	require.ErrorIs(t, err, accounts.ErrHeld)
	require.ErrorAs(t, err, &held)
	require.Equal(t, accounts.HeldError{Account: bob, Asset: usd, HeldOut: units(30)}, *held)
	b := balance(t, book, bob)
	require.False(t, b.Closed)
	require.True(t, b.Suspended, "as before")
	resolveHold(t, l, hold, ledger.TransferPostPending)

	// The same for a peer that was not suspended before.
	require.NoError(t, book.Resume(ctx, bob))
	_, err = book.Adjust(ctx, accounts.Adjustment{Account: bob, Key: "clean", Debit: units(30), ReasonCode: 1})
	require.NoError(t, err)
	skip := 1             // the suspension
	between.do = func() { // before the suspension; then before the closing
		between.do = func() { hold = movePacket(t, l, alice.ID(), bob.ID(), 3, ledger.TransferPending) }
		skip--
	}
	err = slow.ClosePeer(ctx, bob, accounts.CloseOptions{})
	require.ErrorIs(t, err, accounts.ErrHeld)
	require.Zero(t, skip)
	b = balance(t, book, bob)
	require.False(t, b.Closed)
	require.False(t, b.Suspended, "as before")
	resolveHold(t, l, hold, ledger.TransferPostPending)

	// A call interrupted between closing the account and reading the balance has left a closed
	// peer with a hold: the next call takes the closing back.
	_, err = book.Adjust(ctx, accounts.Adjustment{Account: bob, Key: "clean again", Debit: units(3), ReasonCode: 1})
	require.NoError(t, err)
	cut, cancel := context.WithCancel(ctx)
	between.do = func() {
		between.do = func() {
			hold = movePacket(t, l, alice.ID(), bob.ID(), 4, ledger.TransferPending)
			cancel()
		}
	}
	err = newQuickBookWithoutCancel(t, between).ClosePeer(cut, bob, accounts.CloseOptions{})
	require.ErrorIs(t, err, context.Canceled)
	require.True(t, balance(t, book, bob).Closed)
	require.ErrorIs(t, book.ClosePeer(ctx, bob, accounts.CloseOptions{}), accounts.ErrHeld)
	require.False(t, balance(t, book, bob).Closed)
	resolveHold(t, l, hold, ledger.TransferPostPending)
	ledgertest.RequireNothingHeld(t, l)
}

// newQuickBookWithoutCancel makes a quick book on a ledger that executes transfers also after the
// end of the context: as if the process ended right after the answer.
func newQuickBookWithoutCancel(t *testing.T, l ledger.Ledger) *accounts.Book {
	t.Helper()
	return quickBook(t, uncancelled{l})
}

type uncancelled struct{ ledger.Ledger }

func (u uncancelled) CreateTransfers(ctx context.Context, t []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	return u.Ledger.CreateTransfers(context.WithoutCancel(ctx), t)
}

func (u uncancelled) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return u.Ledger.LookupAccounts(ctx, ids)
}

func testManyClose(t *testing.T, l ledger.Ledger) {
	book := quickBook(t, l)
	alice := provision(t, book, 100, "alice")[0]
	var operators sync.WaitGroup
	for range 12 {
		operators.Go(func() {
			if err := quickBook(t, l).ClosePeer(t.Context(), alice, accounts.CloseOptions{ReasonCode: 5}); err != nil {
				t.Error(err)
			}
		})
	}
	operators.Wait()
	require.True(t, balance(t, book, alice).Closed)
	for range 12 {
		operators.Go(func() {
			if err := quickBook(t, l).ReopenPeer(t.Context(), alice); err != nil {
				t.Error(err)
			}
		})
	}
	operators.Wait()
	require.False(t, balance(t, book, alice).Closed)
	ledgertest.RequireNothingHeld(t, l)
}
