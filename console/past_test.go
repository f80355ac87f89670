package console_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/console"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
)

// settledBooks have a past of alice: -30.00 by packets, 20.00 paid in, a line from 100.00 to 80.00.
func settledBooks(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t, func(c *console.Config) { c.Reasons = map[string]uint32{"review": 7, "damage <1>": 9} }, line("alice", usd, 100_00), line("bob", usd, 100_00))
	f.send("alice", "bob", 30_00)
	_, err := f.client.Settlement.RecordIncoming(t.Context(), settlement.IncomingPayment{Account: f.peers["alice"], Key: "wire", Amount: ledger.NewAmount(20_00)})
	require.NoError(t, err)
	_, err = f.client.Book.SetCreditLine(t.Context(), f.peers["alice"], ledger.NewAmount(80_00), accounts.WithReasonCode(7))
	require.NoError(t, err)
	_, err = f.client.Book.Adjust(t.Context(), accounts.Adjustment{Account: f.peers["alice"], Key: "damage", Debit: ledger.NewAmount(3), ReasonCode: 9})
	require.NoError(t, err)
	f.hold("alice", "bob", 5_00)
	return f
}

// The chart has the positions of the ledger, in the page's table as in the downloads.
func TestPositionChart(t *testing.T) {
	t.Parallel()
	f := settledBooks(t)
	const peer = "?peer=alice&asset=USD/2"
	page := f.show("/peer" + peer)
	rows := f.requireSameRows("/history", peer+"&from=2020-01-01&to=2100-01-01") // up to now, each download has moments of its own
	require.Len(t, rows, 97)
	last := rows[len(rows)-1]
	require.Equal(t, map[string]string{
		"time": last["time"], "position": "-10.03", "arrears": "0.00", "credit_line": "80.00", "held_in": "5.00", "held_out": "0.00", "settling": "0.00",
	}, last)
	first := rows[0]
	require.Equal(t, []string{"0.00", "0.00"}, []string{first["position"], first["credit_line"]}, "the range begins with the account")
	opened, err := f.client.Book.Balance(t.Context(), f.peers["alice"])
	require.NoError(t, err)
	require.Equal(t, opened.Opened.UTC().Format(time.RFC3339Nano), first["time"])

	from, err := time.Parse(time.RFC3339Nano, first["time"])
	require.NoError(t, err)
	to, err := time.Parse(time.RFC3339Nano, last["time"])
	require.NoError(t, err)
	history, err := f.client.Book.History(t.Context(), f.peers["alice"], accounts.HistoryQuery{From: from, To: to, Steps: 96})
	require.NoError(t, err)
	for i, point := range history.Points {
		require.Equal(t, decimal.NewFromBigInt(point.Position, -2).StringFixed(2), rows[i]["position"])
	}

	text := textOf(t, page, "past")
	require.Regexp(t, `Position of alice in USD/2 at 97 moments from .* UTC: the lowest is -\d\d\.\d\d, the highest 0\.00, the last -10\.03\.`, text)
	require.Contains(t, text, "UTC -10.03 80.00 0.00 5.00 0.00 0.00", "the newest moment leads the table")
	require.Equal(t, 97, strings.Count(page, `<rect class="hit"`))
	require.Regexp(t, `<title>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC: position -10\.03, line 80\.00, arrears 0\.00</title>`, page)
	require.NotContains(t, page, "<script>")
}

// The polyline of the chart goes through the positions, the line's through the negative line, and 0 has its height.
func TestChartIsToScale(t *testing.T) {
	t.Parallel()
	f := settledBooks(t)
	page := f.show("/peer?peer=alice&asset=USD/2")
	heights := func(class string) (list []int) {
		m := regexp.MustCompile(`<polyline class="` + class + `" points="([^"]*)"`).FindStringSubmatch(page)
		require.NotNil(t, m, class)
		for i, point := range strings.Fields(m[1]) {
			x, y, _ := strings.Cut(point, ",")
			require.Equal(t, fmt.Sprint(10*i), x)
			height, err := strconv.Atoi(y)
			require.NoError(t, err)
			require.True(t, height >= 0 && height <= 1000, height)
			list = append(list, height)
		}
		require.Len(t, list, 97)
		return list
	}
	position, creditLine := heights("position"), heights("line")
	// The scale ends at the largest line that a moment has seen: 100.00 or, if no moment fell before the change, 80.00.
	whole := 100_00
	if !strings.Contains(page, ", line 100.00,") {
		whole = 80_00
	}
	require.Equal(t, 10_03*1000/whole, position[96])
	require.Equal(t, 80_00*1000/whole, creditLine[96])
	require.Zero(t, position[0])
	require.Contains(t, page, `<path class="zero" d="M0 0H960"/>`)
	require.Contains(t, page, ">line -80.00</text>")
	require.Regexp(t, `<text x="0" y="\d+">\d{4}-\d\d-\d\d \d\d:\d\d</text><text class="end" x="100%"`, page)
}

// The range of the chart is in the address, and a wrong one is refused.
func TestChartRanges(t *testing.T) {
	t.Parallel()
	f := settledBooks(t)
	const peer = "?peer=alice&asset=USD/2"
	require.Contains(t, f.show("/peer"+peer+"&range=7d"), `<a href="peer?asset=USD%2F2&amp;peer=alice&amp;range=7d" aria-current="true">7 days</a>`)
	require.Contains(t, f.show("/peer"+peer), `range=24h" aria-current="true">24 hours</a>`)
	page := f.show("/peer" + peer + "&from=2020-01-01&to=2020-01-03T00:00:00")
	require.Contains(t, page, "From 2020-01-01 00:00:00 UTC to 2020-01-03 00:00:00 UTC, read ")
	require.Contains(t, page, `name="from" value="2020-01-01T00:00:00"`)
	require.Contains(t, page, "No payment and no change of the line or by hand in this time.")
	rows := f.requireSameRows("/history", peer+"&from=2020-01-01&to=2020-01-03")
	require.Len(t, rows, 97)
	require.Equal(t, []string{"2020-01-01T00:00:00Z", "2020-01-01T00:30:00Z", "2020-01-03T00:00:00Z"}, []string{rows[0]["time"], rows[1]["time"], rows[96]["time"]})
	for query, word := range map[string]string{
		"range=1y": "range=", "range=7d&from=2020-01-01": "two ranges", "from=soon": "from", "to=2020-13-01": "to", "from=2021-01-01&to=2020-01-01": "from must be before to",
	} {
		for _, path := range []string{"/peer", "/history.csv", "/history"} {
			status, text := f.open(path + peer + "&" + query)
			require.Equal(t, http.StatusBadRequest, status, path+query)
			require.Contains(t, text, word)
		}
	}
	status, text := f.open("/history.csv?peer=nobody&asset=USD/2")
	require.Equal(t, http.StatusNotFound, status, text)
	answer, _ := f.get(f.browser, f.server.URL+"/history"+peer+"&range=30d")
	require.Equal(t, "peer?asset=USD%2F2&peer=alice&range=30d", answer.Header.Get("Location"))
}

// Payments, changes of the line and corrections by hand are listed with their reasons, the newest first; packets are not.
func TestPaymentsAndChanges(t *testing.T) {
	t.Parallel()
	f := settledBooks(t)
	page := f.show("/peer?peer=alice&asset=USD/2")
	_, part, _ := strings.Cut(page, "<h2>Payments and changes</h2>")
	part, _, _ = strings.Cut(part, "</section>")
	text := textOf(t, part, "")
	require.Regexp(t, `UTC correction -0\.03 -10\.03 80\.00 damage &lt;1&gt; \(9\) .*UTC credit line 0\.00 -10\.00 80\.00 review \(7\) .*UTC settlement in 20\.00 -10\.00 100\.00 .*UTC credit line 0\.00 0\.00 100\.00`, text)
	require.NotContains(t, text, "packet")
	require.Equal(t, 4, strings.Count(part, `<a href="find?q=`))
	link := regexp.MustCompile(`<a href="(find\?q=[0-9a-f]{32})">`).FindAllStringSubmatch(part, -1)[2][1]
	require.Contains(t, textOf(t, f.show("/"+link), "found"), "payment")
	statement := regexp.MustCompile(`<a href="(statement\?[^"]*)">Statement of this range`).FindStringSubmatch(page)[1]
	require.Contains(t, f.show("/"+strings.ReplaceAll(statement, "&amp;", "&")), "closing")
}

// The page has the newest payments of many.
func TestManyPayments(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, line("alice", usd, 0))
	for i := range 120 {
		_, err := f.client.Settlement.RecordIncoming(t.Context(), settlement.IncomingPayment{Account: f.peers["alice"], Key: fmt.Sprint("wire ", i), Amount: ledger.NewAmount(1)})
		require.NoError(t, err)
	}
	page := f.show("/peer?peer=alice&asset=USD/2")
	require.Contains(t, page, "The newest 100: the statement has all.")
	require.Contains(t, textOf(t, page, "past"), "settlement in 0.01 1.20 0.00")
	require.NotContains(t, textOf(t, page, "past"), "settlement in 0.01 0.20 0.00")
}

// A suspended peer has since when and why, and a closed one too.
func TestStanding(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *console.Config) { c.Reasons = map[string]uint32{"fraud": 3} }, line("alice", usd, 0), line("bob", usd, 0), line("carol", usd, 0))
	require.NoError(t, f.client.Book.SuspendPeer(t.Context(), f.peers["alice"], accounts.WithReasonCode(3)))
	require.NoError(t, f.client.Book.ClosePeer(t.Context(), f.peers["bob"], accounts.WithReasonCode(4)))
	since := regexp.MustCompile(`since (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC)`)
	for peer, want := range map[string]string{"alice": `^Suspended since [-0-9]+ [:0-9]+ UTC, reason fraud \(3\)\.`, "bob": `^Suspended since [-0-9]+ [:0-9]+ UTC, by a closing, closed since [-0-9]+ [:0-9]+ UTC, reason 4\.`} {
		page := f.show("/peer?asset=USD/2&peer=" + peer)
		_, standing, found := strings.Cut(page, `<p id="standing" class="warn">`)
		require.True(t, found)
		require.Regexp(t, want, standing)
		standings, err := f.client.Book.Standings(t.Context(), f.peers[peer])
		require.NoError(t, err)
		require.Equal(t, standings[0].SuspendedSince.UTC().Format("2006-01-02 15:04:05 UTC"), since.FindStringSubmatch(standing)[1])
	}
	require.NotContains(t, f.show("/peer?asset=USD/2&peer=carol"), `id="standing"`)
}

// A peer without history has no chart, which is not shown as 0. Hostile names are text.
func TestNoHistory(t *testing.T) {
	t.Parallel()
	const name = `<script>alert("1")</script>&'`
	client, err := peerledger.New(embedded.New(), peerledger.Config{Accounts: accounts.Config{Assets: []accounts.Asset{usd}, NoHistory: true}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close(context.Background())) })
	_, err = client.Provision(t.Context(), line(name, usd, 5))
	require.NoError(t, err)
	c, err := console.New(console.Config{Book: client.Book, Token: token, Peers: func(accounts.Asset) []string { return []string{name} }})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	f := &fixture{t: t, client: client, console: c}
	f.serve(c)
	f.logIn()
	query := "?" + url.Values{"peer": {name}, "asset": {"USD/2"}}.Encode()
	page := f.show("/peer" + query)
	require.Contains(t, page, "The ledger keeps no history of this peer's account")
	require.NotContains(t, page, "<polyline")
	require.NotContains(t, page, "<script>alert")
	require.Empty(t, inline.FindString(page))
	require.Contains(t, textOf(t, page, "past"), "credit line 0.00 0.00 0.05", "its statement is known")
	status, text := f.open("/history.csv" + query)
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, text, "history")
	for _, path := range []string{"/statement", "/compare", "/orders", "/peers", "/alerts", "/"} {
		require.NotContains(t, f.show(path+query+"&state=closed"), "<script>alert", path)
	}
}
