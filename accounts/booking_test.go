package accounts_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
)

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

// The times of a booking, of a balance and of an entry are the ledger's, in UTC on every machine.
func TestLedgerTimesAreUTC(t *testing.T) {
	t.Parallel()
	book := newBook(t, newLedger(t))
	alice := provision(t, book, 100, "alice")[0]
	booking := bookAdjustment(t, book, accounts.Adjustment{Account: alice, Key: "k", Credit: units(1), ReasonCode: 1}, false)
	statement, err := book.Statement(t.Context(), alice, time.Time{}, time.Time{})
	require.NoError(t, err)
	entries := collectEntries(t, statement.Entries(t.Context()))
	newest := entries[len(entries)-1].Time
	require.Equal(t, booking.BookedAt, newest)
	for _, at := range []time.Time{booking.BookedAt, newest, balance(t, book, alice).Opened} {
		require.Same(t, time.UTC, at.Location())
	}
}
