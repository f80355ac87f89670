package accounts_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// On an account with a changing balance, a packet can overtake a debit at every attempt. The key
// stays free, and the refused requests leave no trace.
func testDebitOvertaken(t *testing.T, l ledger.Ledger) {
	ctx, book := t.Context(), newBook(t, l)
	peers := provision(t, book, 100, "alice", "bob")
	alice, bob := peers[0], peers[1]
	debit := accounts.Adjustment{Account: alice, Key: "k", Debit: units(50), ReasonCode: 1}
	for range 25 {
		between := &interrupted{Ledger: l, do: func() { movePacket(t, l, alice.ID(), bob.ID(), 60, 0) }}
		_, err := newBook(t, between).Adjust(ctx, debit)
		require.ErrorIs(t, err, accounts.ErrNotCovered)
		movePacket(t, l, bob.ID(), alice.ID(), 60, 0)
	}
	for _, already := range []bool{false, true} {
		got, err := book.Adjust(ctx, debit)
		require.NoError(t, err)
		require.Equal(t, already, got.AlreadyBooked)
	}
	require.Equal(t, units(50), balance(t, book, alice).Receivable)
	s, err := book.Statement(ctx, alice, time.Time{}, time.Time{}, accounts.WithHolds())
	require.NoError(t, err)
	adjusted := 0
	for e, err := range s.Entries(ctx) {
		require.NoError(t, err)
		require.NotEqual(t, accounts.EntryHold, e.Kind)
		if e.Kind == accounts.EntryCorrection {
			adjusted++
		}
	}
	require.Equal(t, 1, adjusted)
	ledgertest.RequireNothingHeld(t, l)
}

// With BeyondHeadroom, the part of a debit that the peer account cannot pay becomes arrears.
func testDebitBeyond(t *testing.T, l ledger.Ledger) {
	ctx, book := t.Context(), newBook(t, l)
	peers := provision(t, book, 100, "alice", "bob")
	alice, bob := peers[0], peers[1]
	require.NoError(t, book.SuspendPeer(ctx, alice))
	debit := accounts.Adjustment{Account: alice, Key: "k", Debit: units(130), ReasonCode: 1}
	_, err := book.Adjust(ctx, debit)
	require.ErrorIs(t, err, accounts.ErrNotCovered)
	debit.BeyondHeadroom = true
	first := bookAdjustment(t, book, debit, false)
	b := balance(t, book, alice)
	require.Equal(t, units(130), b.Receivable)
	require.Equal(t, units(30), b.Arrears)
	require.Zero(t, b.Headroom)
	debit.BeyondHeadroom = false
	require.Equal(t, first.Transfer, bookAdjustment(t, book, debit, true).Transfer, "booked before, covered or not")
	require.NoError(t, book.ResumePeer(ctx, alice))

	// A debit within the headroom also collects arrears.
	movePacket(t, l, bob.ID(), alice.ID(), 80, 0)
	next := accounts.Adjustment{Account: alice, Key: "next", Debit: units(81), ReasonCode: 1}
	_, err = book.Adjust(ctx, next)
	var cover *accounts.CoverError
	require.ErrorAs(t, err, &cover)
	require.Equal(t, accounts.CoverError{Account: alice, Asset: usd, Has: units(50), Wanted: units(81)}, *cover, "30 of its 80 are for its arrears")
	next.Debit = units(20)
	bookAdjustment(t, book, next, false)
	b = balance(t, book, alice)
	require.Zero(t, b.Arrears)
	require.Equal(t, units(30), b.Headroom)
	require.Equal(t, units(70), b.Receivable)

	// A packet overtakes a debit after its coverage was checked: the ledger refuses the debit.
	// The key is free, so the debit is then booked as arrears.
	between := &interrupted{Ledger: l, do: func() { movePacket(t, l, alice.ID(), bob.ID(), 10, 0) }}
	race := accounts.Adjustment{Account: alice, Key: "race", Debit: units(30), ReasonCode: 1}
	_, err = newBook(t, between).Adjust(ctx, race)
	require.ErrorIs(t, err, accounts.ErrNotCovered)
	race.BeyondHeadroom = true
	bookAdjustment(t, book, race, false)
	race.BeyondHeadroom = false
	bookAdjustment(t, book, race, true)
	b = balance(t, book, alice)
	require.Equal(t, units(30), b.Arrears, "the round collects it")
	require.Equal(t, units(20), b.Headroom)
	ledgertest.RequireNothingHeld(t, l)
}

// A closed peer account pays nothing: the debit is booked alone, and every repetition finds it,
// with the account open or closed.
func testDebitClosed(t *testing.T, l ledger.Ledger) {
	ctx, book := t.Context(), newBook(t, l)
	peers := provision(t, book, 100, "alice", "bob")
	alice, bob := peers[0], peers[1]
	closing := closeAccount(t, l, book, alice)
	debit := accounts.Adjustment{Account: alice, Key: "k", Debit: units(30), ReasonCode: 1}
	_, err := book.Adjust(ctx, debit)
	require.ErrorIs(t, err, accounts.ErrPeerClosed)
	debit.BeyondHeadroom = true
	bookAdjustment(t, book, debit, false)
	require.Equal(t, units(30), balance(t, book, alice).Arrears)
	_, err = book.Adjust(ctx, accounts.Adjustment{Account: alice, Key: "credit", Credit: units(30), ReasonCode: 1})
	require.ErrorIs(t, err, accounts.ErrPeerClosed)
	resolveHold(t, l, closing, ledger.TransferVoidPending)
	bookAdjustment(t, book, debit, true)
	require.Equal(t, units(30), balance(t, book, alice).Arrears)

	// Two operators at once: the account is closed before the first operator's request, and open
	// again before the second operator's.
	var second accounts.Booking
	between := &interrupted{Ledger: l, do: func() {
		closing := closeAccount(t, l, book, bob)
		again := &interrupted{Ledger: l, do: func() { resolveHold(t, l, closing, ledger.TransferVoidPending) }}
		race := accounts.Adjustment{Account: bob, Key: "race", Debit: units(7), ReasonCode: 1, BeyondHeadroom: true}
		second = bookAdjustment(t, newBook(t, again), race, false)
	}}
	first := bookAdjustment(t, newBook(t, between), accounts.Adjustment{Account: bob, Key: "race", Debit: units(7), ReasonCode: 1}, true)
	require.Equal(t, second.Transfer, first.Transfer)
	require.Equal(t, units(7), balance(t, book, bob).Receivable)
	ledgertest.RequireNothingHeld(t, l)
}

// An older version provisioned no arrears account, and booked debits from the peer account.
func testDebitOlder(t *testing.T, l ledger.Ledger) {
	ctx, book := t.Context(), newBook(t, l)
	provision(t, book, 0, "somebody") // creates the accounts of the asset
	alice := mustAccount(t, book, "alice")
	other := newLedger(t)
	_, err := newBook(t, other).Provision(ctx, accounts.PeerConfig{ID: "alice", Asset: usd})
	require.NoError(t, err)
	ids := book.PeerIDs(alice)
	records, err := other.LookupAccounts(ctx, []ledger.ID{ids.Peer, ids.Line, ids.Settlement})
	require.NoError(t, err)
	for i := range records {
		records[i].Timestamp = 0
	}
	_, err = l.CreateAccounts(ctx, records)
	require.NoError(t, err)

	own, _ := book.AssetIDs(usd.Ledger)
	movePacket(t, l, own.Liquidity, ids.Peer, 100, 0)
	ns := chart.Namespace(t.Name())
	row := ledger.Transfer{
		ID:             ns.Derive("adjust", chart.ID(ids.Peer), []byte("old"), chart.U64(0)),
		DebitAccountID: ids.Peer, CreditAccountID: own.Suspense, Amount: units(40),
		UserData128: uint128.Uint128(ns.Derive("key", chart.ID(ids.Peer), []byte("old"))), UserData32: 3,
		Ledger: usd.Ledger, Code: chart.CodeAdjust,
	}
	results, err := l.CreateTransfers(ctx, []ledger.Transfer{row})
	require.NoError(t, err)
	require.Equal(t, ledger.TransferCreated, results[0].Status)

	old := accounts.Adjustment{Account: alice, Key: "old", Debit: units(40), ReasonCode: 3}
	require.Equal(t, row.ID, bookAdjustment(t, book, old, true).Transfer)
	require.Equal(t, units(60), balance(t, book, alice).Payable)
	old.BeyondHeadroom = true
	bookAdjustment(t, book, old, true)
	old.Debit = units(41)
	_, err = book.Adjust(ctx, old)
	require.ErrorIs(t, err, accounts.ErrKeyReused)
	old.Credit, old.Debit = units(40), units(0)
	_, err = book.Adjust(ctx, old)
	require.ErrorIs(t, err, accounts.ErrKeyReused)

	bookAdjustment(t, book, accounts.Adjustment{Account: alice, Key: "new", Debit: units(70), ReasonCode: 3, BeyondHeadroom: true}, false)
	require.Equal(t, units(10), balance(t, book, alice).Arrears)
	ledgertest.RequireNothingHeld(t, l)
}
