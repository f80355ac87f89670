package accounts_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
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

// An arrears account with unexpected fields is not booked on.
func TestEnsureArrearsThatDiffer(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	book := newBook(t, l)
	alice := mustAccount(t, book, "alice")
	ids := book.PeerIDs(alice)
	results, err := l.CreateAccounts(t.Context(), []ledger.Account{{ID: ids.Arrears, Ledger: usd.Ledger, Code: chart.CodePeer}})
	require.NoError(t, err)
	require.Equal(t, ledger.AccountCreated, results[0].Status)
	var drift *accounts.DriftError
	require.ErrorAs(t, book.EnsureArrears(t.Context(), alice), &drift)
	require.NotEmpty(t, drift.Drifts)
}

// Without its accounts a peer has no handle: Provision returns the error alone, and the error
// ends a stream.
func TestProvisionWithoutAccounts(t *testing.T) {
	t.Parallel()
	l := &refusing{Ledger: newLedger(t)}
	book := newBook(t, l)
	peers := []accounts.PeerConfig{{ID: "alice", Asset: usd, CreditLine: units(5)}, {ID: "bob", Asset: usd}}
	for n := 1; n <= 2; n++ { // CheckAssets; the accounts
		l.n = n
		handles, err := book.Provision(t.Context(), peers...)
		require.ErrorIs(t, err, errRefused)
		require.Nil(t, handles, "request %d", n)
		l.n = n
		drift := 0
		for a, err := range book.ProvisionAll(t.Context(), slices.Values(peers)) {
			require.ErrorIs(t, err, errRefused)
			require.Zero(t, a)
			drift++
		}
		require.Equal(t, 1, drift, "request %d", n)
	}
	found, err := l.QueryAccounts(t.Context(), ledger.QueryFilter{Limit: 10})
	require.NoError(t, err)
	require.Empty(t, found)
}
