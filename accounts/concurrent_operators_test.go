package accounts_test

import (
	"context"
	"testing"

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
