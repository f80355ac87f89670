package accounts_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// A ledger number and a peer's id give the handle that the asset and the id give.
func TestAccountIn(t *testing.T) {
	t.Parallel()
	asset := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
	book, err := accounts.NewBook(embedded.New(), accounts.Config{Assets: []accounts.Asset{asset}})
	require.NoError(t, err)
	alice, err := book.PeerAccount("alice", asset)
	require.NoError(t, err)
	own, err := book.OwnAccount(asset)
	require.NoError(t, err)
	for peer, want := range map[string]accounts.PeerAccount{"alice": alice, "": own} {
		got, err := book.AccountIn(1, peer)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err = book.AccountIn(2, "alice")
	require.ErrorIs(t, err, accounts.ErrUnknownAsset)
	_, err = book.AccountIn(1, "\xff")
	require.ErrorIs(t, err, accounts.ErrInvalid)
}
