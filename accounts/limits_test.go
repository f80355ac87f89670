package accounts_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
)

func bookWith(t *testing.T, limits accounts.Rules[accounts.Limits], change ...func(*accounts.Config)) *accounts.Book {
	t.Helper()
	cfg := accounts.Config{Assets: []accounts.Asset{usd, xrp}, Limits: limits}
	for _, f := range change {
		f(&cfg)
	}
	book, err := accounts.NewBook(newLedger(t), cfg)
	require.NoError(t, err)
	return book
}

func TestLimitsByLevel(t *testing.T) {
	t.Parallel()
	book := bookWith(t, accounts.Rules[accounts.Limits]{
		PeerAsset: map[accounts.PeerAsset]accounts.Limits{{Peer: "alice", Asset: usd}: {CreditLine: "5", InFlightShare: "0.25"}},
		Peer:      map[string]accounts.Limits{"alice": {CreditLine: "4", PayableCap: "9"}, "bob": {CreditLine: "0", PayableCap: "unlimited"}},
		Asset:     map[accounts.Asset]accounts.Limits{usd: {CreditLine: "1", PayableCap: "100", InFlightShare: "0.5"}},
	}, func(c *accounts.Config) { c.Ceilings = map[accounts.Asset]accounts.Decimal{xrp: "3.5"} })
	require.True(t, book.HasCaps())
	for _, c := range []struct {
		peer               string
		asset              accounts.Asset
		line, payable      string // whole units
		capped, heldCapped bool
		share              string
	}{
		{"alice", usd, "5", "9", true, true, "0.25"},
		{"alice", xrp, "3.5", "9", true, false, "1"}, // cut by the ceiling
		{"bob", usd, "0", "", false, true, "0.5"},
		{"carol", usd, "1", "100", true, true, "0.5"},
		{"carol", xrp, "0", "", false, false, "1"}, // unset limits grant nothing
	} {
		a, err := book.PeerAccount(c.peer, c.asset)
		require.NoError(t, err)
		got, err := book.EffectiveLimits(a)
		require.NoError(t, err)
		require.Equal(t, c.line, c.asset.WholeUnits(got.CreditLine).String(), c)
		require.Equal(t, c.capped, got.PayableCapped, c)
		if c.capped {
			require.Equal(t, c.payable, c.asset.WholeUnits(got.PayableCap).String(), c)
		}
		require.Equal(t, c.heldCapped, got.InFlightCapped, c)
		require.Equal(t, c.share, got.InFlightShare.String(), c)
	}
	require.False(t, bookWith(t, accounts.Rules[accounts.Limits]{}).HasCaps())

	third := bookWith(t, accounts.Rules[accounts.Limits]{Asset: map[accounts.Asset]accounts.Limits{usd: {InFlightShare: "0.333333333"}}})
	allowed, err := third.EffectiveLimits(mustAccount(t, third, "alice"))
	require.NoError(t, err)
	require.Equal(t, units(333), allowed.InFlightCap(units(1000)))
	require.Equal(t, "26409387478345391693093204247", allowed.InFlightCap(accounts.Unlimited).String())
}

func TestLimitsThatCannotBe(t *testing.T) {
	t.Parallel()
	cents := accounts.Asset{Code: "USD", Scale: 2, Ledger: 3}
	all := func(a accounts.Asset, l accounts.Limits) accounts.Rules[accounts.Limits] {
		return accounts.Rules[accounts.Limits]{Asset: map[accounts.Asset]accounts.Limits{a: l}}
	}
	for _, c := range []struct {
		field  string
		limits accounts.Rules[accounts.Limits]
	}{
		{"CreditLine", all(usd, accounts.Limits{CreditLine: "-1"})},
		{"CreditLine", all(usd, accounts.Limits{CreditLine: "1e9"})},
		{"CreditLine", all(usd, accounts.Limits{CreditLine: "much"})},
		{"CreditLine", all(usd, accounts.Limits{CreditLine: "79228162514264337593.543950337"})}, // one unit above 2^96
		{"CreditLine", all(cents, accounts.Limits{CreditLine: "0.001"})},
		{"CreditLine", accounts.Rules[accounts.Limits]{Peer: map[string]accounts.Limits{"alice": {CreditLine: "0.001"}}}}, // too many decimals for one of the assets
		{"PayableCap", accounts.Rules[accounts.Limits]{PeerAsset: map[accounts.PeerAsset]accounts.Limits{{Peer: "alice", Asset: usd}: {PayableCap: "x"}}}},
		{"InFlightShare", all(usd, accounts.Limits{InFlightShare: "1.1"})},
		{"InFlightShare", all(usd, accounts.Limits{InFlightShare: "-0"})},
		{"InFlightShare", all(usd, accounts.Limits{InFlightShare: "0.1234567891"})},
		{"InFlightShare", all(usd, accounts.Limits{InFlightShare: "half"})},
		{"InFlightShare", all(usd, accounts.Limits{InFlightShare: "."})},
		{"CreditLine", accounts.Rules[accounts.Limits]{Default: accounts.Limits{CreditLine: "0.001"}}},
		{"Asset", all(accounts.Asset{Code: "USD", Scale: 3, Ledger: 1}, accounts.Limits{})},
		{"Peer", accounts.Rules[accounts.Limits]{Peer: map[string]accounts.Limits{"": {}}}},
		{"PeerAsset", accounts.Rules[accounts.Limits]{PeerAsset: map[accounts.PeerAsset]accounts.Limits{{Peer: "\xff", Asset: usd}: {}}}},
		{"PeerAsset", accounts.Rules[accounts.Limits]{PeerAsset: map[accounts.PeerAsset]accounts.Limits{{Peer: "alice"}: {}}}},
	} {
		_, err := accounts.NewBook(newLedger(t), accounts.Config{Assets: []accounts.Asset{usd, xrp, cents}, Limits: c.limits})
		requireField(t, err, c.field)
	}
	_, err := accounts.NewBook(newLedger(t), accounts.Config{Assets: []accounts.Asset{usd}, SuspensionPollInterval: -1})
	requireField(t, err, "SuspensionPollInterval")
	for _, ceilings := range []map[accounts.Asset]accounts.Decimal{{usd: "-5"}, {{Code: "EUR", Ledger: 7}: "5"}} {
		_, err := accounts.NewBook(newLedger(t), accounts.Config{Assets: []accounts.Asset{usd}, Ceilings: ceilings})
		requireField(t, err, "Ceilings")
	}
}
