package accounts_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

var bookingScenarios = []scenario{
	{"adjustment once for its key", testAdjust},
	{"adjustment by many operators", testManyAdjust},
	{"debit beyond the headroom", testDebitBeyond},
	{"debit that is overtaken again and again", testDebitOvertaken},
	{"debit of a closed peer", testDebitClosed},
	{"debit on the books of an older version", testDebitOlder},
	{"capital put in and taken out", testCapital},
	{"capital by many operators", testManyCapital},
	{"alerts once for each crossing", testAlerts},
}

func testAdjust(t *testing.T, l ledger.Ledger) {
	ctx, book := t.Context(), newBook(t, l)
	alice := provision(t, book, 100, "alice")[0]
	a := accounts.Adjustment{Account: alice, Key: "ticket 7", Credit: units(30), ReasonCode: 4, ConditionTag: [8]byte{1, 2, 3}}
	first, err := book.Adjust(ctx, a)
	require.NoError(t, err)
	require.False(t, first.AlreadyBooked)
	again, err := newBook(t, l).Adjust(ctx, a)
	require.NoError(t, err)
	require.True(t, again.AlreadyBooked)
	require.Equal(t, first.Transfer, again.Transfer)
	require.Equal(t, first.BookedAt, again.BookedAt)
	require.Equal(t, units(30), balance(t, book, alice).Payable)

	other := a
	other.Credit = units(31)
	_, err = book.Adjust(ctx, other)
	require.ErrorIs(t, err, accounts.ErrKeyReused)
	require.ErrorContains(t, err, "0.000000030 USD was booked under it at 20")
	require.ErrorContains(t, err, first.Transfer.String())
	other = a
	other.ReasonCode = 5
	_, err = book.Adjust(ctx, other)
	require.ErrorIs(t, err, accounts.ErrKeyReused)
	other = a
	other.Credit, other.Debit = units(0), units(30)
	_, err = book.Adjust(ctx, other)
	require.ErrorIs(t, err, accounts.ErrKeyReused)

	beyond := accounts.Adjustment{Account: alice, Key: "beyond", Debit: units(131), ReasonCode: 1}
	_, err = book.Adjust(ctx, beyond)
	var cover *accounts.CoverError
	require.ErrorIs(t, err, accounts.ErrNotCovered)
	require.ErrorAs(t, err, &cover)
	require.Equal(t, accounts.CoverError{Account: alice, Asset: usd, Has: units(130), Wanted: units(131)}, *cover)

	// The ledger refuses an overtaken debit, and the key stays free.
	between := &interrupted{Ledger: l}
	bob := provision(t, book, 0, "bob")[0]
	between.do = func() { movePacket(t, l, alice.ID(), bob.ID(), 100, 0) }
	race := accounts.Adjustment{Account: alice, Key: "race", Debit: units(50), ReasonCode: 1}
	_, err = newBook(t, between).Adjust(ctx, race)
	require.ErrorAs(t, err, &cover)
	require.Equal(t, units(30), cover.Has)
	movePacket(t, l, bob.ID(), alice.ID(), 100, 0)
	_, err = book.Adjust(ctx, race)
	require.NoError(t, err)
	movePacket(t, l, alice.ID(), bob.ID(), 80, 0) // the headroom is used up
	again, err = book.Adjust(ctx, race)
	require.NoError(t, err, "booked before, covered or not")
	require.True(t, again.AlreadyBooked)

	require.NoError(t, book.SuspendPeer(ctx, alice))
	_, err = book.Adjust(ctx, accounts.Adjustment{Account: alice, Key: "suspended", Credit: units(1), ReasonCode: 1})
	require.NoError(t, err)

	own, err := book.OwnAccount(usd)
	require.NoError(t, err)
	before, err := book.OwnPositions(ctx)
	require.NoError(t, err)
	_, err = book.Adjust(ctx, accounts.Adjustment{Account: own, Key: "loss", Debit: units(40), ReasonCode: 2})
	require.NoError(t, err, "our own account may go below 0")
	after, err := book.OwnPositions(ctx)
	require.NoError(t, err)
	require.Equal(t, before[0].Suspense.Int64()+40, after[0].Suspense.Int64())
	require.Equal(t, before[0].Liquidity.Int64()-40, after[0].Liquidity.Int64())
	ledgertest.RequireNothingHeld(t, l)
}

func TestAdjustmentOfNothing(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	book := newBook(t, l)
	alice := provision(t, book, 100, "alice")[0]
	good := accounts.Adjustment{Account: alice, Key: "k", Credit: units(1), ReasonCode: 1}
	for _, c := range []struct {
		field  string
		change func(*accounts.Adjustment)
	}{
		{"Account", func(a *accounts.Adjustment) { a.Account = accounts.PeerAccount{} }},
		{"Credit", func(a *accounts.Adjustment) { a.Credit = units(0) }},
		{"Credit", func(a *accounts.Adjustment) { a.Debit = units(1) }},
		{"Credit", func(a *accounts.Adjustment) { a.Credit = ledger.AmountMax }},
		{"Debit", func(a *accounts.Adjustment) { a.Credit, a.Debit, a.BeyondHeadroom = units(0), ledger.AmountMax, true }},
		{"ReasonCode", func(a *accounts.Adjustment) { a.ReasonCode = 0 }},
		{"Key", func(a *accounts.Adjustment) { a.Key = "" }},
		{"Key", func(a *accounts.Adjustment) { a.Key = "\xff" }},
		{"Key", func(a *accounts.Adjustment) { a.Key = strings.Repeat("x", 1024) }},
		{"Key", func(a *accounts.Adjustment) { a.Key = "k " }},
	} {
		bad := good
		c.change(&bad)
		_, err := book.Adjust(t.Context(), bad)
		requireField(t, err, c.field)
	}
	bad := good
	bad.Account = mustAccount(t, book, "stranger")
	_, err := book.Adjust(t.Context(), bad)
	require.ErrorIs(t, err, accounts.ErrNotProvisioned)
	require.Zero(t, balance(t, book, alice).Position().Sign())
}

func testManyAdjust(t *testing.T, l ledger.Ledger) {
	book := newBook(t, l)
	alice := provision(t, book, 100, "alice")[0]
	var first atomic.Int64
	var operators sync.WaitGroup
	for range 12 {
		operators.Go(func() {
			for _, key := range []string{"a", "b", "c"} {
				got, err := newBook(t, l).Adjust(t.Context(), accounts.Adjustment{Account: alice, Key: key, Debit: units(7), ReasonCode: 1})
				if err != nil {
					t.Error(err)
				}
				if !got.AlreadyBooked {
					first.Add(1)
				}
			}
		})
	}
	operators.Wait()
	require.Equal(t, int64(3), first.Load())
	require.Equal(t, units(21), balance(t, book, alice).Receivable)
	ledgertest.RequireNothingHeld(t, l)
}

// bookAdjustment books an adjustment and checks the booking.
func bookAdjustment(t *testing.T, book *accounts.Book, a accounts.Adjustment, already bool) accounts.Booking {
	t.Helper()
	got, err := book.Adjust(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, already, got.AlreadyBooked)
	require.Equal(t, a.Debit.Big().Add(a.Debit.Big(), a.Credit.Big()), got.Amount.Big())
	return got
}
