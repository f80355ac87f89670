package timechart

import (
	"fmt"
	"image/color"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Theme is the name of a set of colours.
type Theme string

// The themes.
const (
	Light Theme = "light" // for print
	Dark  Theme = "dark"
)

// colours are the colours of a theme.
type colours struct {
	background, text, grid, zero color.Color
	lines                        [maxLines]color.Color
	in, out                      color.Color
}

// The lines' colours are told apart by readers who see no red or no green (https://jfly.uni-koeln.de/color/). Dashes and marks
// tell them apart in greyscale.
var themes = map[Theme]colours{
	Light: {
		background: color.White, text: color.Gray{20}, grid: color.Gray{215}, zero: color.Gray{90},
		lines: [maxLines]color.Color{rgb(0x0072b2), rgb(0xd55e00), rgb(0x009e73), rgb(0xa0528a), rgb(0x8a6d00), rgb(0x444444)},
		in:    rgb(0x0072b2), out: rgb(0xe69f00),
	},
	Dark: {
		background: rgb(0x14181d), text: color.Gray{230}, grid: rgb(0x343b44), zero: color.Gray{150},
		lines: [maxLines]color.Color{rgb(0x56b4e9), rgb(0xff9a4d), rgb(0x2fd6a3), rgb(0xe39ccb), rgb(0xf0e442), rgb(0xcccccc)},
		in:    rgb(0x3f9fdc), out: rgb(0xf2c14e),
	},
}

// maxLines is how many lines of positions a chart has. Further peers are one line together.
const maxLines = 6

var dashes = [maxLines][]vg.Length{
	nil,
	{vg.Points(7), vg.Points(2)},
	{vg.Points(2), vg.Points(2)},
	{vg.Points(7), vg.Points(2), vg.Points(1.5), vg.Points(2)},
	{vg.Points(4), vg.Points(3)},
	{vg.Points(1), vg.Points(3)},
}

var glyphs = [maxLines]draw.GlyphDrawer{
	draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}, draw.CrossGlyph{}, draw.RingGlyph{}, draw.PlusGlyph{},
}

func rgb(n uint32) color.Color {
	return color.NRGBA{R: uint8(n >> 16), G: uint8(n >> 8), B: uint8(n), A: 255}
}

func findTheme(t Theme) (colours, error) {
	c, found := themes[t]
	if !found {
		return c, fmt.Errorf("timechart: theme %q is neither light nor dark", t)
	}
	return c, nil
}
