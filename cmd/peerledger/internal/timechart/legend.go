package timechart

import (
	"image/color"
	"math/big"
	"strings"
	"unicode"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/effects"
)

const boldWeight = xfont.WeightBold

// legendEntry is a text beside a plot, with a sample of a line or of a bar.
type legendEntry struct {
	text   string
	amount string // exact, on a line of its own; "" without
	thumbs []plot.Thumbnailer
	bar    func(c *draw.Canvas, left, right, bottom, top vg.Length, colour color.Color)
	colour color.Color // of bar
}

// The place of a sample, and of the text beside it.
const (
	sampleWidth = 0.75 * vg.Centimeter
	textIndent  = sampleWidth + 0.12*vg.Centimeter
)

// smallestSize is the size of texts, in points, below which a legend is cut rather than made smaller.
const smallestSize = 4.5

// drawLegend draws entries from the top on, in smaller letters if they are many. An entry without a sample is a heading.
func (d *drawing) drawLegend(c draw.Canvas, entries []legendEntry) {
	size := float64(smallSize)
	for ; size > smallestSize && legendHeight(d.textStyle(size), c, entries) > c.Max.Y-c.Min.Y; size -= 0.5 {
	}
	style := d.textStyle(size)
	style.YAlign = text.YTop
	y := c.Max.Y
	for _, e := range entries {
		if e.hasSample() {
			icon := c
			icon.Min, icon.Max = vg.Point{X: c.Min.X, Y: y - style.Font.Size}, vg.Point{X: c.Min.X + sampleWidth, Y: y}
			e.drawSample(&icon)
		}
		for _, line := range e.lines(style, c) {
			c.FillText(style, vg.Point{X: c.Min.X + e.indent(), Y: y}, line)
			y -= 1.25 * style.Font.Size
		}
		y -= 0.25 * style.Font.Size
	}
}

func legendHeight(style text.Style, c draw.Canvas, entries []legendEntry) (height vg.Length) {
	for _, e := range entries {
		height += (1.25*vg.Length(len(e.lines(style, c))) + 0.25) * style.Font.Size
	}
	return height
}

func (e legendEntry) hasSample() bool { return e.thumbs != nil || e.bar != nil }

func (e legendEntry) indent() vg.Length {
	if e.hasSample() {
		return textIndent
	}
	return 0
}

func (e legendEntry) drawSample(c *draw.Canvas) {
	for _, t := range e.thumbs {
		t.Thumbnail(c)
	}
	if e.bar != nil {
		e.bar(c, c.Min.X+4, c.Max.X-4, c.Min.Y, c.Max.Y, e.colour)
	}
}

// lines returns text and amount, on one line if they fit.
func (e legendEntry) lines(style text.Style, c draw.Canvas) []string {
	width := c.Max.X - c.Min.X - e.indent()
	shown := cleanText(e.text, 60)
	if line := shown + ": " + e.amount; e.amount != "" && style.Width(line) <= width {
		return []string{line}
	}
	return append(wrapText(style, shown, width), wrapText(style, e.amount, width)...)
}

// wrapText cuts a text into lines that fit. An exact amount of 39 digits needs two.
func wrapText(style text.Style, words string, width vg.Length) (lines []string) {
	line := ""
	for _, r := range words {
		if line != "" && style.Width(line+string(r)) > width {
			lines, line = append(lines, strings.TrimSpace(line)), ""
		}
		line += string(r)
	}
	if line != "" {
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}

// cleanText returns a text on one line, without characters that move or hide others, of at most so many characters.
func cleanText(name string, most int) string {
	shown := []rune(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, name))
	if len(shown) > most {
		shown = append(shown[:most-1], '…')
	}
	return string(shown)
}

// formatUnits writes an exact amount, in whole units of the asset.
func formatUnits(asset accounts.Asset, units *big.Int) string {
	return effects.FormatSigned(asset, units) + " " + asset.Code
}
