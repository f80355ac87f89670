package accounts_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
)

func TestHandlesOfOtherBooks(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	book := newBook(t, l)
	provision(t, book, 100, "alice")
	eur := accounts.Asset{Code: "EUR", Scale: 2, Ledger: 77}
	other, err := accounts.NewBook(l, accounts.Config{Namespace: t.Name(), Assets: []accounts.Asset{eur}})
	require.NoError(t, err)
	foreign, err := other.PeerAccount("alice", eur)
	require.NoError(t, err)
	own, err := other.OwnAccount(eur)
	require.NoError(t, err)
	for _, a := range []accounts.PeerAccount{foreign, own} {
		_, err = book.Adjust(t.Context(), accounts.Adjustment{Account: a, Key: "k", Credit: units(1), ReasonCode: 1})
		require.ErrorIs(t, err, accounts.ErrUnknownAsset)
	}
	require.ErrorIs(t, book.EnsureArrears(t.Context(), foreign), accounts.ErrUnknownAsset)
	ours, err := book.OwnAccount(usd)
	require.NoError(t, err)
	requireField(t, book.EnsureArrears(t.Context(), ours), "Account")
}

func TestTextOfErrors(t *testing.T) {
	t.Parallel()
	book := newBook(t, newLedger(t))
	alice := mustAccount(t, book, "alice")
	for _, c := range []struct {
		err   error
		kind  error
		texts []string
	}{
		{
			&accounts.LineInUseError{Account: alice, Asset: usd, CreditLine: units(9), Free: units(4), By: units(6), Wanted: units(3)}, accounts.ErrLineInUse,
			[]string{"alice", "is " + usd.Text(units(9)), "by " + usd.Text(units(6)), "to " + usd.Text(units(3)), "at most " + usd.Text(units(4))},
		},
		{
			&accounts.HeldError{Account: alice, Asset: usd, HeldIn: units(1), HeldOut: units(2), Settling: units(3)}, accounts.ErrHeld,
			[]string{"alice", usd.Text(units(1)) + " by packets from", usd.Text(units(2)) + " by packets to", usd.Text(units(3)) + " by settlement"},
		},
		{&accounts.OwedError{Account: alice, Asset: usd, Payable: units(5)}, accounts.ErrOwed, []string{"we owe " + usd.Text(units(5)) + " to alice"}},
		{&accounts.OwedError{Account: alice, Asset: usd, Receivable: units(5)}, accounts.ErrOwed, []string{"alice on ledger 1 owes us " + usd.Text(units(5))}},
		{
			&accounts.OwedError{Account: alice, Asset: usd, Receivable: units(5), Arrears: units(2)}, accounts.ErrOwed,
			[]string{"owes us " + usd.Text(units(5)) + ", of which " + usd.Text(units(2)) + " is arrears"},
		},
	} {
		require.ErrorIs(t, c.err, c.kind)
		for _, text := range c.texts {
			require.ErrorContains(t, c.err, text)
		}
	}
	require.Equal(t, "ThresholdEvent(0)", accounts.ThresholdEvent(0).String())
	require.Equal(t, "ThresholdEvent(5)", (accounts.HighCleared + 1).String())
	require.Equal(t, "low reached", accounts.LowReached.String())
	require.Equal(t, "high cleared", accounts.HighCleared.String())
}
