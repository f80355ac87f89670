package accounts_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// Ids that look the same.
const (
	composed   = "caf\u00e9"  // one code point for the last letter
	decomposed = "cafe\u0301" // a letter and an accent
)

// The ledger distinguishes ids byte by byte. So a second form of a peer's name, which would
// silently become a second peer, is refused before anything is written.
func TestAnotherFormOfAPeersNameIsRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{decomposed, " alice", "alice\t", "alice\u00a0", "\u212b"} { // the last one is the angstrom sign, not the letter
		l := newLedger(t)
		book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}})
		require.NoError(t, err)
		peer := accounts.PeerConfig{ID: name, Asset: usd, CreditLine: units(7)}
		_, err = book.Provision(t.Context(), accounts.PeerConfig{ID: "bob", Asset: usd}, peer)
		require.ErrorIs(t, err, accounts.ErrInvalid, "%+q", name)
		var fault *accounts.FieldError
		require.ErrorAs(t, err, &fault)
		require.Equal(t, "ID", fault.Field)
		found, err := l.QueryAccounts(t.Context(), ledger.QueryFilter{Limit: 10})
		require.NoError(t, err)
		require.Empty(t, found, "nothing is written, for the other peer neither")

		var failed error
		for _, err := range book.ProvisionAll(t.Context(), slices.Values([]accounts.PeerConfig{peer})) {
			failed = err
		}
		require.ErrorIs(t, failed, accounts.ErrInvalid, "%+q", name)
	}
	book, err := accounts.NewBook(newLedger(t), accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	_, err = book.Provision(t.Context(), accounts.PeerConfig{ID: decomposed, Asset: usd})
	require.EqualError(t, err, `peer "cafe\u0301" in USD/9: ID must be in Unicode's normal form C, which is "caf\u00e9", for a new peer`)
	_, err = book.Provision(t.Context(), accounts.PeerConfig{ID: composed, Asset: usd}, accounts.PeerConfig{ID: "two words", Asset: usd})
	require.NoError(t, err)
}

// A peer let in by an earlier version under such a name stays reachable.
func TestAPeerOfAnEarlierVersionStaysReachable(t *testing.T) {
	t.Parallel()
	for _, name := range []string{decomposed, "alice "} {
		l := newLedger(t)
		book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}})
		require.NoError(t, err)
		_, err = book.Provision(t.Context())
		require.NoError(t, err)
		account, err := book.PeerAccount(name, usd)
		require.NoError(t, err)
		createAsBefore(t, l, book, account)

		handles, err := book.Provision(t.Context(), accounts.PeerConfig{ID: name, Asset: usd, CreditLine: units(7)})
		require.NoError(t, err, "%+q", name)
		require.Equal(t, account, handles[0])
		require.Equal(t, units(7), balance(t, book, account).CreditLine)
		for handle, err := range book.ProvisionAll(t.Context(), slices.Values([]accounts.PeerConfig{{ID: name, Asset: usd, CreditLine: units(7)}})) {
			require.NoError(t, err)
			require.Equal(t, account, handle)
		}
		for listing, err := range book.Peers(t.Context(), usd, name) {
			require.NoError(t, err)
			require.Equal(t, name, listing.Account.Peer())
		}
	}
}

// createAsBefore creates the accounts of a peer without checking its name.
func createAsBefore(t *testing.T, l ledger.Ledger, book *accounts.Book, a accounts.PeerAccount) {
	t.Helper()
	ns, ids := chart.Namespace(book.Namespace()), book.PeerIDs(a)
	var rows []ledger.Account
	for _, kind := range []struct {
		id    ledger.ID
		code  uint16
		flags ledger.AccountFlags
	}{
		{ids.Peer, chart.CodePeer, chart.PeerFlags},
		{ids.Line, chart.CodeLine, chart.LineFlags},
		{ids.Settlement, chart.CodeSettlement, chart.SettlementFlags},
		{ids.Arrears, chart.CodeArrears, chart.ArrearsFlags},
	} {
		rows = append(rows, ledger.Account{
			ID: kind.id, Ledger: usd.Ledger, Code: kind.code, Flags: kind.flags,
			UserData128: ns.PeerTag(a.Peer()), UserData64: ns.AssetTag(usd.Code), UserData32: uint32(usd.Scale),
		})
	}
	results, err := l.CreateAccounts(t.Context(), rows)
	require.NoError(t, err)
	for _, r := range results {
		require.Equal(t, ledger.AccountCreated, r.Status)
	}
	require.NotEqual(t, uint128.Zero, rows[0].UserData128)
}

// Ids that differ by case are separate peers, as some connectors want: they are only reported.
func TestLookalikes(t *testing.T) {
	t.Parallel()
	require.Empty(t, accounts.Lookalikes())
	require.Empty(t, accounts.Lookalikes("alice", "bob", "alice", "test.alice", "alice2"))
	require.Equal(t, [][]string{{"Alice", "aLICE", "alice"}, {"bob", "bob "}, {decomposed, composed}, {"k", "\u212a"}},
		accounts.Lookalikes("bob", "alice", composed, "carol", "Alice", "\u212a", "bob ", decomposed, "k", "aLICE", "alice"))

	book, err := accounts.NewBook(newLedger(t), accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	handles, err := book.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: usd}, accounts.PeerConfig{ID: "Alice", Asset: usd})
	require.NoError(t, err)
	require.NotEqual(t, handles[0].ID(), handles[1].ID())
}
