package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/console"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// showEventually gets a page until it has a text: a look follows a change of the books.
func (f *fixture) showEventually(path, text string) (page string) {
	f.t.Helper()
	require.Eventually(f.t, func() bool {
		page = f.show(path)
		return strings.Contains(page, text)
	}, time.Minute, time.Millisecond, text)
	return page
}

// The alerts are the findings of the check command, the gravest first, on both pages and in the downloads.
func TestAlerts(t *testing.T) {
	t.Parallel()
	f := newBusyBooks(t, func(c *console.Config) { c.StuckAfter = time.Nanosecond })
	require.NoError(t, f.client.Book.ClosePeer(t.Context(), f.peers["capped"], accounts.WithForce(), accounts.WithReasonCode(1)))
	_, err := f.client.Settlement.RecordIncoming(t.Context(), settlement.IncomingPayment{Account: f.peers["capped"], Key: "late", Amount: ledger.NewAmount(7_00)})
	require.NoError(t, err)
	page := f.showEventually("/alerts", "waits in suspense")
	rows := f.requireSameRows("/alerts", "")
	got := map[string]string{}
	for _, row := range rows {
		text := row["text"]
		if row["check"] == "orders" {
			text, _, _ = strings.Cut(text[strings.Index(text, " of "):], " is open for")
		}
		got[row["status"]+" "+row["check"]+" "+row["asset"]+" "+row["peer"]] = text
	}
	require.Equal(t, map[string]string{
		"critical credit line EUR/9 euro": "euro has used 120% of its line in EUR/9",
		"warning credit line USD/2 alice": "alice has used 85% of its line in USD/2",
		"warning arrears EUR/9 euro":      "euro is in arrears with 1.000000001 EUR",
		"warning suspense USD/2 capped":   "7.00 USD waits in suspense for capped",
		"warning orders USD/2 bob":        " of 30.00 USD to bob",
	}, got)
	require.Equal(t, "critical", rows[0]["status"])
	require.Contains(t, textOf(t, page, "rows"), "1 critical, 4 warnings, 0 unknown")
	for _, row := range rows {
		if row["check"] != "orders" {
			require.Contains(t, textOf(t, page, "rows"), row["text"]+" "+row["status"]+" "+row["check"]+" "+row["asset"])
		}
	}
	require.Contains(t, page, `<a href="peer?asset=EUR%2F9&amp;peer=euro">`)
	first := f.show("/")
	require.Contains(t, textOf(t, first, "alerts"), "All 5 : 1 critical, 4 warnings, 0 unknown")
	require.Contains(t, textOf(t, first, "suspense"), "Waiting in suspense Peer Waits for it capped 7.00 USD/2")
	require.Equal(t, "7.00", rowsOf(t, f.show("/peers.csv?show=suspense"))[0]["waiting_in_suspense"])
	require.Len(t, rowsOf(t, f.show("/peers.csv?show=suspense")), 1)
}

// Books without faults have no alert, and orders that cannot be read are unknown.
func TestNoAlerts(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, line("alice", usd, 100_00), line("bob", usd, 100_00))
	require.Contains(t, f.show("/alerts"), "No alert: <code>peerledger check</code> would report no problem of these kinds.")
	require.Contains(t, textOf(t, f.show("/"), "alerts"), "No alert.")
	require.Contains(t, textOf(t, f.show("/"), "suspense"), "No money waits for a closed peer.")
	require.Empty(t, f.requireSameRows("/alerts", ""))
	bare := newFixture(t, func(c *console.Config) { c.Settlement = nil }, line("alice", usd, 0))
	rows := bare.requireSameRows("/alerts", "")
	require.Len(t, rows, 1)
	require.Equal(t, "unknown", rows[0]["status"])
	require.Contains(t, rows[0]["text"], "Config.Settlement")
}

// Liquidity below 0 is an alert.
func TestAlertOfLiquidity(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, line("alice", usd, 100_00), line("euro", eur, 0))
	f.sendBetween("alice", "euro", 5_00, 4_000_000_000)
	page := f.showEventually("/alerts", "we are short of")
	require.Contains(t, textOf(t, page, "rows"), "we are short of EUR/9: the liquidity is -4.000000000 warning liquidity EUR/9")
}

// sendBetween sends a packet from one asset to another.
func (f *fixture) sendBetween(from, to string, in, out uint64) {
	f.t.Helper()
	f.sendWith(from, to, in, out, 1)
}

// What peers send a second is unknown until the second look, and then says over what time.
func TestSentASecond(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *console.Config) { c.Interval = time.Hour }, line("alice", usd, 100_00), line("bob", usd, 0))
	f.send("alice", "bob", 10_00)
	require.Contains(t, textOf(t, f.show("/"), "totals"), "Sent a second unknown what packets have charged to peers, fees included, known from the second look on; 10.00 in all")
	totals := jsonRows(t, f.show("/totals.json"))
	require.Equal(t, []any{"10.00", nil}, []any{totals[0]["sent"], totals[0]["sent_per_second"]})
	status, _ := f.open("/alerts.csv")
	require.Contains(t, []int{http.StatusOK, http.StatusServiceUnavailable}, status)

	live := newFixture(t, nil, line("alice", usd, 100_00), line("bob", usd, 0))
	live.show("/")
	page := live.showEventually("/", "over the last")
	require.Regexp(t, `Sent a second 0\.0000 what packets have charged to peers, fees included, over the last [0-9.]+m?s; 0\.00 in all`, textOf(t, page, "totals"))
}
