//go:build unix

package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// The program's output and status decide the order's state.
func TestSettleNow(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		program  string
		status   int
		position string
		open     int
	}{
		"paid":               {"echo 30", statusDone, "0.00", 0},
		"a part":             {"echo 12.50; exit 0", statusDone, "0.00", 0}, // the rest is ordered and paid in parts
		"declined":           {"exit 3", statusFailed, "30.00", 0},
		"later":              {"exit 4", statusUnknown, "30.00", 1},
		"fails":              {"exit 1", statusUnknown, "30.00", 1},
		"says nothing":       {"true", statusUnknown, "30.00", 1},
		"says something odd": {"echo all of it", statusUnknown, "30.00", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTestLedger(t)
			s.forwardPacket(t, 3001)
			got := s.runCommand(t, "settle", "now", "bob@USD", "--pay-with", writeScript(t, test.program), "--yes", "--json")
			require.Equal(t, test.status, got.status, got.errors)
			if test.open > 0 {
				require.Contains(t, got.errors, "Repeat the same command, with the same program")
				require.Equal(t, 1, strings.Count(got.errors, "order 1 of 30.00 USD"), got.errors)
			}
			if name != "a part" {
				require.Equal(t, test.position, readRows[peerRow](t, s, "balances", "bob@USD")[0].Position)
			}
			require.Len(t, readRows[orderRow](t, s, "orders"), test.open)
		})
	}
}

// Payments of settle now count against the connectors' limits. Without limits in the file, the
// connectors' limits do not bound settle now.
func TestSettleNowAndTheLimits(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.forwardPacket(t, 3001)
	s.runOK(t, "settle", "now", "bob@USD", "--pay-with", writeScript(t, "echo 30"), "--yes")
	s.forwardPacket(t, 3001)
	s.openAsConnector(t, func(c *peerledger.Client, _, bob accounts.PeerAccount) {
		usd := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
		pays := settlement.SettlerFunc(func(_ context.Context, o settlement.Order) (ledger.Amount, error) { return o.Amount, nil })
		e, err := settlement.NewEngine(c.Ledger, c.Book, settlement.Config{
			Manual: true, Instance: "limited",
			Rails:             settlement.Rails{Default: &settlement.Rail{Settler: pays}},
			Policies:          settlement.Policies{Default: settlement.Threshold{SettleThreshold: ledger.NewAmount(1)}},
			AssetPayoutLimits: map[accounts.Asset]settlement.PayoutLimit{usd: {MaxPerDay: ledger.NewAmount(3500)}},
		})
		require.NoError(t, err)
		paid, err := e.Settle(t.Context(), bob)
		require.ErrorIs(t, err, settlement.ErrPayoutLimit)
		require.Len(t, paid, 1)
		require.Equal(t, ledger.NewAmount(500), paid[0].Paid, "30.00 of 35.00 were paid")
		require.NoError(t, e.Close(t.Context()))
	})
	paid := readRows[paymentRow](t, s, "settle", "now", "bob@USD", "--pay-with", writeScript(t, "echo 25"), "--yes")
	require.Equal(t, "25.00", paid[0].Paid)
}

// The program receives the whole order, and a second try has the same key.
func TestProgramIsToldTheOrder(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.forwardPacket(t, 3001)
	file := filepath.Join(t.TempDir(), "order.json")
	var keys []string
	for range 2 {
		require.Equal(t, statusUnknown, s.runCommand(t, "settle", "now", "bob@USD", "--pay-with", writeScript(t, "cat > "+file+"; exit 1"), "--yes").status)
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		var order map[string]any
		require.NoError(t, json.Unmarshal(content, &order))
		keys = append(keys, order["key"].(string))
		delete(order, "key")
		require.Equal(t, map[string]any{"peer": "bob", "asset": "USD", "scale": 2.0, "units": "3000", "amount": "30.00"}, order)
	}
	require.Equal(t, keys[0], keys[1])
	require.Equal(t, keys[0], readRows[orderRow](t, s, "orders")[0].Order)
}

// A refund pays the prepayment back once, with the earnings from packets.
func TestRefund(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.runOK(t, "settle", "received", "bob@USD", "100", "--key", "wire 1", "--yes")
	s.forwardPacket(t, 3001)
	pay := writeScript(t, `sed -n 's/.*"amount":"\([0-9.]*\)".*/\1/p'`)
	preview := s.readChange(t, "settle", "refund", "bob@USD", "--pay-with", pay)
	require.Equal(t, "130.00", preview.Amount)
	require.Equal(t, "100.00", preview.Now.Prepaid)

	// settle now does not pay the prepayment.
	require.Equal(t, "30.00", s.readChange(t, "settle", "now", "bob@USD", "--pay-with", pay).Amount)
	require.Equal(t, "30.00", readRows[paymentRow](t, s, "settle", "now", "bob@USD", "--pay-with", pay, "--yes")[0].Paid)
	require.Equal(t, []string{"100.00", "100.00", "0.00"}, s.readFigures(t, "bob@USD"))

	paid := readRows[paymentRow](t, s, "settle", "refund", "bob@USD", "--pay-with", pay, "--yes")
	require.Len(t, paid, 1)
	require.Equal(t, "100.00", paid[0].Paid)
	require.Equal(t, []string{"0.00", "0.00", "0.00"}, s.readFigures(t, "bob@USD"))
	require.Contains(t, s.readChange(t, "settle", "refund", "bob@USD", "--pay-with", pay).Note, "prepaid nothing")
	got := s.runCommand(t, "settle", "refund", "bob@USD", "--pay-with", pay, "--yes")
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.errors, "prepaid nothing")
}

// A negative settle_to prefunds a peer, up to the peer's credit line.
func TestPayingAhead(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	more := configuration + "  - {id: dora, asset: USD, credit_line: \"50\", settle_at: \"-10\", settle_to: \"-50\"}\n"
	require.NoError(t, os.WriteFile(s.config, []byte(more), 0o600))
	s.runOK(t, "peers", "provision", "--yes")
	require.Equal(t, "50.00", readRows[peerRow](t, s, "balances", "dora@USD")[0].Due)
	require.Equal(t, "-10.00", readRows[snapshot](t, s, "watch", "--once", "dora@USD")[0].Peers[0].SettleAt)
	pay := writeScript(t, "echo 50")
	require.Equal(t, "50.00", s.readChange(t, "settle", "now", "dora@USD", "--pay-with", pay).Amount)
	require.Equal(t, "50.00", readRows[paymentRow](t, s, "settle", "now", "dora@USD", "--pay-with", pay, "--yes")[0].Paid)
	require.Equal(t, []string{"-50.00", "0.00", "0.00"}, s.readFigures(t, "dora@USD"))
	require.Equal(t, "0.00", readRows[peerRow](t, s, "balances", "dora@USD")[0].Due)
}
