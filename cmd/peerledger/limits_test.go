//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// payAll is a program that pays the requested amount.
const payAll = `sed -n 's/.*"amount":"\([0-9.]*\)".*/\1/p'`

const (
	dollars = "{code: USD, scale: 2, ledger: 1}"
	bob     = `{id: bob, asset: USD, settle_at: "20"}`
)

// setLimits sets limits in the configuration: of USD, and of bob.
func (s testLedger) setLimits(t *testing.T, ofAsset, ofBob string) {
	t.Helper()
	text := replaceOnce(t, configuration, dollars, "{code: USD, scale: 2, ledger: 1"+ofAsset+"}")
	text = replaceOnce(t, text, bob, `{id: bob, asset: USD, settle_at: "20"`+ofBob+"}")
	require.NoError(t, os.WriteFile(s.config, []byte(text), 0o600))
}

// settle now and settle refund pay within the limits of the configuration: of all payments in the
// asset, of each peer, and of one peer.
func TestPayingWithinLimits(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		ofAsset, ofBob string
		owed           string // after the payment, of 30
		want           string
	}{
		"no limit":               {"", "", "0.00", ""},
		"small orders":           {`, limit: {order: "7"}`, "", "0.00", ""},
		"a day of the asset":     {`, limit: {day: "12"}`, "", "18.00", "the asset may be paid 12.00 USD in 24 hours"},
		"a day of each peer":     {`, peer_limit: {day: "13"}`, "", "17.00", "may be paid 13.00 USD in 24 hours"},
		"a day of the peer":      {`, peer_limit: {day: "13"}`, `, limit: {day: "14"}`, "16.00", "may be paid 14.00 USD in 24 hours"},
		"the peer's is above it": {`, limit: {day: "12"}`, `, limit: {day: "14"}`, "18.00", "the asset may be paid 12.00 USD in 24 hours"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, command := range []string{"now", "refund"} {
				s := newTestLedger(t)
				if command == "now" {
					s.forwardPacket(t, 3001)
				} else {
					s.runOK(t, "settle", "received", "bob@USD", "30", "--key", "wire 1", "--yes")
				}
				s.setLimits(t, test.ofAsset, test.ofBob)
				pay := []string{"settle", command, "bob@USD", "--pay-with", writeScript(t, payAll), "--yes"}
				got := s.runCommand(t, pay...)
				require.Equal(t, statusDone, got.status, "%s: %s", command, got.errors)
				if test.want == "" {
					require.Empty(t, got.errors, command)
				} else {
					require.Contains(t, got.errors, "warning: less was ordered than is due: ", command)
					require.Equal(t, 1, strings.Count(got.errors, test.want), got.errors)
					got = s.runCommand(t, pay...) // the day's limit is used up
					require.Equal(t, statusFailed, got.status, command)
					require.NotContains(t, got.errors, "warning", command)
					require.Equal(t, 1, strings.Count(got.errors, test.want), got.errors)
				}
				require.Equal(t, test.owed, readRows[peerRow](t, s, "balances", "bob@USD")[0].Position, command)
			}
		})
	}
}

// No order is larger than the limit of orders, and the preview shows the limits.
func TestLargestOrder(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.forwardPacket(t, 3001)
	s.setLimits(t, `, limit: {day: "1000"}`, `, limit: {order: "20", approve_above: "25"}`)
	pay := writeScript(t, payAll)
	note := s.readChange(t, "settle", "now", "bob@USD", "--pay-with", pay).Note
	require.Contains(t, note, "The limit of its payments: orders of 20.00 at most, settle approve above 25.00.")
	require.Contains(t, note, "The limit of all payments in USD/2: 1000.00 in 24 hours.")
	require.NotContains(t, s.readChange(t, "settle", "now", "alice@USD", "--pay-with", pay).Note, "limit", "nothing is due")
	var paid []string
	for _, p := range readRows[paymentRow](t, s, "settle", "now", "bob@USD", "--pay-with", pay, "--yes") {
		paid = append(paid, p.Paid)
	}
	require.Equal(t, []string{"20.00", "10.00"}, paid)
}

// The program gets an order above approve_above only after the approval.
func TestApproveAbove(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.forwardPacket(t, 3001)
	s.setLimits(t, "", `, limit: {approve_above: "20"}`)
	asked := filepath.Join(t.TempDir(), "asked")
	now := []string{"settle", "now", "bob@USD", "--pay-with", writeScript(t, "touch "+asked+"; echo 30"), "--yes"}
	for range 2 {
		got := s.runCommand(t, now...)
		require.Equal(t, statusFailed, got.status)
		require.Contains(t, got.errors, approveHint)
		require.NoFileExists(t, asked)
	}
	open := readRows[orderRow](t, s, "orders")
	require.Len(t, open, 1)
	require.Equal(t, "approval", open[0].Waits)
	approved := s.readChange(t, "settle", "approve", "bob@USD", open[0].Order, "--yes")
	require.Contains(t, approved.Note, "repeat settle now or settle refund")
	require.NoFileExists(t, asked)
	require.Equal(t, "30.00", readRows[paymentRow](t, s, now...)[0].Paid)
	require.FileExists(t, asked)
	require.Empty(t, readRows[orderRow](t, s, "orders"))
}

// The note on approving a connector's order does not name settle now.
func TestApproveOfAConnectorsOrder(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	require.Empty(t, s.readChange(t, "settle", "approve", "bob@USD", s.placeUnapprovedOrder(t)).Note)
}

// Every command refuses limits that bound nothing or contradict each other.
func TestWrongLimits(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ ofAsset, ofBob, want string }{
		"nothing a day":   {`, limit: {day: "0"}`, "", "assets[0] (USD/2): limit: day: must be above 0"},
		"no number":       {`, peer_limit: {order: "much"}`, "", "assets[0] (USD/2): peer_limit: order: "},
		"too fine":        {"", `, limit: {approve_above: "0.001"}`, "peers[1] (bob): limit: approve_above: "},
		"beyond the day":  {"", `, limit: {order: "5.01", day: "5"}`, "peers[1] (bob): limit: order, 5.01, must be at most day, 5.00"},
		"no such limit":   {`, limit: {week: "5"}`, "", "field week not found"},
		"both are told":   {`, limit: {day: "0"}`, `, limit: {day: "0"}`, "peers[1] (bob): limit: day: must be above 0"},
		"more than there": {`, limit: {day: "-5"}`, "", "assets[0] (USD/2): limit: day: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTestLedger(t)
			s.setLimits(t, test.ofAsset, test.ofBob)
			got := s.runCommand(t, "balances")
			require.Equal(t, statusUsage, got.status)
			require.Contains(t, got.errors, test.want)
		})
	}
	s := newTestLedger(t)
	s.setLimits(t, `, limit: {order: "5", day: "5"}`, "")
	s.runOK(t, "balances")
}
