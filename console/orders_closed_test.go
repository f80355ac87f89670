package console_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/console"
	"github.com/peerledger/peerledger/ledger"
)

// closeOrders leaves a paid order of each of alice and bob, and a cancelled one of carol, in this order.
func closeOrders(t *testing.T, f *fixture) []ledger.ID {
	t.Helper()
	var ids []ledger.ID
	for _, peer := range []string{"alice", "bob", "carol"} {
		f.send("rich", peer, 30_00)
		ids = append(ids, f.openOrder(peer))
	}
	f.show("/orders") // the look sees the errors of the open orders
	for i, paid := range []uint64{30_00, 29_99} {
		_, err := f.client.Settlement.Resolve(t.Context(), f.peers[[]string{"alice", "bob"}[i]], ids[i], ledger.NewAmount(paid))
		require.NoError(t, err)
	}
	_, err := f.client.Settlement.Cancel(t.Context(), f.peers["carol"], ids[2])
	require.NoError(t, err)
	return ids
}

func newClosedFixture(t *testing.T, change func(*console.Config)) *fixture {
	t.Helper()
	return newFixture(t, change, line("rich", usd, 1000_00), line("alice", usd, 0), line("bob", usd, 0), line("carol", usd, 0), line("euro", eur, 0))
}

// Closed orders have their outcome, what was paid, who owned them, and the last error that a look has seen.
func TestClosedOrders(t *testing.T) {
	t.Parallel()
	f := newClosedFixture(t, func(c *console.Config) { c.Instances = []string{"other"} })
	ids := closeOrders(t, f)
	require.Contains(t, f.show("/orders"), `<a href="orders?state=closed">`)
	rows := f.requireSameRows("/orders", "?state=closed")
	var got [][]string
	for _, row := range rows {
		got = append(got, []string{row["peer"], row["asset"], row["order"], row["amount"], row["paid"], row["outcome"], row["rail"], row["sequence"]})
		require.Contains(t, row["last_error"], "taken on by the rail")
		require.Len(t, row["owner"], 32, "the id of an unknown engine")
	}
	require.Equal(t, [][]string{
		{"carol", "USD/2", ids[2].String(), "30.00", "0.00", "voided", "bank", "1"},
		{"bob", "USD/2", ids[1].String(), "30.00", "29.99", "paid", "bank", "1"},
		{"alice", "USD/2", ids[0].String(), "30.00", "30.00", "paid", "bank", "1"},
	}, got)
	page := f.show("/orders?state=closed")
	text := textOf(t, page, "rows")
	require.Regexp(t, `carol 30\.00 USD/2 0\.00 voided .* bank [0-9a-f]{32} .*bob 30\.00 USD/2 29\.99 paid .*alice 30\.00 USD/2 30\.00 paid`, text)
	require.Contains(t, page, `<a href="find?q=`+ids[0].String()+`">`)
	require.NotContains(t, page, "more peers are not read")

	closedAt := func(i int) string { return rows[i]["closed"] }
	names := func(query string) (list []string) {
		for _, row := range f.requireSameRows("/orders", "?state=closed&"+query) {
			list = append(list, row["peer"])
		}
		return list
	}
	require.Equal(t, []string{"bob"}, names("peer=bob"))
	require.Equal(t, []string{"carol", "bob", "alice"}, names("asset=USD/2"))
	require.Empty(t, names("asset=EUR/9"))
	require.Equal(t, []string{"bob", "alice"}, names("to="+closedAt(0)), "the end is not included")
	require.Equal(t, []string{"carol", "bob"}, names("from="+closedAt(1)), "the begin is included")
	require.Contains(t, f.show("/orders?state=closed&to=2020-01-01"), "No order was closed in this range.")
	for query, word := range map[string]string{"state=half": "state=", "state=closed&from=soon": "from", "state=closed&asset=XXX": "asset=", "state=closed&from=2021-01-01&to=2020-01-01": "from must be before to"} {
		status, text := f.open("/orders?" + query)
		require.Equal(t, http.StatusBadRequest, status, query)
		require.Contains(t, text, word)
	}
}

// The owner of an order has its name if the console was given the name.
func TestClosedOrdersNameTheirOwners(t *testing.T) {
	t.Parallel()
	f := newClosedFixture(t, nil)
	closeOrders(t, f)
	unnamed := rowsOf(t, f.show("/orders.csv?state=closed"))
	named, err := console.New(console.Config{Book: f.client.Book, Settlement: f.client.Settlement, Token: token, Instances: []string{"x", f.instance}, Peers: f.names})
	require.NoError(t, err)
	t.Cleanup(named.Close)
	f.serve(named)
	f.logIn()
	for i, row := range rowsOf(t, f.show("/orders.csv?state=closed")) {
		require.Equal(t, f.instance, row["owner"])
		require.NotEqual(t, row["owner"], unnamed[i]["owner"])
		require.Empty(t, row["last_error"], "this console has seen no open order")
	}
	require.Contains(t, f.show("/orders?state=closed"), "none seen")
}

// Closed orders come in pages, and a download has all of them.
func TestManyClosedOrders(t *testing.T) {
	t.Parallel()
	f := newClosedFixture(t, nil)
	const orders = 205
	for range orders {
		f.send("rich", "alice", 1)
		_, err := f.client.Settlement.SettleNow(t.Context(), f.peers["alice"])
		if order, open := f.findOpenOrder("alice"); open {
			_, err = f.client.Settlement.Resolve(t.Context(), f.peers["alice"], order, ledger.NewAmount(1))
		}
		require.NoError(t, err)
	}
	rows := f.requireSameRows("/orders", "?state=closed")
	require.Len(t, rows, orders)
	require.True(t, slices.IsSortedFunc(rows, func(a, b map[string]string) int { return -strings.Compare(a["closed"], b["closed"]) }))
	var seen []string
	path := "/orders?state=closed"
	for pages := 1; path != ""; pages++ {
		require.LessOrEqual(t, pages, 3)
		page := f.show(path)
		found := regexp.MustCompile(`find\?q=([0-9a-f]{32})`).FindAllStringSubmatch(page, -1)
		require.LessOrEqual(t, len(found), 100)
		for _, m := range found {
			seen = append(seen, m[1])
		}
		path = ""
		if m := regexp.MustCompile(`<a rel="next" href="([^"]*)">`).FindStringSubmatch(page); m != nil {
			path = "/" + strings.ReplaceAll(m[1], "&amp;", "&")
		}
	}
	var want []string
	for _, row := range rows {
		want = append(want, row["order"])
	}
	require.Equal(t, want, seen)
}

// Peers whose orders are not read are counted, and a download without them is refused.
func TestClosedOrdersAreBounded(t *testing.T) {
	t.Parallel()
	f := newClosedFixture(t, func(c *console.Config) { c.MaxOrders = 2 })
	closeOrders(t, f)
	var page string
	require.Eventually(t, func() bool { // the look that follows
		page = f.show("/orders?state=closed")
		return strings.Contains(page, "bob") && strings.Contains(page, "alice")
	}, time.Minute, time.Millisecond, "peers that were paid come first")
	require.Contains(t, page, "The orders of 3 more peers are not read")
	status, text := f.open("/orders.csv?state=closed")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, text, "Config.MaxOrders")
	require.Len(t, f.requireSameRows("/orders", "?state=closed&peer=carol"), 1)

	unnamed := newClosedFixture(t, func(c *console.Config) { c.Peers = func(accounts.Asset) []string { return []string{"bob"} } })
	closeOrders(t, unnamed)
	require.Contains(t, unnamed.show("/orders?state=closed"), "4 peers have no known name, so their orders cannot be read.")
	status, _ = unnamed.open("/orders.csv?state=closed")
	require.Equal(t, http.StatusServiceUnavailable, status)

	none := newFixture(t, func(c *console.Config) { c.Settlement = nil }, line("alice", usd, 0))
	require.Contains(t, textOf(t, none.show("/orders?state=closed"), "rows"), "Unknown: the console has no settlement engine")
	status, _ = none.open("/orders.json?state=closed")
	require.Equal(t, http.StatusServiceUnavailable, status)
}
