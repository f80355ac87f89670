//go:build !race

package browsertest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// screenshotsEnv names the folder for pictures of all views, an absolute path.
const screenshotsEnv = "PEERLEDGER_SCREENSHOTS"

// views are the pages of which pictures are taken, by the name of the picture.
var views = [][2]string{
	{"overview", ""}, {"peers", "peers"}, {"peers-near", "peers?show=near"}, {"peers-none", "peers?q=nobody"}, {"peer", "peer?asset=USD%2F2&peer=kiterail"},
	{"peer-order", "peer?asset=USD%2F2&peer=harborpay"}, {"peer-arrears", "peer?asset=XRP%2F9&peer=mesa-labs"},
	{"statement", "statement?asset=USD%2F2&peer=kiterail"}, {"orders", "orders"}, {"trial", "trial"}, {"error", "peers?sort=no"},
}

// reduceColours draws a PNG with its 64 most frequent colours, which makes pictures of pages a third as large. Each
// other colour becomes the nearest of them.
func reduceColours(file []byte) ([]byte, error) {
	decoded, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	full := image.NewRGBA(decoded.Bounds())
	draw.Draw(full, full.Rect, decoded, full.Rect.Min, draw.Src)
	count := map[color.RGBA]int{}
	for i := 0; i < len(full.Pix); i += 4 {
		count[color.RGBA{full.Pix[i], full.Pix[i+1], full.Pix[i+2], full.Pix[i+3]}]++
	}
	var palette color.Palette
	numbers := map[color.RGBA]uint8{}
	for _, c := range slices.SortedFunc(maps.Keys(count), func(a, b color.RGBA) int { return cmp.Compare(count[b], count[a]) }) {
		if len(palette) < 64 {
			palette = append(palette, c)
		}
		numbers[c] = uint8(palette.Index(c))
	}
	reduced := image.NewPaletted(full.Rect, palette)
	for i := range reduced.Pix {
		reduced.Pix[i] = numbers[color.RGBA{full.Pix[4*i], full.Pix[4*i+1], full.Pix[4*i+2], full.Pix[4*i+3]}]
	}
	var out bytes.Buffer
	err = (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, reduced)
	return out.Bytes(), err
}

// picture takes a picture of the whole page at each width and in each theme.
func (b *tab) picture(folder, name string) {
	b.t.Helper()
	for _, colours := range []theme{light, dark} {
		for _, width := range []int64{1440, 320} {
			b.look(width, colours)
			ctx, cancel := context.WithTimeout(b.ctx, actionTime)
			shot, err := chromedp.Run(ctx, func(ctx context.Context, t *chromedp.Target) ([]byte, error) {
				beyond := true
				shot, err := cdp.Call(ctx, t, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: &beyond})
				return shot.Data, err
			})
			cancel()
			require.NoError(b.t, err)
			shot, err = reduceColours(shot)
			require.NoError(b.t, err)
			require.NoError(b.t, os.WriteFile(filepath.Join(folder, fmt.Sprintf("console-%s-%s-%d.png", name, colours, width)), shot, 0o600))
		}
	}
}

// With PEERLEDGER_SCREENSHOTS, each view is drawn into that folder, dark and light, at 320 and 1440 px. Without it, a
// single view is drawn, and the pictures go.
func TestScreenshots(t *testing.T) {
	t.Parallel()
	folder := os.Getenv(screenshotsEnv)
	if folder == "" {
		newWorld(t, worldOptions{}).logIn().picture(t.TempDir(), "empty")
		return
	}
	require.NoError(t, os.MkdirAll(folder, 0o700))
	w := newDay(t, worldOptions{act: true})
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
