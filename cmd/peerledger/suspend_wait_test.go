package main

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/transfers"
)

// With --wait, the suspension is written at once, and the exit status says whether packets are still in flight.
func TestSuspendAndWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newTestLedger(t)
		require.Contains(t, s.runOK(t, "peers", "suspend", "alice@USD", "--wait", "10s", "--yes"),
			"Every connector has seen it, and no packet of the peer is in flight, after 2s.")
		s.runOK(t, "peers", "resume", "alice@USD", "--yes")
		require.Contains(t, s.runOK(t, "peers", "suspend", "alice@USD", "--wait", "10s"), "Nothing was written.")
		require.Contains(t, s.runOK(t, "balances", "alice@USD"), "active")

		s.openAsConnector(t, func(c *peerledger.Client, alice, bob accounts.PeerAccount) {
			packet := transfers.Packet{From: alice, To: bob, In: 5_00, Out: 5_00, Expiry: time.Now().Add(time.Hour)}
			_, err := c.Recorder.Prepare(t.Context(), packet)
			require.NoError(t, err)
		})
		got := s.runCommand(t, "peers", "suspend", "alice@USD", "--wait", "1m", "--yes", "--json")
		require.Equal(t, statusUnknown, got.status)
		var c change
		require.NoError(t, json.Unmarshal([]byte(got.out), &c))
		require.True(t, c.Written)
		require.Equal(t, "suspended", c.After)
		require.Contains(t, got.errors, "the peer is suspended, and its packets are still in flight (peerledger holds alice --asset USD/2)")
		require.Contains(t, got.errors, "waited 1m0s")
		require.Contains(t, got.errors, "5.00 USD by packets from the peer")

		require.Equal(t, statusUnknown, s.runCommand(t, "peers", "suspend", "alice@USD", "--wait", "1ms", "--yes").status, "no look yet")
		require.Equal(t, statusUsage, s.runCommand(t, "peers", "suspend", "alice@USD", "--wait", "-1s", "--yes").status)
	})
}
