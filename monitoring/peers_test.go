package monitoring_test

import (
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/monitoring"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
)

// A scrape costs one request for our own positions and one for some 2,000 peers.
func TestScrapeReadsManyPeersAtOnce(t *testing.T) {
	t.Parallel()
	var peers []accounts.PeerConfig
	for i := range 4001 {
		peers = append(peers, accounts.PeerConfig{ID: fmt.Sprint("peer ", i), Asset: usd})
	}
	c := newConnector(t, monitoring.Config{}, settlement.Config{}, peers...)
	require.NoError(t, c.metrics.Watch(t.Context(), c.sources))
	before := c.ledger.lookups.Load()
	require.Equal(t, map[string]float64{"USD,1": 4001, "EUR,2": 0}, c.values(t, "peerledger_peers"))
	require.Equal(t, int64(1+3), c.ledger.lookups.Load()-before)
	require.Len(t, c.values(t, "peerledger_peer_position"), 20, "the default of Config.Top")
}

// A peer that is paid ahead has no threshold, so the peer is never past its threshold.
func TestPrefundHasNoThreshold(t *testing.T) {
	t.Parallel()
	c := newConnector(t, monitoring.Config{}, settlement.Config{
		Rails:    settlement.Rails{Default: railOf("chain", never)},
		Policies: settlement.Policies{Default: settlement.Prefund{PrefundThreshold: big.NewInt(100), SettleTo: big.NewInt(-100)}},
	}, accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(1000)}, accounts.PeerConfig{ID: "bob", Asset: usd})
	c.forward(t, c.peers[0], c.peers[1], 250)
	require.NoError(t, c.metrics.Watch(t.Context(), c.sources))
	require.Empty(t, c.values(t, "peerledger_peer_threshold"))
	require.Zero(t, c.values(t, "peerledger_peers_past_threshold")["USD,1"])
	require.InDelta(t, 2.5, c.values(t, "peerledger_peer_due")["USD,1,bob"], 0, "the next order is shown without a threshold")
}

// Closed peers are counted; holds are shown for the sender and the receiver; nothing is due while an
// order is open.
func TestClosedHeldAndSettling(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newConnector(t, monitoring.Config{Interval: time.Nanosecond}, settlement.Config{
		Rails: settlement.Rails{Default: railOf("chain", never)}, Policies: settlement.Policies{Default: settlement.Threshold{SettleThreshold: units(100)}},
	}, accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(1000)}, accounts.PeerConfig{ID: "bob", Asset: usd}, accounts.PeerConfig{ID: "carol", Asset: usd})
	require.NoError(t, c.book.ClosePeer(ctx, c.peers[2]))
	c.forward(t, c.peers[0], c.peers[1], 250)
	require.NoError(t, c.metrics.Watch(ctx, c.sources))
	require.InDelta(t, 2.5, c.values(t, "peerledger_peer_due")["USD,1,bob"], 0)
	require.InDelta(t, 1, c.values(t, "peerledger_peers_closed")["USD,1"], 0)
	_, err := c.engine.Settle(ctx, c.peers[1])
	require.Error(t, err)
	require.InDelta(t, 2.5, c.values(t, "peerledger_peer_settling")["USD,1,bob"], 0)
	require.Zero(t, c.values(t, "peerledger_peer_due")["USD,1,bob"])

	held, err := c.recorder.Prepare(ctx, transfers.Packet{From: c.peers[0], To: c.peers[1], In: 10, Out: 7, Hold: time.Minute})
	require.NoError(t, err)
	require.InDelta(t, .1, c.values(t, "peerledger_peer_held_in")["USD,1,alice"], 1e-9)
	require.InDelta(t, .07, c.values(t, "peerledger_peer_held_out")["USD,1,bob"], 1e-9)
	_, err = c.recorder.Reject(ctx, held.Packet)
	require.NoError(t, err)
	require.Zero(t, c.values(t, "peerledger_peer_held_in")["USD,1,alice"])
}
