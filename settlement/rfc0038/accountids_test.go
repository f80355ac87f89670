package rfc0038_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// newIDsBook is a book with one asset of scale 9, ledger number 1.
func newIDsBook(t *testing.T) *accounts.Book {
	t.Helper()
	book, err := accounts.NewBook(embedded.New(), accounts.Config{Assets: []accounts.Asset{{Code: "USD", Scale: 9, Ledger: 1}}})
	require.NoError(t, err)
	return book
}

func TestAccountIDsAreReversible(t *testing.T) {
	t.Parallel()
	book := newIDsBook(t)
	ids, err := rfc0038.NewAccountIDs(book, nil)
	require.NoError(t, err)
	for peer, wire := range map[string]string{
		"alice": "1-alice", "g.Eve-2": "1-g-2e-45ve--2", "-": "1---", "--": "1-----", "a-2e": "1-a--2e", "a.": "1-a-2e", "2": "1-2",
		"ü/:%": "1--c3-bc-2f-3a-25", strings.Repeat("~", 1023): "1-" + strings.Repeat("-7e", 1023),
	} {
		account, err := book.AccountIn(1, peer)
		require.NoError(t, err)
		got, err := ids.WireID(account)
		require.NoError(t, err)
		require.Equal(t, wire, got)
		back, err := ids.Account(wire)
		require.NoError(t, err)
		require.Equal(t, account, back)
	}
}

func TestAccountIDsRefuse(t *testing.T) {
	t.Parallel()
	book := newIDsBook(t)
	ids, err := rfc0038.NewAccountIDs(book, nil)
	require.NoError(t, err)
	for _, wire := range []string{
		"", "alice", "1", "1-", "-alice", "01-alice", "2-alice", "4294967297-alice", "1-Alice", "1-a.b", "1-a-2E", "1-a-61", "1-a-2", "1-a-",
		"1-a-zz", "1-a-2d", "1--ff", "1-" + strings.Repeat("a", 1024), "1-" + strings.Repeat("a", 100000), "+1-a", "1-a:b", "null",
	} {
		_, err := ids.Account(wire)
		require.ErrorIs(t, err, rfc0038.ErrUnknownAccount, "%.100q", wire)
		require.Less(t, len(err.Error()), 200)
	}
	own, err := book.AccountIn(1, "")
	require.NoError(t, err)
	for _, none := range []accounts.PeerAccount{own, {}} {
		_, err = ids.WireID(none)
		require.ErrorIs(t, err, rfc0038.ErrInvalidAccountID)
	}
}

func TestFixedAccountIDs(t *testing.T) {
	t.Parallel()
	book := newIDsBook(t)
	alice, err := book.AccountIn(1, "alice")
	require.NoError(t, err)
	bob, err := book.AccountIn(1, "bob")
	require.NoError(t, err)
	const uuid = "3f4a2548-d4bd-4786-bd1b-ea9eb35a5ed5"
	ids, err := rfc0038.NewAccountIDs(book, map[string]accounts.PeerAccount{uuid: alice, "1-bob": bob})
	require.NoError(t, err)
	wire, err := ids.WireID(alice)
	require.NoError(t, err)
	require.Equal(t, uuid, wire)
	account, err := ids.Account(uuid)
	require.NoError(t, err)
	require.Equal(t, alice, account)
	_, err = ids.Account("1-alice")
	require.ErrorIs(t, err, rfc0038.ErrUnknownAccount, "an account has one id")
	account, err = ids.Account("1-bob")
	require.NoError(t, err)
	require.Equal(t, bob, account)

	own, err := book.AccountIn(1, "")
	require.NoError(t, err)
	for _, fixed := range []map[string]accounts.PeerAccount{
		{"": alice},
		{"A": alice},
		{"a:b": alice},
		{"a/b": alice},
		{"..": alice},
		{strings.Repeat("a", 4000): alice},
		{"x": own},
		{"x": {}},
		{"x": alice, "y": alice},
		{"1-bob": alice},
	} {
		_, err := rfc0038.NewAccountIDs(book, fixed)
		require.ErrorIs(t, err, rfc0038.ErrInvalidAccountID, fixed)
	}
}

// FuzzAccountIDs finds an id that stands for an account under two spellings.
func FuzzAccountIDs(f *testing.F) {
	book, err := accounts.NewBook(embedded.New(), accounts.Config{Assets: []accounts.Asset{{Code: "USD", Scale: 9, Ledger: 1}}})
	require.NoError(f, err)
	ids, err := rfc0038.NewAccountIDs(book, nil)
	require.NoError(f, err)
	for _, id := range []string{"1-alice", "1-a-2e--", "1-", "x"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, wire string) {
		if account, err := ids.Account(wire); err == nil {
			back, err := ids.WireID(account)
			require.NoError(t, err)
			require.Equal(t, wire, back)
		}
		if account, err := book.AccountIn(1, wire); err == nil && wire != "" {
			id, err := ids.WireID(account)
			require.NoError(t, err)
			back, err := ids.Account(id)
			require.NoError(t, err)
			require.Equal(t, account, back)
		}
	})
}
