package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/lookup"
	"github.com/peerledger/peerledger/transfers"
)

// goldenTimes and goldenIDs are what differs from run to run in the output of a command.
var (
	goldenTimes = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)
	goldenIDs   = regexp.MustCompile(`[0-9a-f]{32}`)
)

func blankOut(text string) string {
	return goldenIDs.ReplaceAllString(goldenTimes.ReplaceAllString(text, "TIME"), "ID")
}

// A packet is found by its id and by its condition, with the fields that are promised.
func TestFindPacket(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	var id string
	condition := [32]byte{1, 2, 3, 4, 5, 6, 7, 8, 9}
	s.openAsConnector(t, func(c *peerledger.Client, alice, bob accounts.PeerAccount) {
		held, err := c.Recorder.Prepare(t.Context(), transfers.Packet{From: alice, To: bob, In: 310, Out: 300, Hold: time.Hour, Condition: condition})
		require.NoError(t, err)
		id = held.Packet.ID.String()
	})
	out := s.runOK(t, "find", id, "--json")
	require.Equal(t, `{"json":1,"what":"packet","id":"ID","state":"held","from":"peer alice","from_asset":"USD/2","in":"3.10","to":"peer bob","to_asset":"USD/2","out":"3.00",`+
		`"since":"TIME","expiry":"TIME","condition":"0102030405060708","rows":[`+
		`{"time":"TIME","step":"hold","code":1,"amount":"3.00","asset":"USD/2","debit":"peer alice","credit":"peer bob","transfer":"ID"},`+
		`{"time":"TIME","step":"hold","code":2,"amount":"0.10","asset":"USD/2","debit":"peer alice","credit":"revenue","transfer":"ID"}]}`+"\n", blankOut(out))
	require.Contains(t, out, `"id":"`+id+`"`)
	for _, text := range []string{"0102030405060708", "0102030405060708090000000000000000000000000000000000000000000000"} {
		require.Equal(t, out, s.runOK(t, "find", text, "--json"), text)
	}
	text := s.runOK(t, "find", id)
	require.Contains(t, text, "packet "+id+": held\n  from peer alice, 3.10 USD/2, to peer bob, 3.00 USD/2\n")
	require.Contains(t, text, "condition 0102030405060708")
	require.Contains(t, text, "│ hold │    1 │   3.00 │ USD/2 │ peer alice │ peer bob │")
}

// Orders are found by id, and payments by key. A key may look like an id.
func TestFindOrdersAndPayments(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.forwardPacket(t, 3001)
	order := s.leaveOrderOpen(t)
	got := readRows[lookup.Thing](t, s, "find", order)
	require.Len(t, got, 1)
	require.Equal(t, []string{"order", "open", "peer bob", "0.00"}, []string{got[0].What, got[0].State, got[0].From, got[0].Out})
	s.runOK(t, "settle", "resolve", "bob@USD", order, got[0].In, "--yes")
	paid := readRows[lookup.Thing](t, s, "find", order)
	require.Equal(t, []string{"paid", got[0].In}, []string{paid[0].State, paid[0].Out})

	for _, key := range []string{"wire 4711", strings.Repeat("ab", 16)} {
		s.runOK(t, "settle", "received", "alice@USD", "5", "--key", key, "--yes")
		found := readRows[lookup.Thing](t, s, "find", key)
		require.Len(t, found, 1)
		require.Equal(t, []string{"payment", "booked", "peer alice", "5.00"}, []string{found[0].What, found[0].State, found[0].To, found[0].Out})
		require.Equal(t, found, readRows[lookup.Thing](t, s, "find", key, "--key"))
		require.Equal(t, found, readRows[lookup.Thing](t, s, "find", found[0].KeyHash))
	}
}

func TestFindNothing(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	for _, text := range []string{"nothing", strings.Repeat("12", 16), strings.Repeat("12", 8)} {
		got := s.runCommand(t, "find", text)
		require.Equal(t, statusFailed, got.status, text)
		require.Contains(t, got.errors, "nothing found")
		require.Empty(t, got.out)
		var line struct{ Error string }
		require.NoError(t, json.Unmarshal([]byte(s.runCommand(t, "find", text, "--json").errors), &line))
		require.Contains(t, line.Error, text)
	}
	for _, args := range [][]string{
		{strings.Repeat("0", 32)}, {strings.Repeat("0", 16)}, {""}, {" key"}, {"key", "--limit", "0"}, {"key", "--limit", "9000"}, {"key", "--after", "soon"},
	} {
		require.Equal(t, statusUsage, s.runCommand(t, append([]string{"find"}, args...)...).status, args)
	}
}

// More packets of a condition than the limit are found in parts.
func TestFindGoesOn(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.openAsConnector(t, func(c *peerledger.Client, alice, bob accounts.PeerAccount) {
		for range 5 {
			_, err := c.Recorder.Prepare(t.Context(), transfers.Packet{From: alice, To: bob, In: 3, Out: 3, Hold: time.Hour, Condition: [32]byte{7}})
			require.NoError(t, err)
		}
	})
	seen := map[string]bool{}
	args := []string{"find", "0700000000000000", "--limit", "2", "--json"}
	for pages := 1; ; pages++ {
		require.LessOrEqual(t, pages, 3)
		got := s.runCommand(t, args...)
		require.Equal(t, statusDone, got.status, got.errors)
		for _, thing := range parseRows[lookup.Thing](t, got.out) {
			require.False(t, seen[thing.ID])
			seen[thing.ID] = true
		}
		next := regexp.MustCompile(`--after (\S+),`).FindStringSubmatch(got.errors)
		if next == nil {
			break
		}
		args = []string{"find", "0700000000000000", "--limit", "2", "--json", "--after", next[1]}
	}
	require.Len(t, seen, 5)
}
