package accounts_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
)

// Each limit comes from the first level that sets it, and from the default if no other level does.
func TestLimitsFallBackToTheDefault(t *testing.T) {
	t.Parallel()
	book := bookWith(t, accounts.Rules[accounts.Limits]{
		PeerAsset: map[accounts.PeerAsset]accounts.Limits{{Peer: "alice", Asset: usd}: {CreditLine: "4"}},
		Peer:      map[string]accounts.Limits{"alice": {PayableCap: "3"}},
		Asset:     map[accounts.Asset]accounts.Limits{usd: {MaxPacket: "2"}},
		Default:   accounts.Limits{CreditLine: "1", PayableCap: "1", MaxPacket: "1", MaxHold: time.Hour},
	})
	for _, c := range []struct {
		peer                  string
		asset                 accounts.Asset
		line, payable, packet string // whole units
	}{
		{"alice", usd, "4", "3", "2"},
		{"alice", xrp, "1", "3", "1"},
		{"bob", usd, "1", "1", "2"},
		{"bob", xrp, "1", "1", "1"},
	} {
		account, err := book.PeerAccount(c.peer, c.asset)
		require.NoError(t, err)
		got, err := book.EffectiveLimits(account)
		require.NoError(t, err)
		require.Equal(t, c.line, c.asset.WholeUnits(got.CreditLine).String(), c)
		require.Equal(t, c.payable, c.asset.WholeUnits(got.PayableCap).String(), c)
		require.Equal(t, c.packet, c.asset.WholeUnits(got.MaxPacket).String(), c)
		require.Equal(t, time.Hour, got.MaxHold, c)
	}
}

// For takes the narrowest entry as a whole, also if it is the zero value.
func TestRulesForANarrowEntry(t *testing.T) {
	t.Parallel()
	rules := accounts.Rules[int]{
		PeerAsset: map[accounts.PeerAsset]int{{Peer: "alice", Asset: usd}: 0},
		Peer:      map[string]int{"alice": 3}, Asset: map[accounts.Asset]int{usd: 2}, Default: 1,
	}
	require.Equal(t, 0, rules.For("alice", usd))
	require.Equal(t, 3, rules.For("alice", xrp))
	require.Equal(t, 2, rules.For("bob", usd))
	require.Equal(t, 1, rules.For("bob", xrp))
}
