package accounts_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

var writeOffScenarios = []scenario{
	{"arrears written off once for a key", testWriteOff},
	{"arrears of a closed peer written off", testWriteOffClosed},
	{"arrears collected before they are written off", testWriteOffOvertaken},
	{"arrears written off by many operators", testManyWriteOffs},
}

// makeArrears puts a peer into arrears.
func makeArrears(t *testing.T, book *accounts.Book, a accounts.PeerAccount, amount uint64) {
	t.Helper()
	bookAdjustment(t, book, accounts.Adjustment{Account: a, Key: randomID().String(), Debit: units(amount), ReasonCode: 1, BeyondHeadroom: true}, false)
}

func testWriteOff(t *testing.T, l ledger.Ledger) {
	ctx, book := t.Context(), newBook(t, l)
	peers := provision(t, book, 0, "alice", "bob")
	alice, bob := peers[0], peers[1]
	off := accounts.WriteOff{Account: alice, Key: "k", Amount: units(30), ReasonCode: 4}
	_, err := book.WriteOff(ctx, off)
	require.ErrorIs(t, err, accounts.ErrNoArrears)
	makeArrears(t, book, alice, 100)
	require.NoError(t, book.SuspendPeer(ctx, alice))
	before := readPosition(t, book).Suspense.Int64()
	first, err := book.WriteOff(ctx, off)
	require.NoError(t, err, "the key was free")
	require.Equal(t, units(30), first.Amount)
	require.False(t, first.AlreadyBooked)
	again, err := newBook(t, l).WriteOff(ctx, off)
	require.NoError(t, err)
	first.AlreadyBooked = true
	require.Equal(t, first, again)
	b := balance(t, book, alice)
	require.Equal(t, units(70), b.Arrears)
	require.Equal(t, int64(-70), b.Position().Int64())
	require.Equal(t, before-30, readPosition(t, book).Suspense.Int64())
	row := lookUp(t, l, first.Transfer)
	require.Equal(t, uint32(4), row.UserData32)
	require.Equal(t, chart.CodeAdjust, row.Code)
	for _, change := range []func(*accounts.WriteOff){
		func(w *accounts.WriteOff) { w.Amount = units(29) }, func(w *accounts.WriteOff) { w.ReasonCode = 5 },
	} {
		other := off
		change(&other)
		_, err = book.WriteOff(ctx, other)
		require.ErrorIs(t, err, accounts.ErrKeyReused)
		require.ErrorContains(t, err, usd.Text(off.Amount)+" was booked under it")
	}

	// The account first pays as much as it can, and only the rest is given up.
	movePacket(t, l, ownID(t, book), alice.ID(), 25, 0)
	rest, err := book.WriteOff(ctx, accounts.WriteOff{Account: alice, Key: "rest", Amount: ledger.AmountMax, ReasonCode: 4})
	require.NoError(t, err)
	require.Equal(t, units(45), rest.Amount)
	b = balance(t, book, alice)
	require.Zero(t, b.Arrears)
	require.Zero(t, b.Position().Sign())

	makeArrears(t, book, bob, 10)
	movePacket(t, l, ownID(t, book), bob.ID(), 10, 0)
	_, err = book.WriteOff(ctx, accounts.WriteOff{Account: bob, Key: "k", Amount: units(1), ReasonCode: 4})
	require.ErrorIs(t, err, accounts.ErrNoArrears, "its account can pay")
	ledgertest.RequireNothingHeld(t, l)
}

func testWriteOffClosed(t *testing.T, l ledger.Ledger) {
	ctx, book := t.Context(), newBook(t, l)
	alice := provision(t, book, 0, "alice")[0]
	makeArrears(t, book, alice, 100)
	movePacket(t, l, ownID(t, book), alice.ID(), 60, 0)
	closing := closeAccount(t, l, book, alice)
	off := accounts.WriteOff{Account: alice, Key: "k", Amount: units(90), ReasonCode: 1}
	first, err := book.WriteOff(ctx, off)
	require.NoError(t, err)
	require.Equal(t, units(90), first.Amount, "the account is closed and pays nothing")
	require.Equal(t, units(10), balance(t, book, alice).Arrears)
	resolveHold(t, l, closing, ledger.TransferVoidPending)
	again, err := book.WriteOff(ctx, off)
	require.NoError(t, err)
	require.True(t, again.AlreadyBooked)
	require.Equal(t, first.Transfer, again.Transfer)
	require.Equal(t, int64(50), balance(t, book, alice).Position().Int64())
	ledgertest.RequireNothingHeld(t, l)
}

// The account gets enough to pay between the check and the booking.
func testWriteOffOvertaken(t *testing.T, l ledger.Ledger) {
	ctx, book := t.Context(), newBook(t, l)
	alice := provision(t, book, 0, "alice")[0]
	makeArrears(t, book, alice, 100)
	between := &interrupted{Ledger: l, do: func() { movePacket(t, l, ownID(t, book), alice.ID(), 130, 0) }}
	off := accounts.WriteOff{Account: alice, Key: "k", Amount: units(100), ReasonCode: 1}
	for _, on := range []*accounts.Book{newBook(t, between), book} {
		_, err := on.WriteOff(ctx, off)
		require.ErrorIs(t, err, accounts.ErrNoArrears)
	}
	b := balance(t, book, alice)
	require.Zero(t, b.Arrears)
	require.Equal(t, units(30), b.Payable)
	ledgertest.RequireNothingHeld(t, l)
}

func testManyWriteOffs(t *testing.T, l ledger.Ledger) {
	book := newBook(t, l)
	alice := provision(t, book, 0, "alice")[0]
	makeArrears(t, book, alice, 100)
	var first atomic.Int64
	var operators sync.WaitGroup
	for range 12 {
		operators.Go(func() {
			for _, key := range []string{"a", "b", "c"} {
				got, err := newBook(t, l).WriteOff(t.Context(), accounts.WriteOff{Account: alice, Key: key, Amount: units(7), ReasonCode: 1})
				if err != nil {
					t.Error(err)
				}
				if !got.AlreadyBooked {
					first.Add(got.Amount.Big().Int64())
				}
			}
		})
	}
	operators.Wait()
	require.Equal(t, int64(21), first.Load())
	require.Equal(t, units(79), balance(t, book, alice).Arrears)
	ledgertest.RequireNothingHeld(t, l)
}

func TestWriteOffOfNothing(t *testing.T) {
	t.Parallel()
	book := newBook(t, newLedger(t))
	alice := provision(t, book, 0, "alice")[0]
	ours, err := book.OwnAccount(usd)
	require.NoError(t, err)
	good := accounts.WriteOff{Account: alice, Key: "k", Amount: units(1), ReasonCode: 1}
	for _, c := range []struct {
		field  string
		change func(*accounts.WriteOff)
	}{
		{"Account", func(w *accounts.WriteOff) { w.Account = accounts.PeerAccount{} }},
		{"Account", func(w *accounts.WriteOff) { w.Account = ours }},
		{"Amount", func(w *accounts.WriteOff) { w.Amount = units(0) }},
		{"ReasonCode", func(w *accounts.WriteOff) { w.ReasonCode = 0 }},
		{"Key", func(w *accounts.WriteOff) { w.Key = "" }},
	} {
		bad := good
		c.change(&bad)
		_, err := book.WriteOff(t.Context(), bad)
		requireField(t, err, c.field)
	}
	good.Account = mustAccount(t, book, "stranger")
	_, err = book.WriteOff(t.Context(), good)
	require.ErrorIs(t, err, accounts.ErrNotProvisioned)
}
