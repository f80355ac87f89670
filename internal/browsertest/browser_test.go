//go:build cgo && !race

// Package browsertest tests the pages of package console in Chromium, over HTTP.
//
// The race detector is left out: Chromium takes the time of these tests, and package console has tests of its own
// for what its handler does at the same time. So are runs without cgo, which would take as long and show the same.
package browsertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
)

const (
	// requireEnv, set to 1, makes tests fail without a browser. .ci/run sets it after installing Chromium.
	requireEnv = "PEERLEDGER_REQUIRE_BROWSER"
	// startTime is the time that the browser has to start: a busy machine takes longer than chromedp's 20 s.
	startTime = 60 * time.Second
)

// The names and addresses that the browser resolves to this machine, so that a page has an origin which is
// neither localhost nor loopback: Chromium treats these two as secure, and sends them other headers.
const (
	plainAddress = "192.0.2.10" // of a net for documents, RFC 5737
	evilName     = "evil.example"
)

// chromium is the one browser of all tests. Its first tab stays empty.
type chromium struct {
	ctx     context.Context //nolint:containedctx // chromedp keeps the browser in a context
	version string
}

// sharedBrowser starts the browser at its first call. TestMain calls stopBrowser.
var (
	sharedBrowser = sync.OnceValues(startBrowser)
	stopBrowser   = func() {}
)

// errNoBrowser is returned if no browser is installed.
var errNoBrowser = errors.New("neither chromium nor google-chrome is on PATH")

// startBrowser starts Chromium.
func startBrowser() (chromium, error) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		if path, err = exec.LookPath("google-chrome"); err != nil {
			return chromium{}, errNoBrowser
		}
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.WSURLReadTimeout(startTime), chromedp.WindowSize(1440, 900),
		chromedp.Flag("host-resolver-rules", fmt.Sprintf("MAP %s 127.0.0.1, MAP %s 127.0.0.1", plainAddress, evilName)))
	if os.Getuid() == 0 { // Chromium's sandbox refuses root
		options = append(options, chromedp.NoSandbox)
	}
	allocator, closeAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, closeBrowser := chromedp.NewContext(allocator)
	c := chromium{ctx: ctx}
	stopBrowser = func() { closeBrowser(); closeAllocator() }
	late := time.AfterFunc(startTime, closeAllocator) // a deadline of ctx would end the browser later
	defer late.Stop()
	c.version, err = chromedp.Run(ctx, func(ctx context.Context, t *chromedp.Target) (string, error) {
		v, err := cdp.Call(ctx, t, browser.GetVersion, cdp.Empty{})
		return v.Product, err
	})
	if err != nil {
		return chromium{}, fmt.Errorf("no browser: %s does not start within %v: %w", path, startTime, err)
	}
	return c, nil
}

// requireBrowser returns the browser, and logs its version: a release that breaks is no fault of a page. It skips
// the test without a browser. A browser that is installed and does not
// start is a failure, and no page is to blame for it.
func requireBrowser(t *testing.T) chromium {
	t.Helper()
	c, err := sharedBrowser()
	switch {
	case errors.Is(err, errNoBrowser) && os.Getenv(requireEnv) != "1":
		t.Skip("needs Chromium: install it (Debian: chromium)")
	case err != nil:
		t.Fatalf("no browser, so no page was tested: %v", err)
	}
	t.Logf("took part: %s", c.version)
	t.Cleanup(func() {
		if err := c.ctx.Err(); err != nil {
			t.Errorf("the browser has ended, so the pages may be right: %v", err)
		}
	})
	return c
}

func TestMain(m *testing.M) {
	status := m.Run()
	stopBrowser()
	os.Exit(status)
}
