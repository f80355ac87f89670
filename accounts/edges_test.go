package accounts_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// A concurrent operator suspends or closes a peer right before its line is changed: the error is
// ErrSuspended or ErrPeerClosed, and the line is unchanged.
func TestLineOfAPeerThatIsClosedMeanwhile(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   func(*accounts.Book, context.Context, accounts.PeerAccount) error
		want error
	}{
		"suspended": {func(b *accounts.Book, ctx context.Context, a accounts.PeerAccount) error {
			return b.SuspendPeer(ctx, a)
		}, accounts.ErrSuspended},
		"closed": {func(b *accounts.Book, ctx context.Context, a accounts.PeerAccount) error {
			return b.ClosePeer(ctx, a)
		}, accounts.ErrPeerClosed},
	} {
		for _, to := range []uint64{150, 50} {
			l := &refusing{Ledger: newLedger(t)}
			other, between := newBookWithoutRound(t, l.Ledger), &interrupted{Ledger: l}
			alice := provision(t, other, 100, "alice")[0]
			between.do = func() { require.NoError(t, c.do(other, t.Context(), alice), name) }
			_, err := newBookWithoutRound(t, between).SetCreditLine(t.Context(), alice, units(to))
			require.ErrorIs(t, err, c.want, name)
			require.Equal(t, units(100), balance(t, other, alice).CreditLine)

			bob := provision(t, other, 100, "bob")[0]
			between.do = func() {
				require.NoError(t, c.do(other, t.Context(), bob), name)
				l.n = 2 // the ledger refuses the change, and the look-up of the cause fails
			}
			_, err = newBookWithoutRound(t, between).SetCreditLine(t.Context(), bob, units(to))
			require.ErrorIs(t, err, errRefused, name)
			var refused *ledger.TransferError
			require.ErrorAs(t, err, &refused, name)
		}
	}
}

func TestAdjustmentOfAPeerThatIsClosedMeanwhile(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	other, between := newBookWithoutRound(t, l), &interrupted{Ledger: l}
	alice := provision(t, other, 100, "alice")[0]
	between.do = func() { require.NoError(t, other.ClosePeer(t.Context(), alice)) }
	a := accounts.Adjustment{Account: alice, Key: "k", Debit: units(10), ReasonCode: 1}
	_, err := newBookWithoutRound(t, between).Adjust(t.Context(), a)
	require.ErrorIs(t, err, accounts.ErrPeerClosed)
	require.ErrorContains(t, err, "alice")
	require.Zero(t, balance(t, other, alice).Receivable)
	require.NoError(t, other.ReopenPeer(t.Context(), alice))
	bookAdjustment(t, other, a, false)
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

func TestHandlesOfOtherBooks(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	book := newBook(t, l)
	provision(t, book, 100, "alice")
	eur := accounts.Asset{Code: "EUR", Scale: 2, Ledger: 77}
	other, err := accounts.NewBook(l, accounts.Config{Namespace: t.Name(), Assets: []accounts.Asset{eur}})
	require.NoError(t, err)
	foreign, err := other.PeerAccount("alice", eur)
	require.NoError(t, err)
	own, err := other.OwnAccount(eur)
	require.NoError(t, err)
	for _, a := range []accounts.PeerAccount{foreign, own} {
		_, err = book.Adjust(t.Context(), accounts.Adjustment{Account: a, Key: "k", Credit: units(1), ReasonCode: 1})
		require.ErrorIs(t, err, accounts.ErrUnknownAsset)
	}
	require.ErrorIs(t, book.EnsureArrears(t.Context(), foreign), accounts.ErrUnknownAsset)
	ours, err := book.OwnAccount(usd)
	require.NoError(t, err)
	requireField(t, book.EnsureArrears(t.Context(), ours), "Account")
}

// An arrears account with unexpected fields is not booked on.
func TestEnsureArrearsThatDiffer(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	book := newBook(t, l)
	alice := mustAccount(t, book, "alice")
	ids := book.PeerIDs(alice)
	results, err := l.CreateAccounts(t.Context(), []ledger.Account{{ID: ids.Arrears, Ledger: usd.Ledger, Code: chart.CodePeer}})
	require.NoError(t, err)
	require.Equal(t, ledger.AccountCreated, results[0].Status)
	var drift *accounts.DriftError
	require.ErrorAs(t, book.EnsureArrears(t.Context(), alice), &drift)
	require.NotEmpty(t, drift.Drifts)
}

// A voided hold on suspense is in no sum of the rows of suspense.
func TestHoldsOnSuspense(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	suspense := func() ledger.ID {
		ids, _ := w.book.AssetIDs(usd.Ledger)
		return ids.Suspense
	}()
	alice, ids := w.peers["alice"], w.book.PeerIDs(w.peers["alice"])
	hold := movePacket(t, w.ledger, suspense, alice.ID(), 9, ledger.TransferPending)
	resolveHold(t, w.ledger, hold, ledger.TransferVoidPending)
	payment := ledger.Transfer{
		ID: randomID(), DebitAccountID: ids.Settlement, CreditAccountID: suspense, Amount: units(13),
		Ledger: usd.Ledger, Code: chart.CodeIncoming,
	}
	results, err := w.ledger.CreateTransfers(t.Context(), []ledger.Transfer{payment})
	require.NoError(t, err)
	require.Equal(t, ledger.TransferCreated, results[0].Status)
	balances, err := w.book.Balances(t.Context(), alice)
	require.NoError(t, err)
	waits, err := w.book.WaitingInSuspense(t.Context(), balances...)
	require.NoError(t, err)
	require.Equal(t, []ledger.Amount{units(13)}, waits)
	ledgertest.RequireNothingHeld(t, w.ledger)
}

// A caller that ends an iteration early causes no further requests.
func TestListsThatAreLeft(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	ctx, seen := t.Context(), 0
	for _, err := range w.book.Peers(ctx, usd) {
		require.NoError(t, err)
		if seen++; seen == 2 {
			break
		}
	}
	require.Equal(t, 2, seen)
	for b, err := range w.book.AllBalances(ctx, slices.Values(w.allPeers())) {
		require.NoError(t, err)
		require.Equal(t, w.peers["carol"], b.Account)
		break
	}
	for a, err := range w.book.ProvisionAll(ctx, slices.Values([]accounts.PeerConfig{{ID: "hans", Asset: usd}, {ID: "ida", Asset: usd}})) {
		require.NoError(t, err)
		require.Equal(t, mustAccount(t, w.book, "hans"), a)
		break
	}
	s, err := w.book.Statement(ctx, w.peers["carol"], time.Time{}, time.Time{})
	require.NoError(t, err)
	for _, err := range s.Entries(ctx) {
		require.NoError(t, err)
		break
	}
}

func TestTextOfErrors(t *testing.T) {
	t.Parallel()
	book := newBook(t, newLedger(t))
	alice := mustAccount(t, book, "alice")
	for _, c := range []struct {
		err   error
		kind  error
		texts []string
	}{
		{
			&accounts.LineInUseError{Account: alice, Asset: usd, CreditLine: units(9), Free: units(4), By: units(6), Wanted: units(3)}, accounts.ErrLineInUse,
			[]string{"alice", "is " + usd.Text(units(9)), "by " + usd.Text(units(6)), "to " + usd.Text(units(3)), "at most " + usd.Text(units(4))},
		},
		{
			&accounts.HeldError{Account: alice, Asset: usd, HeldIn: units(1), HeldOut: units(2), Settling: units(3)}, accounts.ErrHeld,
			[]string{"alice", usd.Text(units(1)) + " by packets from", usd.Text(units(2)) + " by packets to", usd.Text(units(3)) + " by settlement"},
		},
		{&accounts.OwedError{Account: alice, Asset: usd, Payable: units(5)}, accounts.ErrOwed, []string{"we owe " + usd.Text(units(5)) + " to alice"}},
		{&accounts.OwedError{Account: alice, Asset: usd, Receivable: units(5)}, accounts.ErrOwed, []string{"alice on ledger 1 owes us " + usd.Text(units(5))}},
		{
			&accounts.OwedError{Account: alice, Asset: usd, Receivable: units(5), Arrears: units(2)}, accounts.ErrOwed,
			[]string{"owes us " + usd.Text(units(5)) + ", of which " + usd.Text(units(2)) + " is arrears"},
		},
	} {
		require.ErrorIs(t, c.err, c.kind)
		for _, text := range c.texts {
			require.ErrorContains(t, c.err, text)
		}
	}
	require.Equal(t, "ThresholdEvent(0)", accounts.ThresholdEvent(0).String())
	require.Equal(t, "ThresholdEvent(5)", (accounts.HighCleared + 1).String())
	require.Equal(t, "low reached", accounts.LowReached.String())
	require.Equal(t, "high cleared", accounts.HighCleared.String())
}

// Without its accounts a peer has no handle: Provision returns the error alone, and the error
// ends a stream.
func TestProvisionWithoutAccounts(t *testing.T) {
	t.Parallel()
	l := &refusing{Ledger: newLedger(t)}
	book := newBook(t, l)
	peers := []accounts.PeerConfig{{ID: "alice", Asset: usd, CreditLine: units(5)}, {ID: "bob", Asset: usd}}
	for n := 1; n <= 2; n++ { // CheckAssets; the accounts
		l.n = n
		handles, err := book.Provision(t.Context(), peers...)
		require.ErrorIs(t, err, errRefused)
		require.Nil(t, handles, "request %d", n)
		l.n = n
		drift := 0
		for a, err := range book.ProvisionAll(t.Context(), slices.Values(peers)) {
			require.ErrorIs(t, err, errRefused)
			require.Zero(t, a)
			drift++
		}
		require.Equal(t, 1, drift, "request %d", n)
	}
	found, err := l.QueryAccounts(t.Context(), ledger.QueryFilter{Limit: 10})
	require.NoError(t, err)
	require.Empty(t, found)
}

// A packet that comes in while the closing waits for the connectors keeps the account open: it is
// not closed even for a moment, in which a further packet would be refused.
func TestClosingThatFindsAHoldAfterItsRound(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	other, between := newBookWithoutRound(t, l), &interrupted{Ledger: l}
	peers := provision(t, other, 100, "alice", "bob")
	alice, bob := peers[0], peers[1]
	var hold ledger.ID
	between.do = func() { hold = movePacket(t, l, bob.ID(), alice.ID(), 5, ledger.TransferPending) } // before the suspension
	err := newBookWithoutRound(t, between).ClosePeer(t.Context(), alice)
	require.ErrorIs(t, err, accounts.ErrHeld)
	rows, err := l.GetAccountTransfers(t.Context(), ledger.AccountFilter{
		AccountID: alice.ID(), Code: chart.CodeClose, Limit: 10, Flags: ledger.AccountFilterDebits,
	})
	require.NoError(t, err)
	require.Empty(t, rows)
	b := balance(t, other, alice)
	require.False(t, b.Closed)
	require.False(t, b.Suspended)
	resolveHold(t, l, hold, ledger.TransferVoidPending)
	ledgertest.RequireNothingHeld(t, l)
}

// A change of a line that cannot be made is not sent to the ledger: each refusal would burn an
// id, and the next change would have to skip it.
func TestRefusedChangesOfALineBurnNoNumber(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	ctx := t.Context()
	change := func(name string) uint64 {
		t.Helper()
		got, err := w.book.ExtendCredit(ctx, w.peers[name], units(1))
		require.NoError(t, err)
		return got.Number
	}
	first := change("alice")
	_, err := w.book.RevokeCredit(ctx, w.peers["alice"], units(42))
	require.ErrorIs(t, err, accounts.ErrLineInUse)
	require.Equal(t, first+1, change("alice"))

	_, err = w.book.ExtendCredit(ctx, w.peers["dave"], units(1))
	require.ErrorIs(t, err, accounts.ErrSuspended)
	require.NoError(t, w.book.ResumePeer(ctx, w.peers["dave"]))
	require.Equal(t, first, change("dave"))

	_, err = w.book.ExtendCredit(ctx, w.peers["erin"], units(1))
	require.ErrorIs(t, err, accounts.ErrPeerClosed)
	require.NoError(t, w.book.ReopenPeer(ctx, w.peers["erin"]))
	require.NoError(t, w.book.ResumePeer(ctx, w.peers["erin"]))
	require.Equal(t, first, change("erin"))
}
