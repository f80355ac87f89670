package timechart

import (
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// bars draws a bar up and a bar down for each step. The bars up are full, and the bars down have a line around a paler colour: so
// both are told apart in greyscale too.
type bars struct {
	edges    []float64 // the ends of the steps
	up, down []float64 // at least 0
	in, out  color.Color
}

// Plot draws the bars.
func (b bars) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	for i := range b.up {
		left, right := x(b.edges[i]), x(b.edges[i+1])
		gap := (right - left) * 0.1
		if b.up[i] > 0 {
			fillBar(&c, left+gap, right-gap, y(0), y(b.up[i]), b.in)
		}
		if b.down[i] > 0 {
			outlineBar(&c, left+gap, right-gap, y(-b.down[i]), y(0), b.out)
		}
	}
}

// DataRange returns the range of the steps and of the bars.
func (b bars) DataRange() (xmin, xmax, ymin, ymax float64) {
	for i := range b.up {
		ymin, ymax = min(ymin, -b.down[i]), max(ymax, b.up[i])
	}
	return b.edges[0], b.edges[len(b.edges)-1], ymin, ymax
}

func barCorners(left, right, bottom, top vg.Length) []vg.Point {
	return []vg.Point{{X: left, Y: bottom}, {X: left, Y: top}, {X: right, Y: top}, {X: right, Y: bottom}}
}

func fillBar(c *draw.Canvas, left, right, bottom, top vg.Length, fill color.Color) {
	c.FillPolygon(fill, barCorners(left, right, bottom, top))
}

func outlineBar(c *draw.Canvas, left, right, bottom, top vg.Length, line color.Color) {
	r, g, b, _ := line.RGBA()
	c.FillPolygon(color.NRGBA{R: uint8(r >> 8), G: uint8(g >> 8), B: uint8(b >> 8), A: 90}, barCorners(left, right, bottom, top))
	corners := barCorners(left, right, bottom, top)
	width := vg.Length(math.Min(0.8, float64(right-left)/4))
	c.StrokeLines(draw.LineStyle{Color: line, Width: width}, append(corners, corners[0]))
}
