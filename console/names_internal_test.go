package console

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// The accounts of known peers are computed once for the same names, and anew for other names.
func TestNamesFollowThePeers(t *testing.T) {
	t.Parallel()
	usd := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
	eur := accounts.Asset{Code: "EUR", Scale: 2, Ledger: 2}
	book, err := accounts.NewBook(embedded.New(), accounts.Config{Assets: []accounts.Asset{usd, eur}})
	require.NoError(t, err)
	given := map[accounts.Asset][]string{usd: {"alice", "", "bob"}, eur: {"alice"}}
	n := &names{book: book, peers: func(asset accounts.Asset) []string { return given[asset] }}
	known := n.get()
	require.Same(t, known, n.get())
	require.Len(t, known.list, 3, "without the wrong name")
	inEuros, err := book.PeerAccount("alice", eur)
	require.NoError(t, err)
	ids := book.PeerIDs(inEuros)
	for _, id := range []ledger.ID{ids.Peer, ids.Line, ids.Settlement, ids.Arrears} {
		a := accounts.FoundAccount{ID: id}
		known.nameAccount(&a)
		require.Equal(t, "alice", a.Peer)
		require.Equal(t, inEuros, known.list[known.index[id]])
	}
	other := accounts.FoundAccount{ID: ledger.NewID(1, 2)}
	known.nameAccount(&other)
	require.Empty(t, other.Peer)

	given = map[accounts.Asset][]string{usd: {"alice", "", "carol"}, eur: {"alice"}}
	carol, err := book.PeerAccount("carol", usd)
	require.NoError(t, err)
	require.Contains(t, n.get().list, carol)
	require.NotContains(t, known.list, carol, "it never changes")
}
