//go:build cgo && !race

package browsertest

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

const (
	actionTime = 30 * time.Second      // for an action, or for a page to show something
	pollTime   = 20 * time.Millisecond // between two looks at a page
	violations = `addEventListener("securitypolicyviolation", (e) => console.error("policy: " + e.violatedDirective + " " + e.blockedURI));`
)

// tab is a tab of the browser. It collects faults; a test fails for each fault that it did not expect.
type tab struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // chromedp keeps the tab in a context

	mu     sync.Mutex
	hosts  map[string]bool // to which the tab may send requests
	faults []string
	expect []*regexp.Regexp // faults that belong to the test
}

// newTab opens a tab with cookies of its own. It may send requests to these addresses alone.
func newTab(t *testing.T, addresses ...string) *tab {
	t.Helper()
	return openTab(requireBrowser(t).ctx, t, addresses, chromedp.WithNewBrowserContext())
}

// openBeside opens another tab in the window of a tab, with its cookies. The older tab is hidden then.
func (b *tab) openBeside() *tab {
	b.t.Helper()
	beside := openTab(b.ctx, b.t, nil, chromedp.WithNewWindow(false))
	beside.hosts = b.hosts
	return beside
}

// openWindow opens another tab in a window of its own, with the cookies of a tab. Both tabs are visible.
func (b *tab) openWindow() *tab {
	b.t.Helper()
	beside := openTab(b.ctx, b.t, nil)
	beside.hosts = b.hosts
	return beside
}

func openTab(parent context.Context, t *testing.T, addresses []string, options ...chromedp.ContextOption) *tab {
	t.Helper()
	b := &tab{t: t, hosts: map[string]bool{}}
	for _, address := range addresses {
		u, err := url.Parse(address)
		require.NoError(t, err)
		b.hosts[u.Host] = true
	}
	ctx, closeTab := chromedp.NewContext(parent, append(options, chromedp.WithListener(b.hear))...)
	b.ctx = ctx
	t.Cleanup(closeTab)
	t.Cleanup(b.requireNoFaults)
	require.NoError(t, chromedp.Do(ctx, command(page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: violations})))
	return b
}

// command makes an action of a command of the browser's protocol.
func command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, c, params)
		return err
	})
}

// hear notes the faults among the events of the tab.
func (b *tab) hear(event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		b.note("exception: " + text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning || e.Type == runtime.ConsoleAPICalledTypeAssert {
			var words []string
			for _, arg := range e.Args {
				words = append(words, string(arg.Value)+arg.Description)
			}
			b.note("console: " + strings.Join(words, " "))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			b.note(fmt.Sprintf("log: %s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	case *network.EventRequestWillBeSent:
		u, err := url.Parse(e.Request.URL)
		if err == nil && (u.Scheme == "about" || u.Scheme == "data" || b.mayAsk(u.Host)) { // fields for dates load icons of the browser's own
			return
		}
		b.note("request: " + e.Request.URL)
	}
}

func (b *tab) mayAsk(host string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.hosts[host]
}

func (b *tab) note(fault string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = append(b.faults, fault)
}

// allow has faults pass that belong to a test, as in an answer 503 of a ledger that is away.
func (b *tab) allow(faults string) { b.expect = append(b.expect, regexp.MustCompile(faults)) }

// unexpected returns the faults that no call of allow has let pass.
func (b *tab) unexpected() (list []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
next:
	for _, fault := range b.faults {
		for _, expected := range b.expect {
			if expected.MatchString(fault) {
				continue next
			}
		}
		list = append(list, fault)
	}
	return list
}

func (b *tab) requireNoFaults() {
	b.t.Helper()
	for _, fault := range b.unexpected() {
		b.t.Errorf("the browser reports: %s", fault)
	}
}

// do runs actions in the tab.
func (b *tab) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, actionTime)
	defer cancel()
	require.NoError(b.t, chromedp.Do(ctx, actions...), what)
}

// open loads an address, whatever its status.
func (b *tab) open(address string) {
	b.t.Helper()
	b.do("open "+address, chromedp.Navigate(address))
}

// click clicks the first element of a selector, and waits for no page.
func (b *tab) click(selector string) {
	b.t.Helper()
	b.do("click "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// press presses keys.
func (b *tab) press(keys string) {
	b.t.Helper()
	b.do("press "+keys, chromedp.KeyEvent(keys))
}

// ask evaluates an expression in the page, also while the page's own scripts are off.
func ask[T any](b *tab, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, actionTime)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	require.NoError(b.t, err, expression)
	return value
}

// text returns the text that an element shows; "" if there is none.
func (b *tab) text(selector string) string {
	b.t.Helper()
	return ask[string](b, fmt.Sprintf(`document.querySelector(%q)?.innerText ?? ""`, selector))
}

// waitFor waits until an expression is true in the page. The page may be loaded again meanwhile.
func (b *tab) waitFor(what, expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, actionTime)
	defer cancel()
	tick := time.NewTicker(pollTime)
	defer tick.Stop()
	for {
		found, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		if err == nil && found {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			require.Fail(b.t, "the page never showed: "+what, "%v\n%s: %s", err, ask[string](b, "location.href"), b.text("body"))
		}
	}
}

// waitForText waits until an element shows a text.
func (b *tab) waitForText(selector, text string) {
	b.t.Helper()
	b.waitFor(selector+": "+text, fmt.Sprintf(`document.querySelector(%q)?.innerText.includes(%q)`, selector, text))
}

// waitForPage waits until the tab shows a page of the console, by the last part of its path.
func (b *tab) waitForPage(name string) {
	b.t.Helper()
	b.waitFor("the page "+name, fmt.Sprintf(`document.readyState === "complete" && location.pathname.endsWith(%q)`, "/"+name))
}

// pause stops the live figures of a page.
func (b *tab) pause() {
	b.t.Helper()
	b.press("p")
	b.waitForText("#live", "paused")
}

// theme is a choice of colours of the browser.
type theme string

const (
	light theme = "light"
	dark  theme = "dark"
)

// look sets the width of the page and its colours.
func (b *tab) look(width int64, colours theme) {
	b.t.Helper()
	b.do("emulate", chromedp.EmulateViewport(width, 900),
		command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: string(colours)}}}))
}

// typeInto types a text into a field.
func typeInto(selector, text string) chromedp.Action[chromedp.Void] {
	return chromedp.SendKeys(chromedp.CSS(selector), text)
}

func containsFold(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

// quote writes a text as a string of a script.
func quote(text string) string { return fmt.Sprintf("%q", text) }
