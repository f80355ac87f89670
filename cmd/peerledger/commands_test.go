package main

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/scripttest"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
)

func TestBalances(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.forwardPacket(t, 3001)
	got := readRows[peerRow](t, s, "balances")
	require.Len(t, got, 3)
	require.Equal(t, []string{"alice", "USD/2", "active", "-30.01", "100.00", "69.99"},
		[]string{got[0].Peer, got[0].Asset, got[0].State, got[0].Position, got[0].CreditLine, got[0].Headroom})
	require.Equal(t, "30.00", got[1].Position)

	require.Len(t, readRows[peerRow](t, s, "balances", "bob@USD"), 1)
	require.Len(t, readRows[peerRow](t, s, "balances", "--asset", "EUR"), 1)
	own := readRows[ownRow](t, s, "balances", "--own", "--asset", "USD/2")
	require.Equal(t, "0.01", own[0].Revenue)

	table := s.runOK(t, "balances")
	require.Contains(t, table, "│ alice │ USD/2 │ active │   -30.01 │    0.00 │      100.00 │    69.99 │")
}

// No command writes without --yes.
func TestNothingIsWrittenWithoutYes(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.forwardPacket(t, 3001)
	before := s.runOK(t, "balances", "--json")
	for _, args := range [][]string{
		{"peers", "add", "carol", "--asset", "USD", "--credit-line", "5"},
		{"peers", "provision"},
		{"peers", "suspend", "alice@USD"},
		{"peers", "close", "alice@EUR"},
		{"peers", "resume", "bob@USD"},
		{"peers", "reopen", "bob@USD"},
		{"credit", "set", "alice@USD", "1"},
		{"credit", "extend", "alice@USD", "1"},
		{"credit", "revoke", "alice@USD", "1"},
		{"settle", "received", "alice@USD", "1", "--key", "k"},
		{"settle", "paid", "bob@USD", "1", "--key", "k"},
		{"settle", "resolve", "bob@USD", "abc", "1"},
		{"settle", "cancel", "bob@USD", "abc"},
		{"settle", "approve", "bob@USD", "abc"},
		{"settle", "pause", "bank"},
		{"settle", "resume", "bank"},
		{"settle", "stop"},
		{"settle", "start"},
		{"settle", "paid", "bob@USD", "100", "--key", "k", "--beyond-headroom"},
		{"settle", "now", "bob@USD", "--pay-with", "/bin/false"},
		{"settle", "refund", "bob@USD", "--pay-with", "/bin/false"},
		{"settle", "returned", "alice@USD", "1", "--key", "k", "--payment", "p"},
		{"settle", "release", "alice@USD"},
		{"settle", "announce", "alice@USD", "1", "--key", "k"},
		{"settle", "failed", "alice@USD", "--key", "k"},
		{"adjust", "credit", "alice@USD", "1", "--key", "k", "--reason", "1"},
		{"adjust", "debit", "alice@USD", "1", "--key", "k", "--reason", "1"},
		{"adjust", "debit", "alice@USD", "1000", "--key", "k", "--reason", "1", "--beyond-headroom"},
		{"adjust", "write-off", "alice@USD", "1", "--key", "k", "--reason", "1"},
		{"fund", "1", "--asset", "USD", "--key", "k", "--reason", "1"},
		{"withdraw", "1", "--asset", "USD", "--key", "k", "--reason", "1"},
	} {
		out := s.runOK(t, args...)
		require.Contains(t, out, "Nothing was written. Add --yes to write it.", args)
		require.Regexp(t, "^Would ", out, args)
		for _, c := range readRows[change](t, s, args...) {
			require.False(t, c.Written, args)
		}
	}
	require.Equal(t, before, s.runOK(t, "balances", "--json"))
	require.Equal(t, "0.00", readRows[ownRow](t, s, "balances", "--own", "--asset", "USD")[0].Capital)
	require.NotContains(t, s.runOK(t, "peers"), "carol")
}

func TestCredit(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.forwardPacket(t, 3001)
	for _, test := range []struct {
		args          []string
		before, after string
	}{
		{[]string{"set", "alice@USD", "200"}, "100.00", "200.00"},
		{[]string{"extend", "alice@USD", "0.50"}, "200.00", "200.50"},
		{[]string{"revoke", "alice", "50", "--asset", "USD/2", "--reason", "7"}, "200.50", "150.50"},
		{[]string{"revoke", "alice@USD", "500", "--what-is-free"}, "150.50", "30.01"},
		{[]string{"set", "alice@USD", "31", "--if-line", "30.01"}, "30.01", "31.00"},
	} {
		got := readRows[change](t, s, append([]string{"credit"}, append(test.args, "--yes")...)...)
		require.Equal(t, []string{test.before, test.after}, []string{got[0].Before, got[0].After}, test.args)
		require.True(t, got[0].Written)
	}
	for _, test := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"revoke", "alice@USD", "5"}, statusFailed, "in use"},
		{[]string{"set", "alice@USD", "5", "--if-line", "6"}, statusFailed, "31"},
		{[]string{"set", "alice@USD", "1.005"}, statusUsage, "Amount"},
		{[]string{"set", "alice@USD", "-1"}, statusUsage, ""},
		{[]string{"set", "nobody@USD", "1"}, statusFailed, "nobody"},
		{[]string{"set", "alice", "1"}, statusUsage, "say which asset: USD/2, EUR/2"},
		{[]string{"set", "alice", "1", "--asset", "GBP"}, statusUsage, `no asset "GBP"`},
		{[]string{"set", "alice@USD"}, statusUsage, "usage: peerledger credit set peer amount"},
	} {
		got := s.runCommand(t, append([]string{"credit"}, append(test.args, "--yes")...)...)
		require.Equal(t, test.status, got.status, "%v: %s", test.args, got.errors)
		require.Contains(t, got.errors, test.want)
		require.Empty(t, got.out)
	}
}

func TestPeers(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	got := readRows[peerRow](t, s, "peers")
	require.Len(t, got, 3)

	s.runOK(t, "peers", "add", "carol", "--asset", "USD", "--credit-line", "5", "--yes")
	got = readRows[peerRow](t, s, "peers", "--asset", "USD")
	require.Len(t, got, 3)
	require.Equal(t, "carol", got[2].Peer, "the configuration has its name now")
	require.NoError(t, os.WriteFile(s.config, []byte(configuration), 0o600))
	got = readRows[peerRow](t, s, "peers", "--asset", "USD")
	require.Empty(t, got[2].Peer, "the configuration does not know its name")
	require.Equal(t, "5.00", got[2].CreditLine)

	states := func() map[string]string {
		states := map[string]string{}
		for _, row := range readRows[peerRow](t, s, "balances", "--asset", "USD") {
			states[row.Peer] = row.State
		}
		return states
	}
	require.Contains(t, s.runOK(t, "peers", "suspend", "alice@USD", "--yes"), "Done: suspend alice in USD/2, from active to suspended.")
	require.Equal(t, map[string]string{"alice": "suspended", "bob": "active"}, states())
	s.runOK(t, "peers", "resume", "alice@USD", "--yes")
	s.runOK(t, "peers", "close", "bob@USD", "--yes")
	require.Equal(t, map[string]string{"alice": "active", "bob": "closed"}, states())
	s.runOK(t, "peers", "reopen", "bob@USD", "--yes")
	require.Equal(t, map[string]string{"alice": "active", "bob": "suspended"}, states())

	// Configured peers that are missing in the ledger are listed.
	require.NoError(t, os.WriteFile(s.config, []byte(configuration+"  - {id: dave, asset: USD}\n"), 0o600))
	require.Contains(t, s.runOK(t, "peers"), "│ dave ")
	require.Contains(t, s.runOK(t, "peers"), "missing")
}

func TestClosingAPeerThatOwes(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.forwardPacket(t, 3001)
	got := s.runCommand(t, "peers", "close", "alice@USD", "--yes")
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.errors, "owe")
	s.runOK(t, "peers", "close", "alice@USD", "--force", "--reason", "9", "--yes")
	require.Equal(t, "0.00", readRows[peerRow](t, s, "balances", "alice@USD")[0].Position)
}

func TestStatement(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.forwardPacket(t, 3001)
	table := s.runOK(t, "statement", "bob@USD")
	require.Contains(t, table, "30.00")
	require.Contains(t, table, "peer alice")
	content, err := csv.NewReader(strings.NewReader(s.runOK(t, "statement", "bob", "--asset", "USD", "--csv"))).ReadAll()
	require.NoError(t, err)
	require.Equal(t, "closing", content[len(content)-1][1])
	require.Contains(t, s.runOK(t, "statement", "bob@USD", "--json"), `"closing":{`)
	require.Contains(t, s.runOK(t, "statement", "--own", "--asset", "USD"), "closing")
	require.Contains(t, s.runOK(t, "statement", "bob@USD", "--from", "2020-01-01", "--to", "2020-02-01"), "0.00")
	for _, args := range [][]string{
		{"statement"}, {"statement", "bob@USD", "--own"}, {"statement", "bob@USD", "--from", "yesterday"}, {"statement", "bob@USD", "--to", "-3h"},
	} {
		require.Equal(t, statusUsage, s.runCommand(t, args...).status, args)
	}
}

func TestHolds(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	require.Empty(t, readRows[holdRow](t, s, "holds", "alice@USD"))
	var packet ledger.ID
	s.openAsConnector(t, func(c *peerledger.Client, alice, bob accounts.PeerAccount) {
		held, err := c.Recorder.Prepare(t.Context(), transfers.Packet{
			From: alice, To: bob, In: 310, Out: 300, Hold: time.Hour, Condition: [32]byte{1, 2, 3, 4, 5, 6, 7, 8, 9},
		})
		require.NoError(t, err)
		packet = held.Packet.ID
	})
	got := readRows[holdRow](t, s, "holds", "alice", "--asset", "USD")
	require.Len(t, got, 1)
	require.NotEmpty(t, got[0].Expiry)
	got[0].Since, got[0].Expiry = "", ""
	want := holdRow{Packet: packet.String(), In: "3.10", Out: "0.00", Condition: "0102030405060708", Peer: "alice", Asset: "USD/2"}
	require.Equal(t, want, got[0])
	table := s.runOK(t, "holds", "bob@USD")
	require.Contains(t, table, "packet "+packet.String())
	require.Contains(t, table, "3.00")
	require.Equal(t, s.runCommand(t, "statement", "nobody@USD").status, s.runCommand(t, "holds", "nobody@USD").status)
	require.NotEqual(t, 0, s.runCommand(t, "holds", "nobody@USD").status)
}

// leaveOrderOpen leaves an order to bob open, and returns its id.
func (s testLedger) leaveOrderOpen(t *testing.T) string {
	t.Helper()
	s.openAsConnector(t, func(c *peerledger.Client, _, bob accounts.PeerAccount) {
		_, err := c.Settlement.Settle(t.Context(), bob)
		require.ErrorIs(t, err, settlement.ErrPending)
	})
	got := readRows[orderRow](t, s, "orders")
	require.Len(t, got, 1)
	require.Equal(t, []string{"bob", "USD/2", "30.00"}, []string{got[0].Peer, got[0].Asset, got[0].Amount})
	return got[0].Order
}

func TestOrders(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.forwardPacket(t, 3001)
	require.Empty(t, readRows[orderRow](t, s, "orders"))
	id := s.leaveOrderOpen(t)
	require.Contains(t, s.runOK(t, "orders", "bob@USD"), id)
	require.True(t, readRows[orderRow](t, s, "orders", "--stuck", "0s")[0].Stuck)

	got := s.runCommand(t, "settle", "resolve", "bob@USD", "abc", "30", "--yes")
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, s.runOK(t, "settle", "resolve", "bob@USD", "abc", "30"), "no such open order")
	require.Contains(t, s.runOK(t, "settle", "resolve", "bob@USD", id, "30"), "The order is of 30.00.")
	got = s.runCommand(t, "settle", "resolve", "bob@USD", id, "125", "--yes")
	require.Equal(t, statusUsage, got.status)
	require.Contains(t, got.errors, "give --more")
	s.runOK(t, "settle", "resolve", "bob@USD", id, "12.50", "--yes")
	s.runOK(t, "settle", "resolve", "bob@USD", id, "12.50", "--yes") // repeating is allowed
	require.Equal(t, "17.50", readRows[peerRow](t, s, "balances", "bob@USD")[0].Position)
	require.Empty(t, readRows[orderRow](t, s, "orders"))
	require.Equal(t, statusFailed, s.runCommand(t, "settle", "resolve", "bob@USD", id, "13", "--yes").status)
}

func TestCancel(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.forwardPacket(t, 3001)
	id := s.leaveOrderOpen(t)
	require.Contains(t, s.runOK(t, "settle", "cancel", "bob@USD", id, "--force"), "the peer is paid twice")
	got := s.runCommand(t, "settle", "cancel", "bob@USD", id, "--yes")
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.errors, "may be paying it")
	s.runOK(t, "settle", "cancel", "bob@USD", id, "--force", "--yes")
	require.Equal(t, "30.00", readRows[peerRow](t, s, "balances", "bob@USD")[0].Position)
	require.Empty(t, readRows[orderRow](t, s, "orders"))
}

func TestPaymentsByHand(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.forwardPacket(t, 3001)
	first := readRows[change](t, s, "settle", "received", "alice@USD", "40", "--key", "wire 1", "--yes")
	require.False(t, first[0].Already)
	second := readRows[change](t, s, "settle", "received", "alice@USD", "40", "--key", "wire 1", "--yes")
	require.True(t, second[0].Already)
	require.Equal(t, first[0].Transfer, second[0].Transfer)
	row := readRows[peerRow](t, s, "balances", "alice@USD")[0]
	require.Equal(t, []string{"9.99", "9.99", "40.00"}, []string{row.Position, row.Prepaid, row.SettledIn})
	require.Equal(t, statusFailed, s.runCommand(t, "settle", "received", "alice@USD", "41", "--key", "wire 1", "--yes").status)
	require.Equal(t, statusUsage, s.runCommand(t, "settle", "received", "alice@USD", "41", "--yes").status, "a key is missing")

	s.runOK(t, "settle", "paid", "bob@USD", "5", "--key", "cash 1", "--yes")
	require.Equal(t, "25.00", readRows[peerRow](t, s, "balances", "bob@USD")[0].Position)
	require.Equal(t, statusFailed, s.runCommand(t, "settle", "paid", "bob@USD", "500", "--key", "cash 2", "--yes").status)
}

// writeScript writes a program that pays.
func writeScript(t *testing.T, lines string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pay.sh")
	require.NoError(t, scripttest.WriteExecutable(file, "#!/bin/sh\n"+lines+"\n"))
	return file
}
