package accounts_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

func testClosePeer(t *testing.T, l ledger.Ledger) {
	ctx, book := t.Context(), quickBook(t, l)
	peers := provision(t, book, 100, "alice", "bob")
	alice, bob := peers[0], peers[1]
	require.NoError(t, book.ClosePeer(ctx, alice, accounts.WithReasonCode(3)))
	require.NoError(t, book.ClosePeer(ctx, alice), "closed already")
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
		book.SuspendPeer(ctx, alice), book.ResumePeer(ctx, alice),
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
	require.NoError(t, book.ResumePeer(ctx, alice))
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
		err := book.ClosePeer(ctx, p)
		var owed *accounts.OwedError
		require.ErrorIs(t, err, accounts.ErrOwed)
		require.ErrorAs(t, err, &owed)
		b := balance(t, book, p)
		require.Equal(t, accounts.OwedError{Account: p, Asset: usd, Payable: b.Payable, Receivable: b.Receivable}, *owed)
		require.False(t, b.Suspended, "nothing was changed")
	}
	requireField(t, book.ClosePeer(ctx, alice, accounts.WithForce()), "ReasonCode")
	for _, p := range peers {
		require.NoError(t, book.ClosePeer(ctx, p, accounts.WithForce(), accounts.WithReasonCode(77)))
		b := balance(t, book, p)
		require.True(t, b.Closed)
		require.Zero(t, b.Position().Sign())
	}
	positions, err := book.OwnPositions(ctx)
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
		err := book.ClosePeer(ctx, p, accounts.WithForce(), accounts.WithReasonCode(1))
		require.ErrorIs(t, err, accounts.ErrHeld)
		require.ErrorAs(t, err, &held)
		require.False(t, balance(t, book, p).Suspended, "nothing was changed")
	}
	resolveHold(t, l, hold, ledger.TransferVoidPending)

	// A packet comes at the last moment, from a connector that has not seen the suspension: the
	// closing is taken back, and the packet can be fulfilled.
	between := &interrupted{Ledger: l}
	slow := quickBook(t, between)
	require.NoError(t, book.SuspendPeer(ctx, bob))
	between.do = func() { hold = movePacket(t, l, alice.ID(), bob.ID(), 30, ledger.TransferPending) }
	err := slow.ClosePeer(ctx, bob)
	require.ErrorIs(t, err, accounts.ErrHeld)
	require.ErrorAs(t, err, &held)
	require.Equal(t, accounts.HeldError{Account: bob, Asset: usd, HeldOut: units(30)}, *held)
	b := balance(t, book, bob)
	require.False(t, b.Closed)
	require.True(t, b.Suspended, "as before")
	resolveHold(t, l, hold, ledger.TransferPostPending)

	// The same for a peer that was not suspended before.
	require.NoError(t, book.ResumePeer(ctx, bob))
	_, err = book.Adjust(ctx, accounts.Adjustment{Account: bob, Key: "clean", Debit: units(30), ReasonCode: 1})
	require.NoError(t, err)
	skip := 1             // the suspension
	between.do = func() { // before the suspension; then before the closing
		between.do = func() { hold = movePacket(t, l, alice.ID(), bob.ID(), 3, ledger.TransferPending) }
		skip--
	}
	err = slow.ClosePeer(ctx, bob)
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
	err = newQuickBookWithoutCancel(t, between).ClosePeer(cut, bob)
	require.ErrorIs(t, err, context.Canceled)
	require.True(t, balance(t, book, bob).Closed)
	require.ErrorIs(t, book.ClosePeer(ctx, bob), accounts.ErrHeld)
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
			if err := quickBook(t, l).ClosePeer(t.Context(), alice, accounts.WithReasonCode(5)); err != nil {
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

// A closing waits for a poll interval before it closes, and ends with its context.
func TestClosingThatIsGivenUpInItsRound(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	book, err := accounts.NewBook(l, accounts.Config{Namespace: t.Name(), Assets: []accounts.Asset{usd}, SuspensionPollInterval: time.Hour})
	require.NoError(t, err)
	alice := provision(t, book, 100, "alice")[0]
	errStop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	between := &interrupted{Ledger: l, do: func() { cancel(errStop) }} // before the suspension
	slow, err := accounts.NewBook(uncancelled{between}, accounts.Config{Namespace: t.Name(), Assets: []accounts.Asset{usd}, SuspensionPollInterval: time.Hour})
	require.NoError(t, err)
	require.ErrorIs(t, slow.ClosePeer(ctx, alice), errStop)
	b := balance(t, book, alice)
	require.False(t, b.Closed)
	require.True(t, b.Suspended, "the next call goes on from there")
}
