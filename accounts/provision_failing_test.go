package accounts_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// noGrants is a ledger that fails every request with transfers.
type noGrants struct{ ledger.Ledger }

var errNoGrants = errors.New("the ledger has gone away")

func (noGrants) CreateTransfers(context.Context, []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	return nil, errNoGrants
}

// A failing request for grants ends the provisioning: no handles are returned, and no chunk
// follows. The next call grants the missing lines.
func TestProvisioningEndsWithARequestThatFails(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	peers := []accounts.PeerConfig{{ID: "alice", Asset: usd, CreditLine: units(100)}, {ID: "bob", Asset: usd, CreditLine: units(50)}}
	broken := newBook(t, noGrants{l})
	handles, err := broken.Provision(t.Context(), peers...)
	require.ErrorIs(t, err, errNoGrants)
	require.Nil(t, handles)
	for account, err := range broken.ProvisionAll(t.Context(), slices.Values(peers)) {
		require.ErrorIs(t, err, errNoGrants)
		require.Zero(t, account)
	}
	book := newBook(t, l)
	handles, err = book.Provision(t.Context(), peers...)
	require.NoError(t, err)
	require.Equal(t, units(100), balance(t, book, handles[0]).CreditLine)
	ledgertest.RequireNothingHeld(t, l)
}
