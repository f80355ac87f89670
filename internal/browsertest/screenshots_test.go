//go:build !race

package browsertest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// screenshotsEnv names the folder for pictures of all views. Without it no picture is taken.
const screenshotsEnv = "PEERLEDGER_SCREENSHOTS"

// views are the pages of which pictures are taken, by the name of the picture.
var views = [][2]string{
	{"overview", ""}, {"peers", "peers"}, {"peers-near", "peers?show=near"}, {"peers-none", "peers?q=nobody"}, {"peer", "peer?asset=USD%2F2&peer=kiterail"},
	{"peer-order", "peer?asset=USD%2F2&peer=harborpay"}, {"peer-arrears", "peer?asset=XRP%2F9&peer=mesa-labs"},
	{"statement", "statement?asset=USD%2F2&peer=kiterail"}, {"orders", "orders"}, {"trial", "trial"}, {"error", "peers?sort=no"},
}

// picture takes a picture of the whole page at each width and in each theme.
func (b *tab) picture(folder, name string) {
	b.t.Helper()
	for _, colours := range []theme{light, dark} {
		for _, width := range []int64{1440, 900, 320} {
			b.look(width, colours)
			ctx, cancel := context.WithTimeout(b.ctx, actionTime)
			image, err := chromedp.Run(ctx, func(ctx context.Context, t *chromedp.Target) ([]byte, error) {
				beyond := true
				shot, err := cdp.Call(ctx, t, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: &beyond})
				return shot.Data, err
			})
			cancel()
			require.NoError(b.t, err)
			require.NoError(b.t, os.WriteFile(filepath.Join(folder, fmt.Sprintf("console-%s-%s-%d.png", name, colours, width)), image, 0o600))
		}
	}
}

// With PEERLEDGER_SCREENSHOTS, each view is drawn into that folder, dark and light, at 320 and 1440 px.
func TestScreenshots(t *testing.T) {
	t.Parallel()
	folder := os.Getenv(screenshotsEnv)
	if folder == "" {
		t.Skip("needs a folder for pictures: PEERLEDGER_SCREENSHOTS=DIR go test -run Screenshots ./internal/browsertest")
	}
	require.NoError(t, os.MkdirAll(folder, 0o700))
	w := newDay(t, worldOptions{})
	b := w.logIn()
	b.pause()
	for _, view := range views {
		b.allow("status of 400")
		b.open(w.page(view[1]))
		b.picture(folder, view[0])
	}
	b.open(w.page("peers"))
	b.press("p")
	b.waitForText("#live", "● live")
	b.picture(folder, "live")
	w.ledger.away.Store(true)
	b.waitForText("#banner", errAway.Error())
	b.picture(folder, "away")
	w.ledger.away.Store(false)
	b.allow("net::ERR_")
	w.down.Store(true)
	w.console.Close()
	b.waitForText("#disconnected", "Not live.")
	b.picture(folder, "disconnected")

	empty := newWorld(t, worldOptions{})
	b = empty.logIn()
	b.picture(folder, "empty")
	b.press("?")
	b.picture(folder, "keys")
	b.click(".out button")
	b.waitForPage("login")
	b.picture(folder, "login")
	b.open(empty.page(empty.console.NewLogin()))
	b.picture(folder, "link")

	wait := make(chan struct{})
	loading := newWorld(t, worldOptions{wait: wait})
	b = newTab(t, loading.url)
	b.allow("status of 503")
	b.open(loading.page(loading.console.NewLogin()))
	b.click("button")
	b.waitForText(".loading", "reading the ledger")
	b.picture(folder, "loading")
	close(wait)
}
