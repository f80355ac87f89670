package accounts_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
)

// A cap of any kind, on any level, must be enforced by recorders.
func TestCappedByOneLimit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limits accounts.Limits
		capped bool
	}{
		"payable cap": {accounts.Limits{PayableCap: "5"}, true},
		"held share":  {accounts.Limits{InFlightShare: "0.5"}, true},
		"credit line": {accounts.Limits{CreditLine: "5"}, false},
	} {
		require.Equal(t, c.capped, bookWith(t, accounts.Rules[accounts.Limits]{Default: c.limits}).HasCaps(), "%s by default", name)
		require.Equal(t, c.capped, bookWith(t, accounts.Rules[accounts.Limits]{
			Asset: map[accounts.Asset]accounts.Limits{usd: c.limits},
		}).HasCaps(), "%s of an asset", name)
		require.Equal(t, c.capped, bookWith(t, accounts.Rules[accounts.Limits]{
			Peer: map[string]accounts.Limits{"alice": c.limits},
		}).HasCaps(), "%s of a peer", name)
		require.Equal(t, c.capped, bookWith(t, accounts.Rules[accounts.Limits]{
			PeerAsset: map[accounts.PeerAsset]accounts.Limits{{Peer: "alice", Asset: usd}: c.limits},
		}).HasCaps(), "%s of a peer in an asset", name)
	}
}
