//go:build cgo && !race

package browsertest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// faint lists the shown texts whose contrast is below that of WCAG 2.2, success criterion 1.4.3 (AA): 4.5 to 1, and 3
// to 1 for large text (24 px, or 18.66 px in bold). A colour that is not in the form of rgb() is an error.
const faint = `(() => {
	const parse = (text) => {
		const m = /^rgba?\(([\d.]+), ([\d.]+), ([\d.]+)(?:, ([\d.]+))?\)$/.exec(text);
		if (!m) throw new Error("colour " + text);
		return [+m[1], +m[2], +m[3], m[4] === undefined ? 1 : +m[4]];
	};
	const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
	const luminance = (c) => {
		const [r, g, b] = c.slice(0, 3).map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const ratio = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
	const background = (e) => {
		const layers = [];
		for (; e; e = e.parentElement) {
			const s = getComputedStyle(e);
			if (s.backgroundImage !== "none" || s.opacity !== "1") throw new Error("an image or opacity below the text of " + e.outerHTML.slice(0, 80));
			layers.push(parse(s.backgroundColor));
			if (layers.at(-1)[3] === 1) break;
		}
		if (layers.at(-1)[3] !== 1) throw new Error("no colour below");
		return layers.reverse().reduce((below, top) => over(top, below));
	};
	const found = [];
	let seen = 0;
	const check = (text, element, pseudo) => {
		const s = getComputedStyle(element, pseudo), back = background(element);
		const ink = over(parse(element.namespaceURI.endsWith("svg") ? s.fill : s.color), back);
		const size = parseFloat(s.fontSize), large = size >= 24 || size >= 18.66 && +s.fontWeight >= 700;
		const has = ratio(ink, back);
		seen++;
		if (has < (large ? 3 : 4.5)) found.push(text.trim().slice(0, 40) + ": " + has.toFixed(2) + " (" + ink.map(Math.round) + " on " + back.map(Math.round) + ")");
	};
	const shown = (e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: true });
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (walk.nextNode()) {
		const node = walk.currentNode, element = node.parentElement, range = document.createRange();
		range.selectNodeContents(node);
		if (node.data.trim() && shown(element) && [...range.getClientRects()].some((r) => r.width > 0 && r.right > 0)) check(node.data, element);
	}
	for (const field of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
		if (!shown(field)) continue;
		check(field.value || "a field", field);
		if (field.placeholder) check(field.placeholder, field, "::placeholder");
	}
	for (const cell of document.querySelectorAll("td[data-label]")) if (shown(cell)) check("label " + cell.dataset.label, cell, "::before");
	if (seen < 3) throw new Error("only " + seen + " texts");
	return found;
})()`

// outside lists what reaches beyond the sides of the window, or cannot be scrolled to.
const outside = `(() => {
	const found = [], root = document.documentElement, shown = (e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: true });
	if (root.scrollWidth > innerWidth) found.push("the page is " + root.scrollWidth + " px wide");
	for (const e of document.querySelectorAll("body *")) {
		const r = e.getBoundingClientRect();
		if (!shown(e) || r.width <= 1 || r.right <= 0 || e.closest("thead, .skip")) continue;
		if (r.right > innerWidth + 0.5 || r.left < -0.5) found.push(e.outerHTML.slice(0, 100) + " from " + r.left + " to " + r.right);
		if (e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX !== "visible" && !e.matches("input, select, textarea")) found.push(e.outerHTML.slice(0, 100) + " hides a part");
	}
	return found;
})()`

// requireGoodLooks checks the page that a tab shows, in both themes, narrow and wide.
func (b *tab) requireGoodLooks(name string) {
	b.t.Helper()
	for _, width := range []int64{1440, 1360, 900, 320} { // up to 1350 px, rows are cards
		b.look(width, light)
		require.Empty(b.t, ask[[]string](b, outside), "%q at %d px", name, width)
	}
	for _, colours := range []theme{light, dark} {
		for _, width := range []int64{320, 1440} {
			b.look(width, colours)
			require.Empty(b.t, ask[[]string](b, faint), "%q, %s, at %d px", name, colours, width)
		}
	}
}

// Every page fits into its window, down to 320 px, without scrolling to the side, and its text has the contrast of WCAG AA, dark and light.
func TestEveryPageFitsAndIsReadable(t *testing.T) {
	t.Parallel()
	w := newDay(t, worldOptions{act: true})
	b := w.logIn()
	b.pause()
	b.crawl(w, 2, b.requireGoodLooks)
	for _, page := range []string{"peers?q=nobody", "peers?sort=no", "nothing"} {
		b.allow("status of 40[04]")
		b.open(w.page(page))
		b.requireGoodLooks(page)
	}
	b.press("?")
	b.waitFor("the keys", `document.querySelector("#keys").open`)
	b.requireGoodLooks("the list of keys")

	b.open(w.page("peers"))
	b.press("p")
	b.waitForText("#live", "● live")
	w.ledger.away.Store(true)
	b.waitForText("#banner", errAway.Error())
	b.pause()
	b.requireGoodLooks("a ledger that is away")
	w.ledger.away.Store(false)

	b.click(".out button")
	b.waitForPage("login")
	b.requireGoodLooks("the log-in")
	b.open(w.page(w.console.NewLogin()))
	b.requireGoodLooks("the link")
	b.allow("status of 403")
	b.open(w.page("login?token=wrong"))
	b.click("button")
	b.waitForText(".alarm", "Not logged in")
	b.requireGoodLooks("a wrong token")
}

// The checks of looks notice what they are for.
func TestLooksAreChecked(t *testing.T) {
	t.Parallel()
	requireBrowser(t)
	for name, test := range map[string]struct{ page, script, want string }{
		"pale text":        {`<p style="color: #777">pale</p>`, faint, "pale: 4.48"},
		"grey in a box":    {`<div style="background: #000a"><p style="color: #888">grey</p></div>`, faint, "grey: "},
		"large":            {`<h1 style="color: #999; font: 20px serif">large</h1>`, faint, "large: 2.85"},
		"placeholder":      {`<input placeholder="faint">`, faint, "faint: "},
		"a wide table":     {`<table><tr><td>` + strings.Repeat("x", 200) + `</table>`, outside, "the page is "},
		"a part is hidden": {`<div style="overflow: hidden">` + strings.Repeat("x", 200) + `</div>`, outside, "hides a part"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				fmt.Fprintf(w, `<!doctype html><meta name="viewport" content="width=device-width"><link rel="icon" href="data:,x"><style>::placeholder { color: #aaa }</style>
					<body style="background: #fff">%s%s`, strings.Repeat("<p>a text that is black</p>", 5), test.page)
			}))
			t.Cleanup(server.Close)
			b := newTab(t, server.URL)
			b.look(320, light)
			b.open(server.URL)
			require.Contains(t, strings.Join(ask[[]string](b, test.script), "\n"), test.want)
		})
	}
}
