//go:build cgo && !race

package browsertest

import (
	"testing"

	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// focused is the element with the focus: its number among all elements, -1 for the page itself.
const focused = `(document.activeElement === document.body ? -1 : [...document.querySelectorAll("*")].indexOf(document.activeElement))`

// reachable are the numbers of the elements that a person must be able to reach with the tab key.
const reachable = `(() => { const all = [...document.querySelectorAll("*")];
	return all.filter((e) => e.matches("a[href], button, input:not([type=hidden]), select, textarea, summary") && !e.disabled && e.getClientRects().length > 0).map((e) => all.indexOf(e)); })()`

// isMarked tells whether the element with the focus is within the window, and has an outline that stands out.
const isMarked = `(() => { const e = document.activeElement, s = getComputedStyle(e), r = e.getBoundingClientRect();
	return s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2 && r.right > 0 && r.left < innerWidth && r.bottom > 0 && r.top < innerHeight && r.width > 0; })()`

// The tab key reaches every link, button and field of every page, at both widths, and each of them shows the focus.
func TestTabReachesEverything(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{}, line("kiterail", usd, 1_000_00), line("harborpay", usd, 1_000_00))
	w.send("kiterail", "harborpay", 950_00)
	w.order("harborpay")
	b := w.logIn()
	b.pause() // a page in a pause keeps its elements
	for _, width := range []int64{1440, 320} {
		b.look(width, light)
		b.crawl(w, 1, func(name string) {
			want := ask[[]int](b, reachable)
			reached := map[int]bool{}
			for range 10*len(want) + 2 { // a field for a time has stops of its own
				b.press(kb.Tab)
				stop := ask[[2]int](b, "["+focused+", Number("+isMarked+")]")
				at := stop[0]
				if at == -1 {
					break // after the last one the focus leaves the page
				}
				require.Equal(t, 1, stop[1], "%q at %d px: nobody sees the focus of %s", name, width, ask[string](b, "document.activeElement.outerHTML + getComputedStyle(document.activeElement).outline + JSON.stringify(document.activeElement.getBoundingClientRect())"))
				if len(reached) == 0 {
					require.Equal(t, "Skip to the content", ask[string](b, "document.activeElement.innerText"), "the first stop of %q", name)
				}
				reached[at] = true
			}
			for _, element := range want {
				require.True(t, reached[element], "%q at %d px: the tab key does not reach element %d", name, width, element)
			}
		})
	}
}

// Keys alone lead through the console.
func TestKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{}, line("kiterail", usd, 1_000_00), line("harborpay", usd, 1_000_00))
	b := w.logIn()
	b.press(kb.Tab + kb.Enter) // skip to the content
	b.press(kb.Tab)
	require.True(t, ask[bool](b, `document.querySelector("#main").contains(document.activeElement)`), "the focus is behind the header")

	b.press("?")
	b.waitFor("the list of keys", `document.querySelector("#keys").open && document.activeElement.matches("#keys summary")`)
	b.press("?")
	b.waitFor("no list of keys", `!document.querySelector("#keys").open`)

	b.press("/")
	b.waitForPage("peers")
	b.waitFor("the search", `document.activeElement.id === "q"`)
	b.press("harbor/gp?") // in a field, keys are text
	require.Equal(t, "harbor/gp?", ask[string](b, `document.querySelector("#q").value`))
	b.press(kb.Backspace + kb.Backspace + kb.Backspace + kb.Backspace + kb.Enter)
	b.waitFor("the search by name", `location.search.includes("q=harbor&") && document.readyState === "complete"`)
	require.Equal(t, []string{"harborpay"}, ask[[]string](b, `[...document.querySelectorAll("#rows tbody .name")].map((c) => c.innerText)`))

	for _, step := range [][2]string{{"gr", "orders"}, {"gt", "trial"}, {"gp", "peers"}, {"go", ""}} {
		b.press(step[0])
		b.waitForPage(step[1])
	}
	b.press("x")
	b.press("p")
	b.waitForText("#live", "paused")
	b.press("p")
	b.waitForText("#live", "● live")
	require.True(t, ask[bool](b, `location.href === `+quote(w.url)), "g was not pressed before p")
}

// Live figures leave the focus on the link that has it.
func TestFocusStaysInLivePages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{}, line("kiterail", usd, 1_000_00), line("harborpay", usd, 1_000_00))
	b := w.logIn()
	b.open(w.page("peers"))
	link := `document.querySelector('#rows tbody a[href*="harborpay"]')`
	b.waitFor("the link", link+` && (`+link+`.focus(), true)`)
	w.send("kiterail", "harborpay", 5_00)
	b.waitFor("the new position", cell("harborpay", "Position")+" === "+quote(w.position("harborpay")))
	require.Equal(t, "harborpay", ask[string](b, "document.activeElement.innerText"))
	b.press(kb.Enter)
	b.waitForText("h1", "harborpay")
}
