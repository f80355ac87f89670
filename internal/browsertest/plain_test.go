//go:build cgo && !race

package browsertest

import (
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/stretchr/testify/require"
)

// ages are the times that differ between two openings of a page.
var ages = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC|[\d.]+ ?(?:µs|ms|s|min)\b`)

// shownText is the text of the page's content, without ages and without what the script adds.
func shownText(b *tab) string {
	b.t.Helper()
	text := ask[string](b, `(() => { const main = document.querySelector("#main").cloneNode(true), words = [];
		main.querySelectorAll("#live").forEach((e) => e.remove());
		const walk = document.createTreeWalker(main, NodeFilter.SHOW_TEXT);
		while (walk.nextNode()) words.push(walk.currentNode.data);
		return words.join(" "); })()`)
	return ages.ReplaceAllString(strings.Join(strings.Fields(text), " "), "T")
}

// With scripts off, the same pages can be reached, and each has all that it has with scripts on.
func TestWithoutScript(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{}, line("kiterail", usd, 1_000_00), line("harborpay", usd, 1_000_00), line("saffron-fx", eur, 1_000_00))
	w.send("kiterail", "harborpay", 850_25)
	w.hold("kiterail", "harborpay", 10_00)
	w.order("harborpay")
	with := w.logIn()
	with.pause()
	texts := map[string]string{}
	names := with.crawl(w, 2, func(name string) { texts[name] = shownText(with) })

	b := newTab(t, w.url)
	b.do("scripts off", command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
	b.open(w.url)
	b.waitForPage("login")
	b.do("type the token", typeInto("#token", token))
	b.click("button")
	b.waitForText("h1", "Overview")
	require.False(t, ask[bool](b, `"updateStream" in window`), "the script has run")
	require.Equal(t, names, b.crawl(w, 2, func(name string) {
		require.Equal(t, strings.Split(texts[name], " "), strings.Split(shownText(b), " "), name)
		require.Empty(t, strings.TrimSpace(b.text("#live")), "nothing is said to be live")
	}))

	b.open(w.page("peers"))
	b.do("search", typeInto("#q", "saff\r"))
	b.waitForText("#rows", "1 to 1 of 1 matching peers")
	b.click(".out button")
	b.waitForPage("login")
}
