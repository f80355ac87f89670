package console_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/console"
	"github.com/peerledger/peerledger/ledger"
)

var (
	tag    = regexp.MustCompile(`<[^>]*>`)
	spaces = regexp.MustCompile(`\s+`)
)

// textOf returns the text of a page, or of its part with an id.
func textOf(t *testing.T, page, id string) string {
	t.Helper()
	if id != "" {
		_, part, found := strings.Cut(page, `id="`+id+`"`)
		require.True(t, found, "no part %s in %s", id, page)
		page, _, _ = strings.Cut(part, "</section>")
		page = "<p " + page
	}
	return strings.TrimSpace(spaces.ReplaceAllString(tag.ReplaceAllString(page, " "), " "))
}

// rowsOf reads a CSV download.
func rowsOf(t *testing.T, text string) []map[string]string {
	t.Helper()
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	require.NoError(t, err)
	var rows []map[string]string
	for _, record := range records[1:] {
		row := map[string]string{}
		for i, name := range records[0] {
			row[name] = record[i]
		}
		rows = append(rows, row)
	}
	return rows
}

// newBusyBooks has a peer in each kind of trouble.
func newBusyBooks(t *testing.T, change func(*console.Config)) *fixture {
	t.Helper()
	f := newFixture(t, change, line("alice", usd, 100_00), line("bob", usd, 100_00), line("capped", usd, 0), line("quiet", usd, 100_00),
		accounts.PeerConfig{ID: "trusted", Asset: usd, CreditLine: accounts.Unlimited}, line("euro", eur, 5_000_000_000))
	f.send("alice", "bob", 30_00)
	f.hold("alice", "trusted", 55_25)
	f.send("trusted", "capped", 18_00)
	_, err := f.client.Book.Adjust(t.Context(), accounts.Adjustment{
		Account: f.peers["euro"], Key: "damage", Debit: ledger.NewAmount(6_000_000_001), ReasonCode: 1, BeyondHeadroom: true,
	})
	require.NoError(t, err)
	require.NoError(t, f.client.Book.SuspendPeer(t.Context(), f.peers["quiet"]))
	f.client.Settlement.Enqueue([]accounts.PeerAccount{f.peers["bob"]})
	_, err = f.client.Settlement.Settle(t.Context(), f.peers["bob"])
	t.Logf("the order stays open: %v", err)
	return f
}

// The first page names the peers in trouble, the state of the books, and the sums with their parts.
func TestOverview(t *testing.T) {
	t.Parallel()
	f := newBusyBooks(t, func(c *console.Config) { c.StuckAfter = time.Nanosecond })
	page := f.show("/")
	require.Eventually(t, func() bool {
		return strings.Contains(page, "Trial balance</a> of") || func() bool { page = f.show("/"); return false }()
	}, time.Minute, time.Millisecond)
	require.Regexp(t, `In arrears 1 .*Open orders 1 1 stuck .*Near the end 3 .*Books in USD/2 balance .*Books in EUR/9 balance`, textOf(t, page, "troubles"))
	require.Regexp(t, `euro 1\.000000001 EUR/9 \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC -6\.000000001`, textOf(t, page, "arrears"))
	require.Regexp(t, `bob 30\.00 USD/2 .* stuck bank the rail 1: settlement: taken on by the rail`, textOf(t, page, "orders"))
	require.Regexp(t, `capped .*90 % of the cap 20\.00 used .*alice .*85 % of the line 100\.00 used`, textOf(t, page, "near"))
	totals := textOf(t, page, "totals")
	require.Contains(t, totals, "USD/2 We owe 48.00 to peers above 0, 0.00 of it prepaid by them Owed to us 48.00 by peers below 0, no arrears in it Held from peers 55.25")
	require.Contains(t, totals, "In open orders 30.00 still in what we owe Suspense 0.00")
	require.Contains(t, totals, "Owed to us 6.000000001 by peers below 0, 1.000000001 of it arrears of 1")
	require.Contains(t, totals, "Suspense 6.000000001")
	require.Contains(t, totals, "Credit lines 300.00 232.75 headroom left; without 1 unlimited lines")
	require.Contains(t, totals, "Peers 5 1 suspended, 0 closed")
}

// Peers nearest to trouble come first: arrears, then the used part of line or cap, holds included.
func TestPeersByTrouble(t *testing.T) {
	t.Parallel()
	f := newBusyBooks(t, nil)
	rows := rowsOf(t, f.show("/peers.csv"))
	var order []string
	for _, row := range rows {
		order = append(order, row["peer"]+" "+row["line_used_percent"]+"/"+row["cap_used_percent"])
	}
	require.Equal(t, []string{"euro 120/", "capped /90", "alice 85/", "bob 0/", "quiet 0/", "trusted /"}, order)
	require.Equal(t, "-30.00", rows[2]["position"])
	require.Equal(t, "55.25", rows[2]["held_in"])
	require.Equal(t, "14.75", rows[2]["headroom"])
	require.Equal(t, "unlimited", rows[5]["headroom"])
	require.Equal(t, "suspended", rows[4]["state"])
	page := f.show("/peers")
	require.Contains(t, page, `<title>owes us 30.00 USD, 85 % of the line 100.00 used</title>`)
	require.Contains(t, page, `<rect class="owes" x="56" y="2" width="24" height="10"/><rect class="held" x="12" y="2" width="44" height="10"/>`)
	require.Regexp(t, `aria-sort="descending"><a href="peers">Position against`, page)
}

// The query in the address sorts, filters and searches, and a wrong one is refused.
func TestPeersQuery(t *testing.T) {
	t.Parallel()
	f := newBusyBooks(t, nil)
	for query, want := range map[string]string{
		"sort=peer":                 "alice bob capped euro quiet trusted",
		"sort=-peer":                "trusted quiet euro capped bob alice",
		"sort=-position":            "bob capped quiet trusted alice euro", // USD comes after EUR, so descending before
		"asset=EUR%2F9":             "euro",
		"show=arrears":              "euro",
		"show=near":                 "euro capped alice",
		"show=owed&sort=peer":       "bob capped",
		"show=held&sort=peer":       "alice trusted",
		"show=settling":             "bob",
		"show=closed":               "",
		"show=suspended":            "quiet",
		"show=unnamed":              "",
		"q=ALI":                     "alice",
		"q=e&show=owing&sort=-line": "trusted alice euro",
	} {
		var names []string
		for _, row := range rowsOf(t, f.show("/peers.csv?"+query)) {
			names = append(names, row["peer"])
		}
		require.Equal(t, want, strings.Join(names, " "), query)
	}
	require.Contains(t, f.show("/peers?q=nobody"), "None of 6 peers matches.")
	page := f.show("/peers?q=e&show=owing&sort=-line")
	require.Contains(t, page, `href="peers.csv?q=e&amp;show=owing&amp;sort=-line"`, "a download has the page's filter")
	require.Contains(t, page, `<option value="owing" selected>`)
	for _, query := range []string{"sort=no", "sort=-", "show=no", "page=0", "page=x"} {
		status, text := f.open("/peers?" + query)
		require.Equal(t, http.StatusBadRequest, status, query)
		require.Contains(t, text, strings.SplitN(query, "=", 2)[0]+"=")
	}
}

// A page has 100 rows, and a download has all.
func TestPages(t *testing.T) {
	t.Parallel()
	var peers []accounts.PeerConfig
	for i := range 250 {
		peers = append(peers, line(fmt.Sprintf("p%03d", i), usd, 100))
	}
	f := newFixture(t, nil, peers...)
	for page, want := range map[string]string{"": "1 to 100 of 250 peers", "&page=3": "201 to 250 of 250 peers", "&page=99": "201 to 250 of 250 peers"} {
		text := f.show("/peers?sort=peer" + page)
		require.Contains(t, text, want)
		require.LessOrEqual(t, strings.Count(text, `class="name"`), 100)
	}
	require.Contains(t, f.show("/peers?sort=peer&page=2"), `<a rel="prev" href="peers?sort=peer">Previous</a> <span>Page 2 of 3</span> <a rel="next" href="peers?page=3&amp;sort=peer">`)
	require.Contains(t, f.show("/peers"), `<a rel="next" href="peers?page=2">`)
	require.Len(t, rowsOf(t, f.show("/peers.csv?page=2")), 250)
}

// A peer's page has its holds with their expiry, and its statement every row of the range.
func TestPeerPage(t *testing.T) {
	t.Parallel()
	f := newBusyBooks(t, nil)
	page := f.show("/peer?peer=alice&asset=USD/2")
	require.Contains(t, textOf(t, page, "balance"), "owes us 30.00 USD, 85 % of the line 100.00 used. Position -30.00")
	require.Regexp(t, `packet 55\.25 0\.00 .* UTC \d+ s .* UTC`, textOf(t, page, "holds"))
	require.Contains(t, textOf(t, page, "orders"), "No order is open.")
	require.Contains(t, textOf(t, f.show("/peer?peer=bob&asset=USD/2"), "orders"), "30.00 USD/2")
	holds := rowsOf(t, f.show("/holds.csv?peer=alice&asset=USD/2"))
	require.Len(t, holds, 1)
	require.Equal(t, "55.25", holds[0]["in"])
	expiry, err := time.Parse(time.RFC3339, holds[0]["expiry"])
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(10*time.Minute), expiry, time.Minute)

	statement := f.show("/statement?peer=alice&asset=USD/2")
	require.Regexp(t, `opening 0\.00 0\.00 0\.00 .*credit line .*packet -30\.00 -30\.00 0\.00 100\.00 peer bob .*closing -30\.00 0\.00 100\.00`, textOf(t, statement, ""))
	require.Contains(t, f.show("/statement?peer=alice&asset=USD/2&from=2020-01-01T00:00&to=2020-01-02T00:00"), "From 2020-01-01 00:00:00 UTC to 2020-01-02 00:00:00 UTC (not included).")
	rows := rowsOf(t, f.show("/statement.csv?peer=alice&asset=USD/2&from="))
	require.Equal(t, "closing", rows[len(rows)-1]["kind"])
	for query, status := range map[string]int{
		"peer=nobody&asset=USD/2": http.StatusNotFound, "peer=alice&asset=XXX": http.StatusBadRequest, "peer=&asset=USD/2": http.StatusBadRequest,
		"peer=alice&asset=USD/2&from=soon": http.StatusBadRequest, "peer=alice&asset=USD/2&from=2021-01-01&to=2020-01-01": http.StatusBadRequest,
	} {
		got, text := f.open("/statement?" + query)
		require.Equal(t, status, got, "%s: %s", query, text)
	}
	got, _ := f.open("/peer?peer=nobody&asset=USD/2")
	require.Equal(t, http.StatusNotFound, got)
}

// A peer's page has the first holds to expire and says how many there are. A download has all.
func TestManyHolds(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, line("alice", usd, 1000_00), line("bob", usd, 0))
	const count = 130
	for range count {
		f.hold("alice", "bob", 1)
	}
	page := f.show("/peer?peer=alice&asset=USD/2")
	require.Equal(t, 100, strings.Count(page, "<td class=\"name\">packet</td>"))
	require.Contains(t, textOf(t, page, "holds"), "The first 100 of 130 to expire: download all.")
	require.Len(t, rowsOf(t, f.show("/holds.csv?peer=alice&asset=USD/2")), count)
}

// A long statement is cut on the page, which says so, and whole in downloads.
func TestLongStatement(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, line("alice", usd, 1000_00), line("bob", usd, 0))
	for range 310 {
		f.send("alice", "bob", 1)
	}
	page := f.show("/statement?peer=bob&asset=USD/2")
	require.Contains(t, page, "The range has more rows")
	require.NotContains(t, page, "closing")
	require.Equal(t, 301, strings.Count(page, `class="name"`)) // with the opening balance
	rows := rowsOf(t, f.show("/statement.csv?peer=bob&asset=USD/2&from="))
	require.Equal(t, "3.10", rows[len(rows)-1]["position"])
	require.Greater(t, len(rows), 310)
}

// Amounts are text in JSON: programs read its numbers as floating point. Unknown values are null.
func TestAmountsAreText(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, accounts.PeerConfig{ID: "big", Asset: eur, CreditLine: ledger.NewAmount(9_007_199_254_740_993)})
	for _, path := range []string{"/peers.json", "/totals.json", "/orders.json", "/peer.json?peer=big&asset=EUR/9", "/holds.json?peer=big&asset=EUR/9"} {
		var rows []map[string]any
		require.NoError(t, json.Unmarshal([]byte(f.show(path)), &rows), path)
		for _, row := range rows {
			for name, value := range row {
				if _, isNumber := value.(float64); isNumber {
					require.Contains(t, []string{"peers", "peers_in_arrears", "unlimited_lines", "line_used_percent", "cap_used_percent"}, name, path)
				}
			}
		}
	}
	require.Contains(t, f.show("/peers.json"), `"credit_line":"9007199.254740993"`)
	require.Contains(t, f.show("/peers.json"), `"cap_used_percent":null`)
}

// Without an engine orders are unknown, and are not shown as none.
func TestOrdersWithoutAnEngine(t *testing.T) {
	t.Parallel()
	f := newBusyBooks(t, func(c *console.Config) { c.Settlement = nil })
	require.Contains(t, textOf(t, f.show("/"), "troubles"), "Open orders unknown")
	require.Contains(t, f.show("/orders"), "By their balances, 1 peers have an open order.")
	require.Contains(t, textOf(t, f.show("/peer?peer=bob&asset=USD/2"), "orders"), "Unknown")
	status, text := f.open("/orders.csv")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, text, "Config.Settlement")
}

// The trial balance has the sums of each kind of account, also for download.
func TestTrialBalance(t *testing.T) {
	t.Parallel()
	f := newBusyBooks(t, nil)
	page := ""
	require.Eventually(t, func() bool { // it follows the first look
		page = textOf(t, f.show("/trial"), "rows")
		return strings.Contains(page, "EUR/9")
	}, time.Minute, time.Millisecond)
	require.Regexp(t, `USD/2: balances As of .* peer 5 .* line 5 .* total \d+ .*EUR/9: balances .* suspense 1 0\.000000000 6\.000000001`, page)
	rows := rowsOf(t, f.show("/trial.csv"))
	total := rows[len(rows)-1]
	require.Equal(t, []string{"EUR/9", "total"}, []string{total["asset"], total["kind"]})
	require.Equal(t, total["debits_posted"], total["credits_posted"])
}

// Every file and download has its type and its content.
func TestContentTypes(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, line("alice", usd, 0))
	for path, want := range map[string]string{
		"/console.css": "text/css; charset=utf-8", "/console.js": "text/javascript; charset=utf-8", "/icon.svg": "image/svg+xml", "/peers": "text/html; charset=utf-8",
		"/peers.csv": "text/csv; charset=utf-8", "/peers.json": "application/json", "/statement.csv?peer=alice&asset=USD/2": "text/csv; charset=utf-8",
	} {
		answer, text := f.get(f.browser, f.server.URL+path)
		require.Equal(t, want, answer.Header.Get("Content-Type"), path)
		require.NotEmpty(t, text, path)
	}
}

// Open orders beyond MaxOrders are counted as not read, and a download without them is refused.
func TestOrdersAreBounded(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *console.Config) { c.MaxOrders = 1 }, line("alice", usd, 100_00), line("bob", usd, 0), line("carol", usd, 0))
	for _, to := range []string{"bob", "carol"} {
		f.send("alice", to, 20_00)
		_, err := f.client.Settlement.Settle(t.Context(), f.peers[to])
		t.Logf("the order stays open: %v", err)
	}
	page := textOf(t, f.show("/orders"), "rows")
	require.Contains(t, page, "1 open orders, 0 stuck (older than 10 min 0 s); the orders of 1 more peers were not read")
	require.Contains(t, page, "20.00 USD/2")
	status, text := f.open("/orders.json")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, text, "Config.MaxOrders")
}

// Orders that were not read are not shown as none, nor as not stuck.
func TestOverviewCountsUnreadOrders(t *testing.T) {
	t.Parallel()
	named := []string{"bob"}
	f := newFixture(t, func(c *console.Config) {
		c.Peers = func(accounts.Asset) []string { return named }
	}, line("alice", usd, 100_00), line("bob", usd, 0), line("carol", usd, 0))
	for i, want := range []struct{ to, card, orders string }{
		{"carol", "Open orders 1 stuck or not is unknown; 1 not read", "1 peers have an open order, and none of them has a known name."},
		{"bob", "Open orders 2 none of the 1 that were read stuck; 1 not read", "The orders of 1 more peers were not read."},
	} {
		f.send("alice", want.to, 20_00)
		_, err := f.client.Settlement.Settle(t.Context(), f.peers[want.to])
		t.Logf("the order stays open: %v", err)
		page := ""
		require.Eventually(t, func() bool { // the look that follows the order
			page = f.show("/")
			return strings.Contains(textOf(t, page, "troubles"), fmt.Sprint("Open orders ", i+1))
		}, time.Minute, time.Millisecond)
		require.Contains(t, textOf(t, page, "troubles"), want.card)
		orders := textOf(t, page, "orders")
		require.Contains(t, orders, want.orders)
		require.NotContains(t, orders, "No order is open")
	}
}

// A peer without a known name is shown by its account.
func TestUnnamedPeer(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *console.Config) { c.Peers = nil }, line("alice", usd, 100_00))
	page := f.show("/peers")
	require.NotContains(t, page, "alice")
	require.Contains(t, page, f.peers["alice"].ID().String())
	require.Contains(t, page, "100.00")
	status, text := f.open("/peer?peer=alice&asset=USD/2")
	require.Equal(t, http.StatusNotFound, status)
	require.Contains(t, text, "Config.Peers")
}

// Books without peers say how to begin.
func TestEmptyBooks(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, line("only", usd, 0))
	require.Contains(t, f.show("/"), "No peer has an account in EUR/9.")
	require.Contains(t, f.show("/orders"), "No order is open")
	require.Equal(t, "[\n]\n", f.show("/orders.json"))
}

// When the ledger goes away, pages keep the last figures and mark them; downloads refuse, since a file
// has no mark. Before the first look everything is unknown.
func TestLedgerAway(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, line("alice", usd, 100_00))
	require.Contains(t, f.show("/peers"), "alice")
	f.ledger.away.Store(true)
	page := ""
	require.Eventually(t, func() bool {
		page = f.show("/peers")
		return strings.Contains(page, "does not answer")
	}, time.Minute, time.Millisecond)
	require.Contains(t, page, "alice")
	require.Regexp(t, `The ledger does not answer</strong> since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC. The figures below are \d+ s old\.`, page)
	require.Contains(t, page, errAway.Error())
	for _, path := range []string{"/peers.csv", "/totals.json", "/statement.csv?peer=alice&asset=USD/2"} {
		status, text := f.open(path)
		require.Equal(t, http.StatusServiceUnavailable, status, path)
		require.Contains(t, text, errAway.Error())
	}
	require.Contains(t, textOf(t, f.show("/peer?peer=alice&asset=USD/2"), "holds"), "Unknown")

	young, err := console.New(console.Config{Book: f.client.Book, Token: token, Interval: time.Millisecond})
	require.NoError(t, err)
	t.Cleanup(young.Close)
	f.serve(young)
	f.logIn()
	status, page := f.open("/")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, page, "everything is unknown")
	f.ledger.away.Store(false)
	require.Eventually(t, func() bool { status, _ := f.open("/"); return status == http.StatusOK }, time.Minute, time.Millisecond)
}

// After Close pages show the last figures, and nothing reads the ledger.
func TestClosed(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, line("alice", usd, 100_00))
	f.show("/peers")
	f.console.Close()
	f.console.Close()
	f.ledger.away.Store(true) // a read would show it
	require.Contains(t, f.show("/peers"), "alice")
	status, text := f.open("/statement?peer=alice&asset=USD/2")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, text, console.ErrClosed.Error())
}
