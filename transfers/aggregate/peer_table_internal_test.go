package aggregate

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// A table finds each of its peers, also while it grows, and no other.
func TestPeerTable(t *testing.T) {
	t.Parallel()
	book, err := accounts.NewBook(embedded.New(), accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	var table peerTable
	require.Nil(t, table.find(ledger.NewID(1, 2)))
	var peers []*peer
	for i := range 1000 {
		a, err := book.PeerAccount(fmt.Sprint("peer", i), usd)
		require.NoError(t, err)
		require.Nil(t, table.find(a.ID()))
		peers = append(peers, &peer{account: a})
		table.add(peers[i])
		for _, p := range peers[max(0, i-20):] {
			require.Same(t, p, table.find(p.account.ID()))
		}
	}
	for _, p := range peers {
		require.Same(t, p, table.find(p.account.ID()))
		require.Nil(t, table.find(ledger.NewID(p.account.ID().Lo, p.account.ID().Hi+1)), "the same slot")
	}
}
