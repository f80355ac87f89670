package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/transfers"
)

// If settle now has nothing to pay, its preview and its output give the reason.
func TestSettleNowSaysWhyNothingHappens(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	more := configuration + "  - {id: dora, asset: USD, settle_at: \"-10\", settle_to: \"-50\"}\n"
	require.NoError(t, os.WriteFile(s.config, []byte(more), 0o600))
	s.runOK(t, "peers", "provision", "--yes")
	nothing := func(peer, why string) {
		t.Helper()
		got := s.runOK(t, "settle", "now", peer, "--pay-with", "true")
		require.Contains(t, got, "Would order nothing for ", peer)
		require.Contains(t, got, why)
		require.Contains(t, s.runOK(t, "settle", "now", peer, "--pay-with", "true", "--yes"), why)
		for _, yes := range []string{"--yes=false", "--yes"} {
			changes := readRows[change](t, s, "settle", "now", peer, "--pay-with", "true", yes)
			require.Equal(t, []any{1, "order nothing", "", false}, []any{len(changes), changes[0].Action, changes[0].Amount, changes[0].Written}, yes)
			require.Contains(t, changes[0].Note, why)
		}
	}
	nothing("alice@EUR", "The peer has no settle_at in the configuration.")
	nothing("bob@USD", "Nothing is owed in either direction.")
	nothing("dora@USD", "The peer is to be prefunded, and has no credit line for that.")
	s.forwardPacket(t, 3001)
	nothing("alice@USD", "The peer owes us 30.01 USD.")
	s.runOK(t, "settle", "received", "alice@USD", "100", "--key", "1", "--yes")
	nothing("alice@USD", "The whole amount that we owe the peer, 69.99 USD, is prepaid")
	s.openAsConnector(t, func(c *peerledger.Client, alice, bob accounts.PeerAccount) {
		_, err := c.Recorder.Prepare(t.Context(), transfers.Packet{From: bob, To: alice, In: 3000, Out: 3000, Expiry: time.Now().Add(time.Hour)})
		require.NoError(t, err)
	})
	nothing("bob@USD", "Packets in flight hold the whole amount on its account.")
	s.runOK(t, "adjust", "debit", "bob@USD", "7", "--key", "2", "--reason", "1", "--beyond-headroom", "--yes")
	nothing("bob@USD", "The peer is in arrears with 7.00 USD")
	s.runOK(t, "peers", "close", "alice@EUR", "--yes")
	nothing("alice@EUR", "Its account is closed.")
}

// Earnings below settle_to are not ordered.
func TestSettleNowBelowSettleTo(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	more := replaceOnce(t, configuration, `{id: bob, asset: USD, settle_at: "20"}`, `{id: bob, asset: USD, settle_at: "50", settle_to: "40"}`)
	require.NoError(t, os.WriteFile(s.config, []byte(more), 0o600))
	s.forwardPacket(t, 3001)
	require.Contains(t, s.runOK(t, "settle", "now", "bob@USD", "--pay-with", "true"), "The peer's earnings from packets, 30.00 USD, are not above its settle_to.")
}

// A missing flag is named with its value.
func TestMissingFlags(t *testing.T) {
	t.Parallel()
	for command, want := range map[string]string{
		"packets":                  "peerledger packets: give --journal folder; peerledger packets --help lists the flags\n",
		"settle returned alice 10": "peerledger settle returned: give --key name and --payment name; peerledger settle returned --help lists the flags\n",
	} {
		got := runApp(t, strings.Fields(command)...)
		require.Equal(t, outcome{statusUsage, "", "peerledger: " + want}, got)
	}
}

// A refund of nothing prints no empty table.
func TestRefundOfNothing(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	got := s.runCommand(t, "settle", "refund", "bob@USD", "--pay-with", "true", "--yes")
	require.Equal(t, statusFailed, got.status)
	require.Empty(t, got.out)
	require.Contains(t, got.errors, "prepaid nothing")
	require.Equal(t, "No order is open.\n", s.runOK(t, "orders"))
	got = s.runCommand(t, "settle", "refund", "bob@USD", "--pay-with", "/no/such/program", "--yes")
	require.Equal(t, statusUsage, got.status, "before anything is ordered")
	got = s.runCommand(t, "settle", "resolve", "bob@USD", "abc", "5", "--yes")
	require.Equal(t, statusFailed, got.status)
	require.NotContains(t, got.errors, "order 0 of")
}

// Messages have whole units with the asset, and previews predict refusals.
func TestCreditSaysWhatCanBeRevoked(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.forwardPacket(t, 3001)
	for _, test := range []struct {
		args              []string
		foresees, refuses string
	}{
		{[]string{"revoke", "alice@USD", "500"}, "at most 69.99 USD can be revoked", "is 100.00 USD, so 500.00 USD cannot be revoked: at most 69.99 USD can be revoked"},
		{[]string{"revoke", "alice@USD", "70"}, "at most 69.99 USD can be revoked", "so it cannot be lowered by 70.00 USD to 30.00 USD: at most 69.99 USD can be revoked"},
		{[]string{"set", "alice@USD", "30"}, "at most 69.99 USD can be revoked", "so it cannot be lowered by 70.00 USD to 30.00 USD: at most 69.99 USD can be revoked"},
		{[]string{"set", "alice@USD", "5", "--if-line", "6"}, "the line is 100.00 USD, and not 6.00 USD", "is 100.00 USD now"},
	} {
		args := append([]string{"credit"}, test.args...)
		require.Contains(t, s.runOK(t, args...), "It will be refused: "+test.foresees)
		got := s.runCommand(t, append(args, "--yes")...)
		require.Equal(t, statusFailed, got.status)
		require.Contains(t, got.errors, test.refuses)
	}
	require.Contains(t, s.runOK(t, "credit", "revoke", "alice@USD", "500", "--what-is-free"), "from 100.00 to 30.01.\nOnly 69.99 USD is free, and is revoked.")
	require.NotContains(t, s.runOK(t, "credit", "revoke", "alice@USD", "69.99"), "refused")
	require.Contains(t, s.runCommand(t, "credit", "set", "alice@USD", "30", "--yes").errors, "With --what-is-free this part is revoked")
	require.Contains(t, s.runOK(t, "credit", "set", "alice@USD", "100", "--yes"), "Done before: ")
	require.Equal(t, "unlimited", readRows[change](t, s, "credit", "set", "alice@USD", "unlimited", "--yes")[0].After)
	require.Equal(t, "unlimited", readRows[peerRow](t, s, "balances", "alice@USD")[0].CreditLine)
	s.runOK(t, "credit", "set", "alice@USD", "100", "--if-line", "unlimited", "--yes")

	s.runOK(t, "settle", "received", "alice@USD", "40", "--key", "w", "--yes")
	got := s.runCommand(t, "settle", "received", "alice@USD", "41", "--key", "w", "--yes")
	require.Contains(t, got.errors, "book 41.00 USD for alice")
	require.Contains(t, got.errors, "40.00 USD was booked under it at 20")
	s.runOK(t, "peers", "suspend", "alice@USD", "--yes")
	require.Contains(t, s.runOK(t, "credit", "extend", "alice@USD", "1"), "It will be refused: the peer is suspended.")
}

// The table and the CSV have a column for arrears.
func TestStatementOfArrears(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.runOK(t, "adjust", "debit", "bob@USD", "7", "--key", "a", "--reason", "1", "--beyond-headroom", "--yes")
	require.Regexp(t, `correction +│ +-7.00 │ +-7.00 │ +7.00 │ +0.00 │ +│ suspense`, s.runOK(t, "statement", "bob@USD"))
	require.Regexp(t, `,31,,[0-9a-f]{32},,7.00,,,\n`, s.runOK(t, "statement", "bob@USD", "--csv"))
	require.Contains(t, runApp(t, "statement", "--help").out, "parentheses")
}
