//go:build cgo && !race

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
	{"overview", ""},
	{"peers", "peers"},
	{"peers-near", "peers?show=near"},
	{"peers-none", "peers?q=nobody"},
	{"peer", "peer?asset=USD%2F2&peer=kiterail"},
	{"peer-order", "peer?asset=USD%2F2&peer=harborpay"},
	{"peer-arrears", "peer?asset=XRP%2F9&peer=mesa-labs"},
	{"statement", "statement?asset=USD%2F2&peer=kiterail"},
	{"orders", "orders"},
	{"trial", "trial"},
	{"error", "peers?sort=no"},
	{"find", "find?q=harborpay"},
	{"alerts", "alerts"},
	{"health", "health"},
	{"closed", "orders?state=closed"},
	{"compare", "compare?asset=USD%2F2&peer=kiterail"},
	{"line", "line?asset=USD%2F2&peer=kiterail"},
	{"close", "close?asset=USD%2F2&peer=kiterail"},
	{"audit", "audit"},
}

// distance is the largest difference of two colours in a channel.
func distance(a, b color.RGBA) int {
	differ := func(x, y uint8) int { return max(int(x), int(y)) - min(int(x), int(y)) }
	return max(differ(a.R, b.R), differ(a.G, b.G), differ(a.B, b.B))
}

// reduceColours draws a PNG with fewer colours, which makes pictures of pages a third as large: the 64 most frequent
// ones, and up to 192 of the others that differ from all of these. Each other colour becomes the nearest of them.
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
		if len(palette) < 64 || len(palette) < 256 && distance(c, palette.Convert(c).(color.RGBA)) > 40 {
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

// draw writes a picture of the page: of the whole page, or of its part in a window of this height.
func (b *tab) draw(file string, width, height int64, colours theme, whole bool) {
	b.t.Helper()
	b.look(width, colours)
	b.do("the window", chromedp.EmulateViewport(width, height))
	ctx, cancel := context.WithTimeout(b.ctx, actionTime)
	defer cancel()
	shot, err := chromedp.Run(ctx, func(ctx context.Context, t *chromedp.Target) ([]byte, error) {
		shot, err := cdp.Call(ctx, t, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: &whole})
		return shot.Data, err
	})
	require.NoError(b.t, err)
	shot, err = reduceColours(shot)
	require.NoError(b.t, err)
	require.NoError(b.t, os.WriteFile(file, shot, 0o600))
}

// picture draws the whole page at each width and in each theme.
func (b *tab) picture(folder, name string) {
	b.t.Helper()
	for _, colours := range []theme{light, dark} {
		for _, width := range []int64{1440, 320} {
			b.draw(filepath.Join(folder, fmt.Sprintf("console-%s-%s-%d.png", name, colours, width)), width, 900, colours, true)
		}
	}
}

// drawForDocs draws the pictures of docs/images.
func (b *tab) drawForDocs(w *world, folder string) {
	b.t.Helper()
	for _, p := range []struct {
		page, file    string
		width, height int64
		colours       theme
	}{
		{"", "console-overview-light.png", 1440, 1120, light},
		{"peers", "console-peers-dark.png", 1440, 1060, dark},
		{"peer?asset=USD%2F2&peer=kiterail", "console-peer-light.png", 1440, 1120, light},
		{"orders", "console-orders-narrow.png", 360, 760, light},
	} {
		b.open(w.page(p.page))
		b.waitForText("#live", "● live")
		b.draw(filepath.Join(folder, p.file), p.width, p.height, p.colours, false)
	}
}

// With PEERLEDGER_SCREENSHOTS, each view is drawn into that folder, dark and light, at 320 and 1440 px, and the pictures
// of docs/images into its folder docs. Without it, one picture is drawn, and goes.
func TestScreenshots(t *testing.T) {
	t.Parallel()
	folder := os.Getenv(screenshotsEnv)
	if folder == "" {
		newWorld(t, worldOptions{}).logIn().draw(filepath.Join(t.TempDir(), "empty.png"), 320, 900, dark, true)
		return
	}
	docs := filepath.Join(folder, "docs")
	require.NoError(t, os.MkdirAll(docs, 0o700))
	w := newDay(t, worldOptions{act: true})
	b := w.logIn()
	b.waitForText("#troubles", "Trial balance") // made after the first look
	b.drawForDocs(w, docs)
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
