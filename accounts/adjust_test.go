package accounts_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
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

	require.NoError(t, book.Suspend(ctx, alice, accounts.SuspendOptions{}))
	_, err = book.Adjust(ctx, accounts.Adjustment{Account: alice, Key: "suspended", Credit: units(1), ReasonCode: 1})
	require.NoError(t, err)

	own, err := book.OwnAccount(usd)
	require.NoError(t, err)
	before, err := book.Positions(ctx)
	require.NoError(t, err)
	_, err = book.Adjust(ctx, accounts.Adjustment{Account: own, Key: "loss", Debit: units(40), ReasonCode: 2})
	require.NoError(t, err, "our own account may go below 0")
	after, err := book.Positions(ctx)
	require.NoError(t, err)
	require.Equal(t, before[0].Suspense.Int64()+40, after[0].Suspense.Int64())
	require.Equal(t, before[0].Liquidity.Int64()-40, after[0].Liquidity.Int64())
	ledgertest.RequireNothingHeld(t, l)
}

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

// With BeyondHeadroom, the part of a debit that the peer account cannot pay becomes arrears.
func testDebitBeyond(t *testing.T, l ledger.Ledger) {
	ctx, book := t.Context(), newBook(t, l)
	peers := provision(t, book, 100, "alice", "bob")
	alice, bob := peers[0], peers[1]
	require.NoError(t, book.Suspend(ctx, alice, accounts.SuspendOptions{}))
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
	require.NoError(t, book.Resume(ctx, alice))

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

// closeAccount closes a peer account as the ledger does, and returns the id of the closing.
func closeAccount(t *testing.T, l ledger.Ledger, book *accounts.Book, a accounts.PeerAccount) ledger.ID {
	t.Helper()
	own, _ := book.AssetIDs(usd.Ledger)
	row := ledger.Transfer{
		ID: randomID(), DebitAccountID: a.ID(), CreditAccountID: own.Control, Ledger: usd.Ledger, Code: chart.CodeClose,
		Flags: ledger.TransferPending | ledger.TransferClosingDebit,
	}
	results, err := l.CreateTransfers(t.Context(), []ledger.Transfer{row})
	require.NoError(t, err)
	require.Equal(t, ledger.TransferCreated, results[0].Status)
	return row.ID
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

// readPosition reads our position in USD.
func readPosition(t *testing.T, book *accounts.Book) accounts.AssetPosition {
	t.Helper()
	all, err := book.Positions(t.Context())
	require.NoError(t, err)
	require.Equal(t, usd, all[0].Asset)
	return all[0]
}

func testCapital(t *testing.T, l ledger.Ledger) {
	ctx, book := t.Context(), newBook(t, l)
	in := accounts.Capital{Asset: usd, Key: "first", Amount: units(100)}
	_, err := book.Fund(ctx, in)
	require.ErrorIs(t, err, accounts.ErrNotProvisioned)
	_, err = book.Positions(ctx)
	require.ErrorIs(t, err, accounts.ErrNotProvisioned)
	alice := provision(t, book, 100, "alice")[0]
	first, err := book.Fund(ctx, in)
	require.NoError(t, err)
	again, err := book.Fund(ctx, in)
	require.NoError(t, err)
	require.True(t, again.AlreadyBooked)
	require.Equal(t, first.Transfer, again.Transfer)
	in.Amount = units(99)
	_, err = book.Fund(ctx, in)
	require.ErrorIs(t, err, accounts.ErrKeyReused)
	p := readPosition(t, book)
	require.Equal(t, int64(100), p.Liquidity.Int64())
	require.Equal(t, int64(100), p.Capital.Int64())

	ids, _ := book.AssetIDs(usd.Ledger)
	hold := movePacket(t, l, ids.Liquidity, alice.ID(), 30, ledger.TransferPending)
	out := accounts.Capital{Asset: usd, Key: "first", Amount: units(71)}
	_, err = book.Withdraw(ctx, out)
	var cover *accounts.CoverError
	require.ErrorIs(t, err, accounts.ErrNotCovered)
	require.ErrorAs(t, err, &cover)
	require.Equal(t, units(70), cover.Has)
	require.Equal(t, int64(100), readPosition(t, book).Liquidity.Int64())
	out.Amount = units(70)
	paid, err := book.Withdraw(ctx, out)
	require.NoError(t, err, "the same key: it was free")
	require.False(t, paid.AlreadyBooked)
	paid, err = book.Withdraw(ctx, out)
	require.NoError(t, err)
	require.True(t, paid.AlreadyBooked)
	for _, amount := range []uint64{69, 71, 1000} {
		out.Amount = units(amount)
		_, err = book.Withdraw(ctx, out)
		require.ErrorIs(t, err, accounts.ErrKeyReused, amount)
	}
	resolveHold(t, l, hold, ledger.TransferPostPending)
	p = readPosition(t, book)
	require.Zero(t, p.Liquidity.Sign())
	require.Equal(t, int64(30), p.Capital.Int64())
	movePacket(t, l, ids.Liquidity, alice.ID(), 5, 0) // a shortage: packets may take liquidity below 0
	_, err = book.Withdraw(ctx, accounts.Capital{Asset: usd, Key: "short", Amount: units(1)})
	require.ErrorIs(t, err, accounts.ErrNotCovered)
	require.Equal(t, int64(-5), readPosition(t, book).Liquidity.Int64())

	for _, c := range []struct {
		field string
		bad   accounts.Capital
	}{{"Amount", accounts.Capital{Asset: usd, Key: "k"}}, {"Key", accounts.Capital{Asset: usd, Amount: units(1)}}} {
		_, err = book.Fund(ctx, c.bad)
		requireField(t, err, c.field)
		_, err = book.Withdraw(ctx, c.bad)
		requireField(t, err, c.field)
	}
	_, err = book.Fund(ctx, accounts.Capital{Asset: accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}, Key: "k", Amount: units(1)})
	require.ErrorIs(t, err, accounts.ErrUnknownAsset)
	ledgertest.RequireNothingHeld(t, l)
}

func testManyCapital(t *testing.T, l ledger.Ledger) {
	book := newBook(t, l)
	provision(t, book, 100, "alice")
	_, err := book.Fund(t.Context(), accounts.Capital{Asset: usd, Key: "all", Amount: units(100)})
	require.NoError(t, err)
	var paid atomic.Int64
	var operators sync.WaitGroup
	for n := range 16 {
		operators.Go(func() {
			key := string(rune('a' + n/2)) // two operators each
			got, err := newBook(t, l).Withdraw(t.Context(), accounts.Capital{Asset: usd, Key: key, Amount: units(30)})
			if err == nil && !got.AlreadyBooked {
				paid.Add(30)
			}
		})
	}
	operators.Wait()
	require.Equal(t, int64(90), paid.Load())
	require.Equal(t, int64(10), readPosition(t, book).Liquidity.Int64())
	ledgertest.RequireNothingHeld(t, l)
}

func testAlerts(t *testing.T, l ledger.Ledger) {
	ctx, book := t.Context(), newBook(t, l)
	alice := provision(t, book, 100, "alice")[0]
	ids, _ := book.AssetIDs(usd.Ledger)
	w, err := book.NewLiquidityAlerts(map[accounts.Asset]accounts.LiquidityThresholds{
		usd: {Low: "0.00000001", High: "0.00000005", Margin: "0.000000005"}, // 10, 50, 5
		xrp: {High: "1"},
	})
	require.NoError(t, err)
	at := int64(0)
	moveTo := func(want int64) {
		if d := want - at; d > 0 {
			movePacket(t, l, ids.Outside, ids.Liquidity, uint64(d), 0)
		} else if d < 0 {
			movePacket(t, l, ids.Liquidity, ids.Outside, uint64(-d), 0)
		}
		at = want
	}
	for _, step := range []struct {
		position int64
		want     []accounts.ThresholdEvent
	}{
		{0, []accounts.ThresholdEvent{accounts.LowReached}},
		{10, nil},
		{-3, nil},
		{15, nil}, // within the margin: no alert
		{9, nil},  // so not reached again
		{16, []accounts.ThresholdEvent{accounts.LowCleared}},
		{10, []accounts.ThresholdEvent{accounts.LowReached}},
		{50, []accounts.ThresholdEvent{accounts.LowCleared, accounts.HighReached}},
		{45, nil},
		{60, nil},
		{44, []accounts.ThresholdEvent{accounts.HighCleared}},
		{49, nil},
		{-1, []accounts.ThresholdEvent{accounts.LowReached}},
	} {
		moveTo(step.position)
		for i := range 2 { // a second check has no alerts
			alerts, err := w.Check(ctx)
			require.NoError(t, err)
			var got []accounts.ThresholdEvent
			for _, a := range alerts {
				got = append(got, a.Kind)
				require.Equal(t, step.position, a.Position.Liquidity.Int64())
				require.Equal(t, usd, a.Position.Asset)
			}
			if i == 0 {
				require.Equal(t, step.want, got, step.position)
			} else {
				require.Empty(t, got)
			}
		}
	}
	require.Zero(t, balance(t, book, alice).Position().Sign())
	ledgertest.RequireNothingHeld(t, l)
}

// A key with white space at an end is refused, rather than taken for a different key.
func TestCheckKey(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"w1", "w 1", "\u00e9t\u00e9", "\xff\x20", " \x00\xff\x80 ", strings.Repeat("x", 5000)} {
		require.NoError(t, accounts.CheckKey("payment", "Key", good), "%q", good)
	}
	for _, bad := range []string{"", " ", "w1 ", " w1", "w1\n", "\tw1", "w1\u00a0", "\ufeffw1", "w1\u200b", "w1\x00"} {
		err := accounts.CheckKey("payment", "Key", bad)
		requireField(t, err, "Key")
		require.ErrorContains(t, err, "payment: Key ", "%q", bad)
	}
	book := newBook(t, newLedger(t))
	alice := provision(t, book, 100, "alice")[0]
	_, err := book.WriteOff(t.Context(), accounts.WriteOff{Account: alice, Key: " k", Amount: units(1), ReasonCode: 1})
	requireField(t, err, "Key")
	for _, capital := range []func(context.Context, accounts.Capital) (accounts.Booking, error){book.Fund, book.Withdraw} {
		_, err := capital(t.Context(), accounts.Capital{Asset: usd, Key: "k\n", Amount: units(1)})
		requireField(t, err, "Key")
	}
}
