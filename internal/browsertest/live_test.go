//go:build cgo && !race

package browsertest

import (
	"context"
	"fmt"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/transfers"
)

// A link logs a browser in after a click, and no second browser. The address has no secret afterwards.
func TestLogInByLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{}, line("kiterail", usd, 1_000_00))
	link := w.page(w.console.NewLogin())
	b := newTab(t, w.url)
	b.open(link)
	b.click("button")
	b.waitForText("#totals", "We owe")
	require.Equal(t, w.url, ask[string](b, "location.href"))
	require.Empty(t, ask[string](b, "document.cookie"), "scripts cannot read the session")

	other := newTab(t, w.url)
	other.allow(`status of 403`)
	other.open(link)
	other.click("button")
	other.waitForText(".alarm", "Not logged in")

	b.click(".out button")
	b.waitForPage("login")
	b.open(w.page("peers"))
	b.waitForPage("login")
}

// A token logs a browser in, and a wrong one does not.
func TestLogInByToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{}, line("kiterail", usd, 1_000_00))
	b := newTab(t, w.url)
	b.allow(`status of 403`)
	b.open(w.page("peers"))
	b.waitForPage("login")
	b.waitFor("the focus of the field", `document.activeElement.id === "token"`)
	b.press("a wrong token, which is long too\r")
	b.waitForText(".alarm", "Not logged in")
	b.waitFor("the focus", `document.activeElement.id === "token" && document.readyState === "complete"`)
	b.press(token + "\r")
	b.waitForText("#totals", "We owe")
}

// startPackets sends packets of 1.00 USD until the function that it returns is called.
func (w *world) startPackets(from, to string) (stop func()) {
	w.t.Helper()
	sender, receiver := w.account(from), w.account(to)
	ctx, cancel := context.WithCancel(w.t.Context())
	var running sync.WaitGroup
	var failed error
	running.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for failed == nil {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			var held transfers.Result
			held, failed = w.client.Recorder.Prepare(context.WithoutCancel(ctx), transfers.Packet{
				From: sender, To: receiver, In: 1_00, Out: 1_00, Expiry: time.Now().Add(time.Minute),
			})
			if failed == nil {
				_, failed = w.client.Recorder.Fulfill(context.WithoutCancel(ctx), held.Packet)
			}
		}
	})
	return func() {
		w.t.Helper()
		cancel()
		running.Wait()
		require.NoError(w.t, failed)
	}
}

// cell is the text of a peer's cell on the page of peers.
func cell(peer, label string) string {
	return fmt.Sprintf(`[...document.querySelectorAll("#rows tbody tr")].find((r) => r.querySelector(".name")?.innerText === %q)?.querySelector('[data-label=%q]')?.innerText`, peer, label)
}

// Positions change on the page while packets flow, end with the figures of the books, and stand still in a pause.
func TestPositionsAreLive(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{}, line("kiterail", usd, 1_000_000_00), line("harborpay", usd, 1_000_000_00))
	b := w.logIn()
	b.open(w.page("peers"))
	require.Equal(t, "0.00", ask[string](b, cell("kiterail", "Position")))
	b.do("mark the page", chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := chromedp.Evaluate[bool](`window.sameDocument = true`)(ctx, target)
		return err
	}))
	stop := w.startPackets("kiterail", "harborpay")
	t.Cleanup(stop)
	seen := map[string]bool{}
	for len(seen) < 3 {
		seen[ask[string](b, cell("kiterail", "Position"))] = true
		b.waitFor("another position", fmt.Sprintf("%s !== %q", cell("kiterail", "Position"), ask[string](b, cell("kiterail", "Position"))))
	}
	stop()
	for _, peer := range []string{"kiterail", "harborpay"} {
		b.waitFor("the position of the books", fmt.Sprintf("%s === %q", cell(peer, "Position"), w.position(peer)))
	}
	require.NotEqual(t, "0.00", w.position("kiterail"))
	require.True(t, ask[bool](b, "window.sameDocument === true"), "only parts of the page are replaced")

	b.click("#live button")
	b.waitForText("#live", "paused")
	w.waitForStreams(0)
	before := w.position("kiterail")
	w.send("kiterail", "harborpay", 50_00)
	other := b.openWindow()
	other.open(w.page("peers"))
	other.waitFor("the new position", fmt.Sprintf("%s === %q", cell("kiterail", "Position"), w.position("kiterail")))
	require.Equal(t, before, ask[string](b, cell("kiterail", "Position")), "a page in a pause stays as it is")
	b.press("p")
	b.waitFor("the new position", fmt.Sprintf("%s === %q", cell("kiterail", "Position"), w.position("kiterail")))
	b.waitForText("#live", "● live")
	w.requireConserved(usd)
}

// waitForStreams waits until so many streams of live figures are open. Chromium reads on for up to 5 s from a
// stream that a page has closed.
func (w *world) waitForStreams(n int64) {
	w.t.Helper()
	require.Eventually(w.t, func() bool { return w.streams.Load() == n }, actionTime, pollTime, "not %d streams are open", n)
}

// Of the peers, the one nearest to its line is in the first row, and that is so by the books.
func TestNearestPeerIsFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{}, line("kiterail", usd, 1_000_00), line("harborpay", usd, 400_00), line("lumen-wallet", usd, 2_000_00), line("saffron-fx", usd, 900_00))
	w.send("kiterail", "saffron-fx", 700_00)
	w.send("lumen-wallet", "saffron-fx", 900_00)
	w.send("harborpay", "saffron-fx", 300_00)
	w.hold("harborpay", "saffron-fx", 62_50)
	var nearest string
	most := new(big.Rat)
	for name := range w.peers {
		b := w.balance(name)
		used := new(big.Rat).SetFrac(b.CreditLine.SubFloor(b.Headroom).Big(), b.CreditLine.Big())
		if used.Cmp(most) > 0 {
			most, nearest = used, b.Account.Peer()
		}
	}
	b := w.logIn()
	require.Equal(t, nearest, ask[string](b, `document.querySelector("#near tbody .name").innerText`))
	b.click(`nav a[href="peers"]`)
	b.waitForPage("peers")
	first := ask[string](b, `document.querySelector("#rows tbody tr").innerText`)
	require.Contains(t, first, nearest)
	percent := new(big.Int).Quo(new(big.Int).Mul(most.Num(), big.NewInt(100)), most.Denom())
	require.Contains(t, first, percent.String()+" %")
	b.click("#rows tbody tr:first-child .name a")
	b.waitForText("h1", nearest)
	b.waitForText("#holds", "62.50")
}

// bringToFront shows a tab and hides the others of its window.
var bringToFront = command(page.BringToFront, cdp.Empty{})

// Eight tabs of a window are live when they are looked at: browsers open six connections to a host, and a hidden
// tab closes its stream.
func TestEightTabs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{}, line("kiterail", usd, 1_000_00), line("harborpay", usd, 1_000_00))
	tabs := []*tab{w.logIn()}
	for range 7 {
		b := tabs[0].openBeside()
		b.open(w.page("peers"))
		b.waitForText("#live", "● live")
		tabs = append(tabs, b)
	}
	w.waitForStreams(1) // the tab in front
	for i, b := range tabs {
		w.send("kiterail", "harborpay", uint64(1_00+i))
		b.do("to the front", bringToFront)
		b.waitFor("the tab in front", "!document.hidden")
		b.waitForText("#live", "● live")
		if i > 0 {
			b.waitFor("the new position", fmt.Sprintf("%s === %q", cell("kiterail", "Position"), w.position("kiterail")))
		}
		w.waitForStreams(1)
	}
	tabs[0].do("hide the last tab", bringToFront)
	tabs[0].press("p")
	w.waitForStreams(0) // all but one are hidden, and that one is in a pause
}

// Eight windows beside each other are all visible, and all are live: they share a stream.
func TestEightWindows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{}, line("kiterail", usd, 1_000_00), line("harborpay", usd, 1_000_00))
	tabs := []*tab{w.logIn()}
	for range 7 {
		b := tabs[0].openWindow()
		b.open(w.page("peers"))
		tabs = append(tabs, b)
	}
	w.send("kiterail", "harborpay", 5_00)
	for _, b := range tabs[1:] {
		b.waitForText("#live", "● live")
		b.waitFor("the new position", fmt.Sprintf("%s === %q", cell("kiterail", "Position"), w.position("kiterail")))
	}
	w.waitForStreams(1)
}
