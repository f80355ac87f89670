//go:build cgo && !race

package browsertest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/console"
)

// While the ledger is away, the banner shows since when and why, and all figures stay. The banner goes with the
// ledger's first answer, and the new figures come.
func TestLedgerGoesAndComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{}, line("kiterail", usd, 1_000_00), line("harborpay", usd, 1_000_00))
	w.send("kiterail", "harborpay", 12_34)
	b := w.logIn()
	b.open(w.page("peers"))
	b.waitFor("the position", cell("kiterail", "Position")+` === "-12.34"`)
	require.Empty(t, strings.TrimSpace(b.text("#banner")))
	rows := b.text("#rows")

	w.ledger.away.Store(true)
	b.waitForText("#banner", "The ledger does not answer since")
	require.Contains(t, b.text("#banner"), errAway.Error())
	require.Regexp(t, `The figures below are \d+ \w+ old`, b.text("#banner"))
	require.Equal(t, rows, b.text("#rows"), "no figure is lost")
	require.False(t, ask[bool](b, `document.querySelector("#disconnected").checkVisibility()`), "the console answers")
	for _, page := range []string{"", "orders", "trial"} {
		b.open(w.page(page))
		require.Contains(t, b.text("#banner"), "The ledger does not answer")
		if page == "" {
			require.Contains(t, b.text("#totals"), "12.34")
		}
	}
	b.open(w.page("peers"))
	require.Equal(t, rows, b.text("#rows"), "a page that is loaded anew has them too")

	w.ledger.away.Store(false)
	w.send("kiterail", "harborpay", 1_00)
	b.waitFor("no banner", `document.querySelector("#banner").innerText.trim() === ""`)
	b.waitFor("the new position", cell("kiterail", "Position")+` === "-13.34"`)
	w.requireConserved(usd)
}

// While the console cannot be reached, a page says so and keeps its figures. It goes on by itself.
func TestConsoleGoesAndComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{}, line("kiterail", usd, 1_000_00), line("harborpay", usd, 1_000_00))
	w.send("kiterail", "harborpay", 12_34)
	b := w.logIn()
	b.allow(`net::ERR_`)
	b.open(w.page("peers"))
	b.waitForText("#live", "● live")
	rows := b.text("#rows")
	w.down.Store(true)
	w.console.Close() // ends the stream
	b.waitForText("#disconnected", "Not live.")
	b.waitForText("#why", "The console cannot be reached.")
	b.waitForText("#live", "○ not connected")
	require.Equal(t, rows, b.text("#rows"))

	w.down.Store(false)
	b.allow(`status of 503`)
	b.waitForText("#why", console.ErrClosed.Error())
	require.Equal(t, rows, b.text("#rows"))
}

// A page beyond the largest number of streams says so. The pages of one browser share a stream, so it takes two.
func TestTooManyStreams(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{console: func(c *console.Config) { c.MaxStreams = 1 }}, line("kiterail", usd, 1_000_00))
	w.logIn().waitForText("#live", "● live")
	b := w.logIn()
	b.allow("status of 503")
	b.waitForText("#why", "too many pages are live (Config.MaxStreams): close some")
	require.Contains(t, b.text("#totals"), "We owe")
}

// Books without peers and without movements are shown as empty, each part in words.
func TestEmptyBooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	b := w.logIn()
	for part, text := range map[string]string{
		"#arrears": "No peer is in arrears.", "#orders": "No order is open.", "#near": "No other peer has used 80 % of its line", "#totals": "0.00",
	} {
		require.Contains(t, b.text(part), text)
	}
	b.open(w.page("peers"))
	require.Contains(t, b.text("#rows"), "The ledger has no peers in these assets.")
	b.open(w.page("orders"))
	require.Contains(t, b.text("#rows"), "No order is open")
	b.open(w.page("trial"))
	b.waitForText("#rows", "balances")
}

// A page that comes before the first figures shows the loading, and becomes the page by itself.
func TestLoading(t *testing.T) {
	t.Parallel()
	wait := make(chan struct{})
	w := newWorld(t, worldOptions{wait: wait}, line("kiterail", usd, 1_000_00))
	b := newTab(t, w.url)
	b.allow("status of 503")
	b.open(w.page(w.console.NewLogin()))
	b.click("button")
	b.waitForText(".loading", "The console is reading the ledger for the first time.")
	close(wait)
	b.waitForText("#totals", "We owe")
}

// A page that cannot be shown says why, and leads back.
func TestErrorPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{}, line("kiterail", usd, 1_000_00))
	b := w.logIn()
	b.allow("status of 40[04]")
	for page, reason := range map[string]string{
		"nothing":                                "there is no such page",
		"peers?sort=shoe-size":                   `there is no order sort="shoe-size"`,
		"peer?peer=nobody&asset=USD%2F2":         "nobody has no account in USD/2",
		"statement?peer=kiterail&asset=GBP%2F2":  "asset must be one of",
		"peers?show=the-ones-that-i-do-not-like": "show=",
	} {
		b.open(w.page(page))
		require.Contains(t, b.text("#reason"), reason, page)
		b.click(`#main a[href="./"]`)
		b.waitForText("h1", "Overview")
	}
}
