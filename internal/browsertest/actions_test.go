//go:build cgo && !race

package browsertest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// openAct opens the form of an action from a peer's page.
func (b *tab) openAct(w *world, peer, path string) {
	b.t.Helper()
	b.open(w.page("peer?asset=USD%2F2&peer=" + peer))
	b.click(fmt.Sprintf(`#acts a[href^="%s?"]`, path))
	b.waitForPage(path)
}

// fill replaces the value of a field, as a person does who types.
func (b *tab) fill(field, value string) {
	b.t.Helper()
	selector := fmt.Sprintf(`form.act [name=%q]`, field)
	require.True(b.t, ask[bool](b, fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.focus(); e.select(); return true; })()`, selector)))
	b.press(value)
	require.Equal(b.t, value, ask[string](b, fmt.Sprintf(`document.querySelector(%q).value`, selector)))
}

// checkAct sends the form, and waits for the page that shows the change.
func (b *tab) checkAct() {
	b.t.Helper()
	b.click("form.act button")
	b.waitForText(".change", "Would ")
}

// A peer near its line is found, and is suspended in four clicks. The audit has who did it, and why.
func TestSuspendTheNearestPeer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{act: true}, line("kiterail", usd, 1_000_00), line("harborpay", usd, 1_000_00))
	w.send("kiterail", "harborpay", 930_00)
	b := w.logIn()
	b.click("#near tbody .name a")
	b.waitForText("h1", "kiterail")
	b.click(`#acts a[href^="suspend?"]`)
	b.waitForPage("suspend")
	b.fill("reason", "review")
	b.fill("note", "asks for more every day")
	b.checkAct()
	require.Contains(t, b.text(".change"), "suspended")
	require.False(t, w.balance("kiterail").Suspended, "nothing is written yet")
	b.requireGoodLooks("the change")
	b.click(".act-now")
	b.waitForText(".done", "Done:")
	require.True(t, w.balance("kiterail").Suspended)
	require.False(t, w.balance("harborpay").Suspended)
	b.requireGoodLooks("done")

	b.click("#main a.button") // back to the peer
	b.waitForText("#balance .state", "suspended")
	b.open(w.page("audit"))
	row := b.text("#main tbody tr")
	for _, part := range []string{"ann", "suspend", "kiterail", "review", "asks for more every day"} {
		require.Contains(t, row, part)
	}
	b.requireGoodLooks("the audit")
	w.requireConserved(usd)
}

// Without script the forms work the same.
func TestResumeWithoutScript(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{act: true}, line("kiterail", usd, 1_000_00))
	require.NoError(t, w.client.Book.SuspendPeer(t.Context(), w.account("kiterail")))
	b := w.logIn()
	b.do("scripts off", command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
	b.openAct(w, "kiterail", "resume")
	b.checkAct()
	b.click(".act-now")
	b.waitForText(".done", "Done:")
	require.False(t, w.balance("kiterail").Suspended)
}

// lineText is the line of a peer in the books, as the pages write it.
func (w *world) lineText(peer string) string { return usd.Format(w.balance(peer).CreditLine) }

// A second operator changes the line between the two pages of a form: that line stays. The form says what
// the line was and is.
func TestLineThatSomebodyElseChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{act: true}, line("kiterail", usd, 1_000_00), line("harborpay", usd, 1_000_00))
	w.send("kiterail", "harborpay", 250_00)
	was := w.lineText("kiterail")
	b := w.logIn()
	b.openAct(w, "kiterail", "line")
	b.fill("line", "1500")
	b.checkAct()
	_, err := w.client.Book.SetCreditLine(t.Context(), w.account("kiterail"), ledger.NewAmount(1_200_00))
	require.NoError(t, err)
	is := w.lineText("kiterail")
	b.allow("status of 409")
	b.click(".act-now")
	b.waitForText("#main", "Refused: nothing was done")
	require.Contains(t, b.text(".figures"), was)
	require.Contains(t, b.text(".figures"), is)
	require.Equal(t, is, w.lineText("kiterail"), "the other person's line stays")
	b.requireGoodLooks("a refused change")

	b.click("#main a.button") // a new form
	b.waitFor("the new form", `document.querySelector("form.act [name=line]") !== null && document.readyState === "complete"`)
	require.Contains(t, b.text(".figures"), is)
	b.fill("line", "1500")
	b.checkAct()
	b.click(".act-now")
	b.waitForText(".done", "Done:")
	require.Equal(t, "1500.00", w.lineText("kiterail"))
	w.requireConserved(usd)
}

// Of two tabs with the form of one line, the second to send changes nothing. A form that is sent twice, as by a person
// whose answer was lost, changes the line once.
func TestStaleFormInASecondTab(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{act: true}, line("kiterail", usd, 1_000_00))
	first := w.logIn()
	first.openAct(w, "kiterail", "line")
	second := first.openWindow()
	second.openAct(w, "kiterail", "line")
	first.fill("line", "700")
	first.checkAct()
	second.fill("line", "900")
	second.checkAct()
	first.click(".act-now")
	first.waitForText(".done", "Done:")
	require.Equal(t, "700.00", w.lineText("kiterail"))

	second.allow("status of 409")
	second.click(".act-now")
	second.waitForText("#main", "Refused: nothing was done")
	require.Equal(t, "700.00", w.lineText("kiterail"))

	second.openAct(w, "kiterail", "line")
	second.fill("line", "800")
	second.checkAct()
	second.do("send without reading the answer", chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := chromedp.Evaluate[bool](`(() => { const form = document.querySelector("form.act");
			return fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) }).then((answer) => answer.ok); })()`, chromedp.EvalAwaitPromise)(ctx, target)
		return err
	}))
	require.Equal(t, "800.00", w.lineText("kiterail"))
	_, err := w.client.Book.SetCreditLine(t.Context(), w.account("kiterail"), ledger.NewAmount(1_000_00))
	require.NoError(t, err)
	second.click(".act-now")
	second.waitForText("#main", "sent again")
	require.Equal(t, "1000.00", w.lineText("kiterail"), "a form works once, whatever the line is by now")
}

// An order that is stuck is found, and closed with the amount that the rail has paid. The pages then have the figures
// of the books.
func TestResolveAStuckOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{act: true, lag: time.Hour}, line("kiterail", usd, 1_000_00), line("harborpay", usd, 1_000_00))
	w.send("kiterail", "harborpay", 640_25)
	w.order("harborpay")
	w.clock.setLag(0)
	ordered := w.balance("harborpay")
	require.Equal(t, ledger.NewAmount(640_25), ordered.Settling)
	b := w.logIn()
	b.click(`nav a[href="orders"]`)
	b.waitForPage("orders")
	require.Contains(t, b.text("#rows"), "stuck")
	require.Contains(t, b.text("#rows"), usd.Format(ordered.Settling))
	b.click(`#rows a[href^="resolve?"]`)
	b.waitForPage("resolve")
	b.fill("amount", "600")
	b.checkAct()
	b.click(".act-now")
	b.waitForText(".done", "Done:")
	after := w.balance("harborpay")
	require.Equal(t, ledger.NewAmount(600_00), after.SettledOut)
	require.True(t, after.Settling.IsZero())

	b.open(w.page("orders"))
	b.waitForText("#rows", "No order is open")
	b.open(w.page("peer?asset=USD%2F2&peer=harborpay"))
	for label, figure := range map[string]ledger.Amount{"Position": after.Payable, "Settled out, in": after.SettledOut, "In open orders": after.Settling, "Headroom": after.Headroom} {
		shown := ask[string](b, fmt.Sprintf(`[...document.querySelectorAll("#balance dt")].find((e) => e.innerText === %q).nextElementSibling.innerText`, label))
		require.Contains(t, shown, usd.Format(figure), label)
	}
	w.requireConserved(usd)
}

// A console that only shows has no form beyond search, ranges, comparison and the log-out, and no address of an action.
func TestViewOnlyHasNoForms(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{}, line("kiterail", usd, 1_000_00), line("harborpay", usd, 1_000_00))
	w.send("kiterail", "harborpay", 900_00)
	w.order("harborpay")
	b := w.logIn()
	posts := map[string]bool{}
	b.crawl(w, 1, func(string) {
		for _, action := range ask[[]string](b, `[...document.querySelectorAll("form[method=post]")].map((f) => f.getAttribute("action").split("?")[0])`) {
			posts[action] = true
		}
	})
	require.Equal(t, map[string]bool{"logout": true, "compare": true}, posts)
	b.allow("status of 404")
	b.open(w.page("suspend?asset=USD%2F2&peer=kiterail"))
	require.Contains(t, b.text("#reason"), "there is no such page")
	require.False(t, w.balance("kiterail").Suspended)
}
