package accounts_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

func TestProvisionReportsEveryDrift(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	l := newLedger(t)
	_, err := newBook(t, l).Provision(ctx,
		accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(5)}, accounts.PeerConfig{ID: "bob", Asset: usd})
	require.NoError(t, err)

	euro := accounts.Asset{Code: "EUR", Scale: 2, Ledger: usd.Ledger}
	book, err := accounts.NewBook(l, accounts.Config{
		Namespace: t.Name(), Assets: []accounts.Asset{euro}, NoHistory: true,
	})
	require.NoError(t, err)
	handles, err := book.Provision(ctx,
		accounts.PeerConfig{ID: "alice", Asset: euro, CreditLine: units(7)}, accounts.PeerConfig{ID: "carol", Asset: euro})
	require.ErrorIs(t, err, accounts.ErrDrift)
	require.Nil(t, handles, "nothing was provisioned")

	var drift *accounts.DriftError
	require.ErrorAs(t, err, &drift)
	byAccount := map[string][]string{}
	for _, d := range drift.Drifts {
		key := d.Account.String() + " " + d.AccountKind
		byAccount[key] = append(byAccount[key], d.Field)
	}
	require.Equal(t, []string{"flags", "asset", "scale"}, byAccount["alice on ledger 1 peer"])
	require.Equal(t, []string{"asset", "scale", "credit_line"}, byAccount["alice on ledger 1 line"])
	require.Equal(t, []string{"asset", "scale"}, byAccount["ourselves on ledger 1 dust"])
	require.NotContains(t, byAccount, "carol on ledger 1 peer")
	require.ErrorContains(t, err, "alice on ledger 1: line account: credit_line is 5 units, want 7 units", "whole units of two scales")
	carol, err := book.PeerAccount("carol", euro)
	require.NoError(t, err)
	_, err = book.Balance(ctx, carol)
	require.ErrorIs(t, err, accounts.ErrNotProvisioned)
	ledgertest.RequireNothingHeld(t, l)
}

// A process with a different scale writes nothing and grants no line, also if the asset was
// created concurrently. No line is granted to a peer whose own accounts differ either.
func TestProvisionGrantsNoLineOfAnotherScale(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	cents, billionths := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}, usd
	bookOf := func(l ledger.Ledger, asset accounts.Asset, noHistory bool) *accounts.Book {
		book, err := accounts.NewBook(l, accounts.Config{Namespace: t.Name(), Assets: []accounts.Asset{asset}, NoHistory: noHistory})
		require.NoError(t, err)
		return book
	}
	l := newLedger(t)
	first := func() {
		_, err := bookOf(l, cents, false).Provision(ctx, accounts.PeerConfig{ID: "alice", Asset: cents})
		require.NoError(t, err)
	}
	line := func() ledger.Amount {
		book := bookOf(l, cents, false)
		alice, err := book.PeerAccount("alice", cents)
		require.NoError(t, err)
		b, err := book.Balance(ctx, alice)
		require.NoError(t, err)
		return b.CreditLine
	}
	alice := accounts.PeerConfig{ID: "alice", Asset: billionths, CreditLine: units(200_000_000_000)}

	_, err := bookOf(&beforeAccounts{Ledger: l, do: first}, billionths, false).Provision(ctx, alice)
	require.ErrorIs(t, err, accounts.ErrDrift)
	require.Zero(t, line(), "a race")
	handles, err := bookOf(l, billionths, false).Provision(ctx, alice)
	require.ErrorIs(t, err, accounts.ErrDrift)
	require.Nil(t, handles)
	require.Zero(t, line())

	handles, err = bookOf(l, cents, true).Provision(ctx, accounts.PeerConfig{ID: "alice", Asset: cents, CreditLine: units(5)}, accounts.PeerConfig{ID: "bob", Asset: cents, CreditLine: units(5)})
	require.ErrorIs(t, err, accounts.ErrDrift, "no history")
	require.Zero(t, line())
	bob, err := bookOf(l, cents, false).Balance(ctx, handles[1])
	require.NoError(t, err)
	require.Equal(t, units(5), bob.CreditLine, "the drift is not bob's")
	ledgertest.RequireNothingHeld(t, l)
}

// beforeAccounts runs a function right before the first accounts are created.
type beforeAccounts struct {
	ledger.Ledger
	do func()
}

func (b *beforeAccounts) CreateAccounts(ctx context.Context, a []ledger.Account) ([]ledger.CreateAccountResult, error) {
	if do := b.do; do != nil {
		b.do = nil
		do()
	}
	return b.Ledger.CreateAccounts(ctx, a)
}
