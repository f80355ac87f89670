package accounts_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

var (
	usd = accounts.Asset{Code: "USD", Scale: 9, Ledger: 1}
	xrp = accounts.Asset{Code: "XRP", Scale: 6, Ledger: 2}
)

func TestProvisionGrantsTheLineOnce(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	l := newLedger(t)
	book := newBook(t, l)
	peers := []accounts.PeerConfig{
		{ID: "alice", Asset: usd, CreditLine: units(500)},
		{ID: "alice", Asset: xrp},
		{ID: "bob", Asset: usd, CreditLine: accounts.Unlimited},
	}
	first, err := book.Provision(ctx, peers...)
	require.NoError(t, err)
	second, err := newBook(t, l).Provision(ctx, peers...)
	require.NoError(t, err)
	require.Equal(t, first, second, "handles do not depend on the book")

	balances, err := book.Balances(ctx, first...)
	require.NoError(t, err)
	for i, b := range balances {
		require.Equal(t, peers[i].CreditLine, b.CreditLine, "granted once")
		require.Equal(t, peers[i].CreditLine, b.Headroom)
		require.Zero(t, b.Position().Sign(), "a line is not a position")
		require.Zero(t, b.Earned)
		require.Equal(t, first[i], b.Account)
	}
	ledgertest.RequireNothingHeld(t, l)
}

// requests counts the requests to a ledger.
type requests struct {
	ledger.Ledger
	creates, grants, lookups, queries atomic.Int64
}

func (r *requests) QueryAccounts(ctx context.Context, f ledger.QueryFilter) ([]ledger.Account, error) {
	r.queries.Add(1)
	return r.Ledger.QueryAccounts(ctx, f)
}

func (r *requests) CreateAccounts(ctx context.Context, a []ledger.Account) ([]ledger.CreateAccountResult, error) {
	r.creates.Add(1)
	return r.Ledger.CreateAccounts(ctx, a)
}

func (r *requests) CreateTransfers(ctx context.Context, t []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	r.grants.Add(1)
	return r.Ledger.CreateTransfers(ctx, t)
}

func (r *requests) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	r.lookups.Add(1)
	return r.Ledger.LookupAccounts(ctx, ids)
}

func manyPeers(n int) []accounts.PeerConfig {
	peers := make([]accounts.PeerConfig, n)
	for i := range peers {
		peers[i] = accounts.PeerConfig{ID: fmt.Sprintf("peer %d", i), Asset: usd, CreditLine: units(uint64(i + 1))}
	}
	return peers
}

// requireLines provisions peers, repeatedly, and requires that each has exactly its line.
func requireLines(t *testing.T, book *accounts.Book, peers []accounts.PeerConfig) {
	t.Helper()
	handles, err := book.Provision(t.Context(), peers...)
	require.NoError(t, err)
	balances, err := book.Balances(t.Context(), handles...)
	require.NoError(t, err)
	require.Len(t, balances, len(peers))
	for i, b := range balances {
		require.Equal(t, peers[i].CreditLine, b.CreditLine)
	}
}

func TestProvisionThousandsInFewRequests(t *testing.T) {
	t.Parallel()
	l := &requests{Ledger: newLedger(t)}
	book := newBook(t, l)
	_, err := book.Provision(t.Context(), manyPeers(8189)...)
	require.NoError(t, err)
	require.Equal(t, int64(5), l.creates.Load(), "4 accounts a peer and 12 of our own, 8189 a request")
	require.Equal(t, int64(1), l.grants.Load())
	require.Zero(t, l.lookups.Load())

	requireLines(t, book, manyPeers(8189))
	require.Equal(t, int64(1), l.grants.Load(), "nothing is granted again")
	ledgertest.RequireNothingHeld(t, l)
}

func TestProvisionOnALedgerWithSmallRequests(t *testing.T) {
	t.Parallel()
	l := newLedger(t, embedded.WithBatchMax(253))
	book := newBook(t, l)
	handles, err := book.Provision(t.Context(), manyPeers(1000)...)
	require.NoError(t, err)
	balances, err := book.Balances(t.Context(), handles...)
	require.NoError(t, err)
	require.Len(t, balances, 1000)
	ledgertest.RequireNothingHeld(t, l)
}

func TestProvisionRefusesWhatCannotBe(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		peer  accounts.PeerConfig
		field string
	}{
		"empty id":     {accounts.PeerConfig{Asset: usd}, "ID"},
		"huge id":      {accounts.PeerConfig{ID: strings.Repeat("x", 1024), Asset: usd}, "ID"},
		"not utf-8":    {accounts.PeerConfig{ID: "\xff", Asset: usd}, "ID"},
		"given twice":  {accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(1)}, "ID"},
		"line too big": {accounts.PeerConfig{ID: "bob", Asset: usd, CreditLine: ledger.Amount(uint128.New(1, 1<<32))}, "CreditLine"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := &requests{Ledger: newLedger(t)}
			_, err := newBook(t, l).Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: usd}, test.peer)
			require.ErrorIs(t, err, accounts.ErrInvalid)
			var field *accounts.FieldError
			require.ErrorAs(t, err, &field)
			require.Equal(t, test.field, field.Field)
			require.Zero(t, l.creates.Load(), "nothing was written")
		})
	}
	euro := accounts.Asset{Code: "EUR", Scale: 2, Ledger: 9}
	_, err := newBook(t, newLedger(t)).Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: euro})
	require.ErrorIs(t, err, accounts.ErrUnknownAsset)
	require.ErrorContains(t, err, "EUR/2 on ledger 9; the book has USD/9 on ledger 1, XRP/6 on ledger 2")
	lossy := usd
	lossy.AllowLoss = true
	_, err = newBook(t, newLedger(t)).OwnAccount(lossy)
	require.ErrorContains(t, err, "USD/9 on ledger 1 with AllowLoss; the book has USD/9 on ledger 1, ")
}

func TestNewBookReportsAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := accounts.NewBook(nil, accounts.Config{Assets: []accounts.Asset{
		usd, {Code: "EUR", Ledger: usd.Ledger}, {Code: "", Ledger: 3}, {Code: "JPY"},
	}})
	require.ErrorIs(t, err, accounts.ErrInvalid)
	require.ErrorContains(t, err, `asset "EUR": Ledger 1 is already used by USD/9`)
	require.ErrorContains(t, err, `asset "": Code must be 1 to 32 bytes of UTF-8`)
	require.ErrorContains(t, err, `asset "JPY": Ledger must not be 0`)
	_, err = accounts.NewBook(nil, accounts.Config{})
	require.ErrorIs(t, err, accounts.ErrInvalid)
}
