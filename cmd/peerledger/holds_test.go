package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/transfers"
)

// holdPackets leaves packets from alice to bob prepared, of so many cents, each held an hour less than the one before.
func (s testLedger) holdPackets(t *testing.T, cents ...uint64) (packets []string) {
	t.Helper()
	s.openAsConnector(t, func(c *peerledger.Client, alice, bob accounts.PeerAccount) {
		for i, amount := range cents {
			held, err := c.Recorder.Prepare(t.Context(), transfers.Packet{From: alice, To: bob, In: amount, Out: amount, Hold: time.Duration(len(cents)-i) * time.Hour})
			require.NoError(t, err)
			packets = append(packets, held.Packet.ID.String())
		}
	})
	return packets
}

// Without a peer the holds of all configured peers are listed, sorted and limited.
func TestHoldsOfAllPeers(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	ids := s.holdPackets(t, 100, 300, 200)
	list := func(args ...string) (packets []string) {
		for _, row := range readRows[holdRow](t, s, append([]string{"holds"}, args...)...) {
			packets = append(packets, row.Packet)
		}
		return packets
	}
	require.Equal(t, []string{ids[0], ids[1], ids[2]}, list("bob@USD"))
	require.Equal(t, []string{ids[2], ids[1], ids[0]}, list("bob@USD", "--order", "expiry"))
	require.Equal(t, []string{ids[1], ids[2], ids[0]}, list("bob@USD", "--order", "amount"))
	require.Equal(t, []string{ids[0], ids[0], ids[1], ids[1], ids[2], ids[2]}, list(), "each packet holds an amount of both peers")
	require.Empty(t, list("--asset", "EUR"))

	cut := s.runCommand(t, "holds", "--limit", "4", "--json")
	require.Equal(t, statusDone, cut.status)
	require.Len(t, parseRows[holdRow](t, cut.out), 4)
	require.Contains(t, cut.errors, "there are more holds than the 4 shown: see --limit")
	table := s.runOK(t, "holds")
	require.Contains(t, table, "│ alice │ USD/2 │ packet "+ids[0]+" │ 1.00 │ 0.00 │")

	for _, args := range [][]string{{"--order", "size"}, {"--limit", "0"}, {"--limit", "-1"}, {"--limit", "100001"}, {"--asset", "GBP"}} {
		require.Equal(t, statusUsage, s.runCommand(t, append([]string{"holds"}, args...)...).status, args)
	}
}

// The sums of each peer count all its holds, with the fields that are promised.
func TestTotalsOfHolds(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	require.Empty(t, s.runOK(t, "holds", "--totals", "--json"))
	s.holdPackets(t, 100, 300)
	out := s.runOK(t, "holds", "--totals", "--limit", "1", "--json")
	const moment = `"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"`
	require.Regexp(t, `^{"json":1,"peer":"alice","asset":"USD/2","packets":2,"reservations":0,"in":"4.00","out":"0.00","oldest":`+moment+`,"nearest_expiry":`+moment+`}
{"json":1,"peer":"bob","asset":"USD/2","packets":2,"reservations":0,"in":"0.00","out":"4.00","oldest":`+moment+`,"nearest_expiry":`+moment+`}
$`, out)
	rows := parseRows[holdTotalRow](t, out)
	parse := func(text string) time.Time {
		at, err := time.Parse(time.RFC3339, text)
		require.NoError(t, err)
		return at
	}
	require.WithinDuration(t, parse(rows[0].Oldest).Add(time.Hour), parse(rows[0].NearestExpiry), 10*time.Second, "of the second packet")
	require.Contains(t, s.runOK(t, "holds", "--totals"), "│ alice │ USD/2 │       2 │            0 │ 4.00 │ 0.00 │")
}
