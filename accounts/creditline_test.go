package accounts_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

var creditScenarios = []scenario{
	{"line extended, revoked and set", testChangeLine},
	{"line in use", testLineInUse},
	{"line conflict", testLineConflict},
	{"line changed by many operators", testManyOperators},
	{"line beyond the ceiling", testCeiling},
}

func testChangeLine(t *testing.T, l ledger.Ledger) {
	ctx, book := t.Context(), newBook(t, l)
	alice := provision(t, book, 100, "alice")[0]
	change := func(got accounts.CreditLineChange, err error) accounts.CreditLineChange {
		t.Helper()
		require.NoError(t, err)
		require.Equal(t, got.After, balance(t, book, alice).CreditLine)
		require.Zero(t, balance(t, book, alice).Position().Sign(), "a line is not a position")
		return got
	}
	requireRow := func(got accounts.CreditLineChange, amount uint64) {
		t.Helper()
		rows, err := l.LookupTransfers(ctx, []ledger.ID{got.Transfer})
		require.NoError(t, err)
		require.Len(t, rows, 1)
		require.Equal(t, units(amount), rows[0].Amount)
	}
	got := change(book.ExtendCredit(ctx, alice, units(50), accounts.WithReasonCode(7)))
	require.Equal(t, accounts.CreditLineChange{Account: alice, Before: units(100), After: units(150), Number: 2, Transfer: got.Transfer}, got)
	requireRow(got, 50)
	got = change(book.RevokeCredit(ctx, alice, units(20)))
	require.Equal(t, accounts.CreditLineChange{Account: alice, Before: units(150), After: units(130), Number: 3, Transfer: got.Transfer}, got)
	requireRow(got, 20)
	got = change(book.SetCreditLine(ctx, alice, units(130)))
	require.Equal(t, uint64(3), got.Number, "nothing to change, nothing written")
	require.Zero(t, got.Transfer)
	change(book.SetCreditLine(ctx, alice, units(0)))
	change(book.SetCreditLine(ctx, alice, accounts.Unlimited))
	_, err := book.ExtendCredit(ctx, alice, units(1))
	require.ErrorIs(t, err, accounts.ErrInvalid, "above Unlimited")
	_, err = book.ExtendCredit(ctx, alice, ledger.AmountMax)
	require.ErrorIs(t, err, accounts.ErrInvalid, "an overflow")
	change(book.RevokeCredit(ctx, alice, ledger.AmountMax, accounts.WithPartialRevoke()))
	require.Zero(t, balance(t, book, alice).Headroom)

	rows, err := l.GetAccountTransfers(ctx, ledger.AccountFilter{
		AccountID: book.PeerIDs(alice).Line, Limit: 10, Flags: ledger.AccountFilterDebits | ledger.AccountFilterCredits,
	})
	require.NoError(t, err)
	require.Len(t, rows, 6)
	require.Equal(t, uint32(7), rows[1].UserData32)

	ledgertest.RequireConserved(t, l)
}

func testLineInUse(t *testing.T, l ledger.Ledger) {
	ctx, book := t.Context(), newBook(t, l)
	peers := provision(t, book, 100, "alice", "bob")
	alice, bob := peers[0], peers[1]
	movePacket(t, l, alice.ID(), bob.ID(), 30, 0)
	hold := movePacket(t, l, alice.ID(), bob.ID(), 20, ledger.TransferPending)

	var inUse *accounts.LineInUseError
	_, err := book.RevokeCredit(ctx, alice, units(60))
	require.ErrorIs(t, err, accounts.ErrLineInUse)
	require.ErrorAs(t, err, &inUse)
	require.Equal(t, accounts.LineInUseError{Account: alice, Asset: usd, CreditLine: units(100), Free: units(50), By: units(60), Wanted: units(40)}, *inUse)
	require.EqualError(t, inUse, "accounts: the credit line is in use: the line of alice on ledger 1 is 0.000000100 USD, "+
		"so it cannot be lowered by 0.000000060 USD to 0.000000040 USD: at most 0.000000050 USD can be revoked")
	_, err = book.SetCreditLine(ctx, alice, units(10))
	require.ErrorAs(t, err, &inUse)
	require.Equal(t, units(50), inUse.Free)
	require.Equal(t, units(90), inUse.By)
	_, err = book.RevokeCredit(ctx, alice, units(101))
	require.ErrorIs(t, err, accounts.ErrLineInUse)
	require.EqualError(t, err, "accounts: the credit line of alice on ledger 1 is 0.000000100 USD, "+
		"so 0.000000101 USD cannot be revoked: at most 0.000000050 USD can be revoked")
	require.Equal(t, units(100), balance(t, book, alice).CreditLine, "nothing was revoked")

	got, err := book.RevokeCredit(ctx, alice, units(60), accounts.WithPartialRevoke())
	require.NoError(t, err)
	require.Equal(t, units(50), got.After)
	b := balance(t, book, alice)
	require.Equal(t, units(50), b.CreditLine)
	require.Equal(t, units(30), b.Receivable)
	require.Zero(t, b.Headroom)
	resolveHold(t, l, hold, ledger.TransferPostPending) // held amounts can still be booked
	require.Equal(t, units(50), balance(t, book, alice).Receivable)

	// The payable is the peer's own: its whole line is free, and no more than the line is
	// revoked.
	got, err = book.SetCreditLine(ctx, bob, units(0))
	require.NoError(t, err)
	require.Zero(t, got.After)
	require.Equal(t, units(50), balance(t, book, bob).Payable)
	got, err = book.RevokeCredit(ctx, bob, units(10), accounts.WithPartialRevoke())
	require.NoError(t, err)
	require.Zero(t, got.After)
	ledgertest.RequireConserved(t, l)
}

func testLineConflict(t *testing.T, l ledger.Ledger) {
	ctx := t.Context()
	book := newBook(t, l)
	alice := provision(t, book, 100, "alice")[0]
	// A concurrent operator writes between the read of a change and its write.
	between := &interrupted{Ledger: l}
	slow := newBook(t, between)
	for _, change := range []func() error{
		func() error { _, err := slow.ExtendCredit(ctx, alice, units(1)); return err },
		func() error { _, err := slow.RevokeCredit(ctx, alice, units(1)); return err },
		func() error { _, err := slow.SetCreditLine(ctx, alice, units(7)); return err },
	} {
		before := balance(t, book, alice).CreditLine
		between.do = func() {
			_, err := book.ExtendCredit(ctx, alice, units(10))
			require.NoError(t, err)
		}
		err := change()
		var conflict *accounts.LineConflictError
		require.ErrorIs(t, err, accounts.ErrLineConflict)
		require.ErrorAs(t, err, &conflict)
		now, _ := before.Add(units(10))
		require.Equal(t, now, conflict.CreditLine, "the line as it is now")
		require.Equal(t, now, balance(t, book, alice).CreditLine)
	}
	_, err := book.ExtendCredit(ctx, alice, units(1), accounts.WithExpectedLine(units(100)))
	require.ErrorIs(t, err, accounts.ErrLineConflict)
	_, err = book.ExtendCredit(ctx, alice, units(1), accounts.WithExpectedLine(units(130)))
	require.NoError(t, err)

	// A packet that uses up headroom in between makes the ledger refuse, and burns an id.
	between.do = func() { movePacket(t, l, alice.ID(), provision(t, book, 0, "bob")[0].ID(), 100, 0) }
	_, err = slow.SetCreditLine(ctx, alice, units(0))
	var inUse *accounts.LineInUseError
	require.ErrorAs(t, err, &inUse)
	require.Equal(t, units(31), inUse.Free)
	got, err := book.SetCreditLine(ctx, alice, units(100))
	require.NoError(t, err, "the burnt id is walked over")
	require.Equal(t, units(131), got.Before)
	ledgertest.RequireNothingHeld(t, l)
}

// Every change confirmed to an operator is in the line, and no further change.
func testManyOperators(t *testing.T, l ledger.Ledger) {
	book := newBook(t, l)
	alice := provision(t, book, 1000, "alice")[0]
	var made atomic.Int64
	var operators sync.WaitGroup
	for n := range 16 {
		operators.Go(func() {
			random := rand.New(rand.NewPCG(uint64(n), 1))
			for done := 0; done < 5; {
				by := random.Uint64N(20) + 1
				sign := int64(1)
				_, err := accounts.CreditLineChange{}, error(nil)
				if random.IntN(2) == 0 {
					_, err = newBook(t, l).ExtendCredit(t.Context(), alice, units(by))
				} else {
					sign = -1
					_, err = newBook(t, l).RevokeCredit(t.Context(), alice, units(by))
				}
				var conflict *accounts.LineConflictError
				switch {
				case err == nil:
					made.Add(sign * int64(by))
					done++
				case errors.As(err, &conflict): // decide again
				default:
					t.Error(err)
					return
				}
			}
		})
	}
	operators.Wait()
	line, _ := balance(t, book, alice).CreditLine.Uint64()
	require.Equal(t, 1000+made.Load(), int64(line))
	ledgertest.RequireNothingHeld(t, l)
}

func testCeiling(t *testing.T, l ledger.Ledger) {
	ctx := t.Context()
	cfg := accounts.Config{Namespace: t.Name(), Assets: []accounts.Asset{usd}, Limits: accounts.Rules[accounts.Limits]{
		Asset: map[accounts.Asset]accounts.Limits{usd: {CreditLine: "0.0000001"}},
		Peer:  map[string]accounts.Limits{"bob": {CreditLine: "unlimited"}, "carol": {CreditLine: "0"}},
	}, Ceilings: map[accounts.Asset]accounts.Decimal{usd: "0.0000005"}}
	book, err := accounts.NewBook(l, cfg)
	require.NoError(t, err)
	peers := provision(t, book, 0, "alice", "bob", "carol")
	for i, want := range []uint64{100, 500, 0} {
		require.Equal(t, units(want), balance(t, book, peers[i]).CreditLine, peers[i])
	}
	_, err = book.ExtendCredit(ctx, peers[0], units(401))
	requireField(t, err, "CreditLine")
	_, err = book.SetCreditLine(ctx, peers[0], units(500))
	require.NoError(t, err)
	_, err = book.Provision(ctx, accounts.PeerConfig{ID: "dave", Asset: usd, CreditLine: units(501)})
	requireField(t, err, "CreditLine")
	_, err = book.Balance(ctx, mustAccount(t, book, "dave"))
	require.ErrorIs(t, err, accounts.ErrNotProvisioned, "nothing was written")
	ledgertest.RequireNothingHeld(t, l)
}

func TestLineOfNobody(t *testing.T) {
	t.Parallel()
	ctx, l := t.Context(), newLedger(t)
	book := newBook(t, l)
	own, err := book.OwnAccount(usd)
	require.NoError(t, err)
	for _, a := range []accounts.PeerAccount{{}, own} {
		_, err := book.SetCreditLine(ctx, a, units(1))
		requireField(t, err, "Account")
		requireField(t, book.SuspendPeer(ctx, a), "Account")
		requireField(t, book.ResumePeer(ctx, a), "Account")
		requireField(t, book.ClosePeer(ctx, a), "Account")
		requireField(t, book.ReopenPeer(ctx, a), "Account")
		_, err = book.EffectiveLimits(a)
		requireField(t, err, "Account")
	}
	stranger := mustAccount(t, book, "stranger")
	_, err = book.SetCreditLine(ctx, stranger, units(1))
	require.ErrorIs(t, err, accounts.ErrNotProvisioned)
	require.ErrorIs(t, book.SuspendPeer(ctx, stranger), accounts.ErrNotProvisioned)
	require.ErrorIs(t, book.ClosePeer(ctx, stranger), accounts.ErrNotProvisioned)
	require.ErrorIs(t, book.ReopenPeer(ctx, stranger), accounts.ErrNotProvisioned)
	euro := accounts.Asset{Code: "EUR", Scale: 2, Ledger: 9}
	other, err := accounts.NewBook(l, accounts.Config{Namespace: t.Name(), Assets: []accounts.Asset{euro}})
	require.NoError(t, err)
	_, err = other.SetCreditLine(ctx, stranger, units(1))
	require.ErrorIs(t, err, accounts.ErrUnknownAsset)
	require.ErrorIs(t, other.ResumePeer(ctx, stranger), accounts.ErrUnknownAsset)
}

// A change with a lost answer is made once.
func TestLineChangeSurvivesLostAnswers(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	book := newBook(t, l)
	alice := provision(t, book, 100, "alice")[0]
	losing := &losing{Ledger: l, left: 2}
	got, err := newBook(t, losing).ExtendCredit(t.Context(), alice, units(5))
	require.NoError(t, err)
	require.Equal(t, units(105), got.After)
	require.Equal(t, units(105), balance(t, book, alice).CreditLine)

	ctx, cancel := context.WithCancel(t.Context())
	losing.left, losing.lost = 1000, cancel
	_, err = newBook(t, losing).ExtendCredit(ctx, alice, units(5))
	require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
	_, err = book.ExtendCredit(t.Context(), alice, units(5), accounts.WithExpectedLine(units(105)))
	require.ErrorIs(t, err, accounts.ErrLineConflict, "it was made: WithExpectedLine tells")
	require.Equal(t, units(110), balance(t, book, alice).CreditLine)
}

// forgetful finds no transfer.
type forgetful struct{ ledger.Ledger }

func (forgetful) LookupTransfers(context.Context, []ledger.ID) ([]ledger.Transfer, error) {
	return nil, nil
}

// A partial revocation whose row is not found afterwards is an error with the change: the line is
// lowered.
func TestPartialRevokeThatIsNotReadBack(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	alice := provision(t, newBook(t, l), 100, "alice")[0]
	got, err := newBook(t, forgetful{l}).RevokeCredit(t.Context(), alice, units(60), accounts.WithPartialRevoke())
	require.ErrorContains(t, err, "the line of alice on ledger 1 was lowered: look up by how much: the ledger does not find the row")
	require.NotContains(t, err.Error(), "%!")
	require.Equal(t, accounts.CreditLineChange{Account: alice, Before: units(100), After: units(40), Number: 2, Transfer: got.Transfer}, got)
	rows, err := l.LookupTransfers(t.Context(), []ledger.ID{got.Transfer})
	require.NoError(t, err)
	require.Len(t, rows, 1)
	require.Equal(t, units(60), rows[0].Amount)
	require.Equal(t, units(40), balance(t, newBook(t, l), alice).CreditLine)
}
