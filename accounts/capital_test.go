package accounts_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// readPosition reads our position in USD.
func readPosition(t *testing.T, book *accounts.Book) accounts.AssetPosition {
	t.Helper()
	all, err := book.OwnPositions(t.Context())
	require.NoError(t, err)
	require.Equal(t, usd, all[0].Asset)
	return all[0]
}

func testCapital(t *testing.T, l ledger.Ledger) {
	ctx, book := t.Context(), newBook(t, l)
	in := accounts.Capital{Asset: usd, Key: "first", Amount: units(100)}
	_, err := book.Fund(ctx, in)
	require.ErrorIs(t, err, accounts.ErrNotProvisioned)
	_, err = book.OwnPositions(ctx)
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
	in.Amount, in.ReasonCode = units(100), 5
	_, err = book.Fund(ctx, in)
	require.ErrorIs(t, err, accounts.ErrKeyReused, "another reason")
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
	requireFoundCapital(t, book, again, paid)
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

// requireFoundCapital finds the funding and the withdrawal under the key first.
func requireFoundCapital(t *testing.T, book *accounts.Book, funded, paid accounts.Booking) {
	t.Helper()
	ctx := t.Context()
	foundIn, isIn, err := book.FindFunding(ctx, usd, "first")
	require.NoError(t, err)
	require.True(t, isIn)
	require.Equal(t, funded, foundIn)
	foundOut, isOut, err := book.FindWithdrawal(ctx, usd, "first")
	require.NoError(t, err)
	require.True(t, isOut)
	require.Equal(t, []any{paid.Transfer, paid.Amount}, []any{foundOut.Transfer, foundOut.Amount})
	_, isIn, err = book.FindFunding(ctx, usd, "second")
	require.NoError(t, err)
	require.False(t, isIn)
	_, _, err = book.FindFunding(ctx, usd, "")
	require.ErrorIs(t, err, accounts.ErrInvalid)
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
