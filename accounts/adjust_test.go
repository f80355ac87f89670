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
	{"capital put in and taken out", testCapital},
	{"capital by many operators", testManyCapital},
	{"alerts once for each crossing", testAlerts},
}

func testAdjust(t *testing.T, l ledger.Ledger) {
	ctx, book := t.Context(), newBook(t, l)
	alice := provision(t, book, 100, "alice")[0]
	a := accounts.Adjustment{Account: alice, Key: "ticket 7", Credit: units(30), Reason: 4, Condition: [8]byte{1, 2, 3}}
	first, err := book.Adjust(ctx, a)
	require.NoError(t, err)
	require.False(t, first.Already)
	again, err := newBook(t, l).Adjust(ctx, a)
	require.NoError(t, err)
	require.True(t, again.Already)
	require.Equal(t, first.Transfer, again.Transfer)
	require.Equal(t, first.Booked, again.Booked)
	require.Equal(t, units(30), balance(t, book, alice).Payable)

	other := a
	other.Credit = units(31)
	_, err = book.Adjust(ctx, other)
	require.ErrorIs(t, err, accounts.ErrKeyReused)
	other = a
	other.Reason = 5
	_, err = book.Adjust(ctx, other)
	require.ErrorIs(t, err, accounts.ErrKeyReused)
	other = a
	other.Credit, other.Debit = units(0), units(30)
	_, err = book.Adjust(ctx, other)
	require.ErrorIs(t, err, accounts.ErrKeyReused)

	beyond := accounts.Adjustment{Account: alice, Key: "beyond", Debit: units(131), Reason: 1}
	_, err = book.Adjust(ctx, beyond)
	var cover *accounts.CoverError
	require.ErrorIs(t, err, accounts.ErrNotCovered)
	require.ErrorAs(t, err, &cover)
	require.Equal(t, accounts.CoverError{Account: alice, Has: units(130), Wanted: units(131)}, *cover)

	// The ledger refuses what is overtaken, and the key stays free for later.
	between := &interrupted{Ledger: l}
	bob := provision(t, book, 0, "bob")[0]
	between.do = func() { packet(t, l, alice.ID(), bob.ID(), 100, 0) }
	race := accounts.Adjustment{Account: alice, Key: "race", Debit: units(50), Reason: 1}
	_, err = newBook(t, between).Adjust(ctx, race)
	require.ErrorAs(t, err, &cover)
	require.Equal(t, units(30), cover.Has)
	packet(t, l, bob.ID(), alice.ID(), 100, 0)
	_, err = book.Adjust(ctx, race)
	require.NoError(t, err)
	packet(t, l, alice.ID(), bob.ID(), 80, 0) // nothing is left
	again, err = book.Adjust(ctx, race)
	require.NoError(t, err, "booked before, covered or not")
	require.True(t, again.Already)

	require.NoError(t, book.Suspend(ctx, alice, accounts.Suspension{}))
	_, err = book.Adjust(ctx, accounts.Adjustment{Account: alice, Key: "suspended", Credit: units(1), Reason: 1})
	require.NoError(t, err)

	own, err := book.Own(usd)
	require.NoError(t, err)
	before, err := book.Positions(ctx)
	require.NoError(t, err)
	_, err = book.Adjust(ctx, accounts.Adjustment{Account: own, Key: "loss", Debit: units(40), Reason: 2})
	require.NoError(t, err, "our own account may go below 0")
	after, err := book.Positions(ctx)
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
	good := accounts.Adjustment{Account: alice, Key: "k", Credit: units(1), Reason: 1}
	for _, c := range []struct {
		field  string
		change func(*accounts.Adjustment)
	}{
		{"Account", func(a *accounts.Adjustment) { a.Account = accounts.Account{} }},
		{"Credit", func(a *accounts.Adjustment) { a.Credit = units(0) }},
		{"Credit", func(a *accounts.Adjustment) { a.Debit = units(1) }},
		{"Reason", func(a *accounts.Adjustment) { a.Reason = 0 }},
		{"Key", func(a *accounts.Adjustment) { a.Key = "" }},
		{"Key", func(a *accounts.Adjustment) { a.Key = "\xff" }},
		{"Key", func(a *accounts.Adjustment) { a.Key = strings.Repeat("x", 1024) }},
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
				got, err := newBook(t, l).Adjust(t.Context(), accounts.Adjustment{Account: alice, Key: key, Debit: units(7), Reason: 1})
				if err != nil {
					t.Error(err)
				}
				if !got.Already {
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

// position is our position in USD.
func position(t *testing.T, book *accounts.Book) accounts.AssetPosition {
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
	require.True(t, again.Already)
	require.Equal(t, first.Transfer, again.Transfer)
	in.Amount = units(99)
	_, err = book.Fund(ctx, in)
	require.ErrorIs(t, err, accounts.ErrKeyReused)
	p := position(t, book)
	require.Equal(t, int64(100), p.Liquidity.Int64())
	require.Equal(t, int64(100), p.Capital.Int64())

	ids, _ := book.AssetIDs(usd.Ledger)
	hold := packet(t, l, ids.Liquidity, alice.ID(), 30, ledger.TransferPending)
	out := accounts.Capital{Asset: usd, Key: "first", Amount: units(71)}
	_, err = book.Withdraw(ctx, out)
	var cover *accounts.CoverError
	require.ErrorIs(t, err, accounts.ErrNotCovered)
	require.ErrorAs(t, err, &cover)
	require.Equal(t, units(70), cover.Has)
	require.Equal(t, int64(100), position(t, book).Liquidity.Int64())
	out.Amount = units(70)
	paid, err := book.Withdraw(ctx, out)
	require.NoError(t, err, "the same key: it was free")
	require.False(t, paid.Already)
	paid, err = book.Withdraw(ctx, out)
	require.NoError(t, err)
	require.True(t, paid.Already)
	for _, amount := range []uint64{69, 71, 1000} {
		out.Amount = units(amount)
		_, err = book.Withdraw(ctx, out)
		require.ErrorIs(t, err, accounts.ErrKeyReused, amount)
	}
	resolve(t, l, hold, ledger.TransferPostPending)
	p = position(t, book)
	require.Zero(t, p.Liquidity.Sign())
	require.Equal(t, int64(30), p.Capital.Int64())
	packet(t, l, ids.Liquidity, alice.ID(), 5, 0) // short: packets may take it below 0
	_, err = book.Withdraw(ctx, accounts.Capital{Asset: usd, Key: "short", Amount: units(1)})
	require.ErrorIs(t, err, accounts.ErrNotCovered)
	require.Equal(t, int64(-5), position(t, book).Liquidity.Int64())

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
			if err == nil && !got.Already {
				paid.Add(30)
			}
		})
	}
	operators.Wait()
	require.Equal(t, int64(90), paid.Load())
	require.Equal(t, int64(10), position(t, book).Liquidity.Int64())
	ledgertest.RequireNothingHeld(t, l)
}

func testAlerts(t *testing.T, l ledger.Ledger) {
	ctx, book := t.Context(), newBook(t, l)
	alice := provision(t, book, 100, "alice")[0]
	ids, _ := book.AssetIDs(usd.Ledger)
	w, err := book.NewLiquidityAlerts(map[accounts.Asset]accounts.Marks{
		usd: {Low: "0.00000001", High: "0.00000005", Margin: "0.000000005"}, // 10, 50, 5
		xrp: {High: "1"},
	})
	require.NoError(t, err)
	at := int64(0)
	moveTo := func(want int64) {
		if d := want - at; d > 0 {
			packet(t, l, ids.Outside, ids.Liquidity, uint64(d), 0)
		} else if d < 0 {
			packet(t, l, ids.Liquidity, ids.Outside, uint64(-d), 0)
		}
		at = want
	}
	for _, step := range []struct {
		position int64
		want     []accounts.AlertKind
	}{
		{0, []accounts.AlertKind{accounts.LowReached}},
		{10, nil},
		{-3, nil},
		{15, nil}, // within the margin
		{9, nil},  // and so not once more
		{16, []accounts.AlertKind{accounts.LowCleared}},
		{10, []accounts.AlertKind{accounts.LowReached}},
		{50, []accounts.AlertKind{accounts.LowCleared, accounts.HighReached}},
		{45, nil},
		{60, nil},
		{44, []accounts.AlertKind{accounts.HighCleared}},
		{49, nil},
		{-1, []accounts.AlertKind{accounts.LowReached}},
	} {
		moveTo(step.position)
		for i := range 2 { // a second look tells nothing new
			alerts, err := w.Check(ctx)
			require.NoError(t, err)
			var got []accounts.AlertKind
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
