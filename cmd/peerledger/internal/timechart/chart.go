package timechart

import (
	"bytes"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Chart is a drawing of figures.
type Chart struct {
	Figures Figures
	Theme   Theme
	Width   float64 // centimetres; default 17, as wide as a page's text
	Height  float64 // centimetres; default 16
	DPI     int     // dots per inch of a PNG; default 300
}

// Format is a format of files.
type Format string

// The formats.
const (
	PNG Format = "png"
	SVG Format = "svg"
)

// Encode draws the chart. It returns an error for an unknown theme or format, and for figures without peers.
func (c Chart) Encode(format Format) ([]byte, error) {
	look, err := findTheme(c.Theme)
	if err != nil {
		return nil, err
	}
	if len(c.Figures.Peers) == 0 {
		return nil, fmt.Errorf("timechart: the figures have no peer")
	}
	width, height := centimetres(c.Width, 17), centimetres(c.Height, 16)
	dpi := c.DPI
	if dpi == 0 {
		dpi = 300
	}
	var canvas vg.CanvasWriterTo
	switch format {
	case PNG:
		canvas = vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(dpi), vgimg.UseBackgroundColor(look.background))}
	case SVG:
		canvas = vgsvg.New(width, height)
	default:
		return nil, fmt.Errorf("timechart: format %q is neither png nor svg", format)
	}
	d := &drawing{figures: c.Figures, look: look}
	d.draw(draw.NewCanvas(canvas, width, height))
	var b bytes.Buffer
	_, err = canvas.WriteTo(&b)
	// Where the font is missing, a viewer takes one of the same widths. Quotes in texts are escaped: no text has this style.
	return bytes.ReplaceAll(b.Bytes(), []byte(`style="font-family:Liberation Sans;`), []byte(`style="font-family:Liberation Sans,Arial,Helvetica,sans-serif;`)), err
}

func centimetres(n, otherwise float64) vg.Length {
	if n == 0 {
		n = otherwise
	}
	return vg.Length(n) * vg.Centimeter
}

// drawing is one chart in the making.
type drawing struct {
	figures Figures
	look    colours
}

// The sizes of texts, in points, as printed.
const (
	titleSize = 12
	labelSize = 8.5
	smallSize = 8
)

// legendWidth is the width of the texts at the right.
const legendWidth = 4.4 * vg.Centimeter

func (d *drawing) draw(c draw.Canvas) {
	c.FillPolygon(d.look.background, barCorners(c.Min.X, c.Max.X, c.Min.Y, c.Max.Y))
	margin := 0.35 * vg.Centimeter
	c = draw.Crop(c, margin, -margin, margin, -margin)
	c = d.drawTitle(c)
	panels := []panel{d.newPositions(), d.newFlows("settlements", d.figures.Settled), d.newFlows("packets", d.figures.Packets)}
	panels[len(panels)-1].showTimes(d.figures.Times[0])
	plots := make([][]*plot.Plot, len(panels))
	for i, p := range panels {
		plots[i] = []*plot.Plot{p.plot}
	}
	tiles := draw.Tiles{Rows: len(panels), Cols: 1, PadY: 0.25 * vg.Centimeter}
	cells := plot.Align(plots, tiles, draw.Crop(c, 0, -legendWidth, 0, 0))
	for i, p := range panels {
		p.plot.Draw(cells[i][0])
		data := p.plot.DataCanvas(cells[i][0])
		if p.empty != "" {
			style := d.textStyle(labelSize)
			style.XAlign, style.YAlign = text.XCenter, text.YCenter
			data.FillText(style, data.Center(), p.empty)
		}
		legend := c
		legend.Min = vg.Point{X: c.Max.X - legendWidth + 0.3*vg.Centimeter, Y: data.Min.Y}
		legend.Min.Y -= 0.6 * vg.Centimeter // beside the axis of time
		legend.Max.Y = data.Max.Y
		d.drawLegend(legend, p.legend)
	}
}

// drawTitle draws the title and the exact range, and returns the canvas below them.
func (d *drawing) drawTitle(c draw.Canvas) draw.Canvas {
	title := d.textStyle(titleSize)
	title.Font.Weight = boldWeight
	title.YAlign = text.YTop
	who := fmt.Sprintf("%d peers", len(d.figures.Peers))
	if len(d.figures.Peers) == 1 {
		who = cleanText(d.figures.Peers[0].ID, 60)
	}
	c.FillText(title, vg.Point{X: c.Min.X, Y: c.Max.Y}, fmt.Sprintf("Position, settlements and packets of %s in %v", who, d.figures.Asset))
	small := d.textStyle(smallSize)
	small.YAlign = text.YTop
	times := d.figures.Times
	steps := len(times) - 1
	span := fmt.Sprintf("from %s to %s, UTC, in %d steps", formatTime(times[0]), formatTime(times[steps]), steps)
	if steps == 1 {
		span = strings.TrimSuffix(span, "s")
	}
	c.FillText(small, vg.Point{X: c.Min.X, Y: c.Max.Y - 1.5*titleSize}, span)
	return draw.Crop(c, 0, 0, 0, -1.5*titleSize-2*smallSize)
}

func formatTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.999999999") }

func (d *drawing) textStyle(size float64) text.Style {
	return text.Style{
		Color: d.look.text, Font: font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Points(size)}, Handler: plot.DefaultTextHandler,
	}
}

// panel is one plot with the texts at its right.
type panel struct {
	plot   *plot.Plot
	empty  string // what to write over an empty plot
	legend []legendEntry
}

// showTimes gives the time axis its texts.
func (p panel) showTimes(from time.Time) {
	p.plot.X.Tick.Marker = timeTicks{from: from}
	p.plot.X.Label.Text = "time, UTC"
}

// newPlot returns a plot with the style of the theme.
func (d *drawing) newPlot(label string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = d.look.background
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Color, axis.Tick.Color, axis.Label.TextStyle.Color, axis.Tick.Label.Color = d.look.text, d.look.text, d.look.text, d.look.text
		axis.Label.TextStyle.Font, axis.Tick.Label.Font = d.textStyle(labelSize).Font, d.textStyle(smallSize).Font
	}
	p.Y.Label.Text = label
	p.X.Tick.Marker, p.Y.Tick.Marker = timeTicks{from: d.figures.Times[0], bare: true}, amountTicks{}
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = d.look.grid, d.look.grid
	grid.Vertical.Width, grid.Horizontal.Width = vg.Points(0.5), vg.Points(0.5)
	p.Add(grid)
	return p
}

// finishPlot draws the line of zero, and gives both axes their range.
func (d *drawing) finishPlot(p *plot.Plot) {
	end := d.seconds(len(d.figures.Times) - 1)
	zero := &plotter.Line{XYs: plotter.XYs{{X: 0, Y: 0}, {X: end, Y: 0}}, LineStyle: draw.LineStyle{Color: d.look.zero, Width: vg.Points(0.8)}}
	p.Add(zero)
	p.X.Min, p.X.Max = 0, end
	if p.Y.Min == 0 && p.Y.Max == 0 {
		p.Y.Min, p.Y.Max = -1, 1
	}
	room := (p.Y.Max - p.Y.Min) * 0.06
	p.Y.Min, p.Y.Max = p.Y.Min-room, p.Y.Max+room
}

// seconds returns the place of a time on the time axis.
func (d *drawing) seconds(i int) float64 {
	return d.figures.Times[i].Sub(d.figures.Times[0]).Seconds()
}

// newPositions returns the panel of positions. Each peer has a line; of many peers, those with the greatest positions.
func (d *drawing) newPositions() panel {
	lines := chooseLines(d.figures.Peers)
	var all []*big.Int
	for _, l := range lines {
		all = append(all, l.Positions...)
	}
	greatest := greatestOf(all...)
	unit := newScaler(d.figures.Asset, greatest)
	p := panel{plot: d.newPlot("position, " + unit.label)}
	if greatest.Sign() == 0 {
		p.empty = "All positions are 0."
	}
	p.legend = []legendEntry{{text: "position at the end"}, {text: "above 0 we owe the peer"}}
	for i, l := range lines {
		line := &plotter.Line{StepStyle: plotter.PostStep, LineStyle: draw.LineStyle{Color: d.look.lines[i], Width: vg.Points(1.3), Dashes: dashes[i]}}
		for n, position := range l.Positions {
			line.XYs = append(line.XYs, plotter.XY{X: d.seconds(n), Y: unit.scale(position)})
		}
		marks := &plotter.Scatter{GlyphStyle: draw.GlyphStyle{Color: d.look.lines[i], Radius: vg.Points(2.6), Shape: glyphs[i]}}
		for n := len(lines) - i; n < len(line.XYs); n += max(1, len(line.XYs)/8) { // the marks of two lines are not at one time
			marks.XYs = append(marks.XYs, line.XYs[n])
		}
		p.plot.Add(line, marks)
		last := l.Positions[len(l.Positions)-1]
		p.legend = append(p.legend, legendEntry{
			thumbs: []plot.Thumbnailer{line, marks}, text: l.ID, amount: formatUnits(d.figures.Asset, last),
		})
	}
	d.finishPlot(p.plot)
	return p
}

// chooseLines returns the peers to draw, at most maxLines: the last line has the sum of the peers that have none.
func chooseLines(peers []Peer) []Peer {
	if len(peers) <= maxLines {
		return peers
	}
	sorted := slices.Clone(peers)
	slices.SortStableFunc(sorted, func(a, b Peer) int { return greatestOf(b.Positions...).Cmp(greatestOf(a.Positions...)) })
	others := Peer{ID: fmt.Sprintf("%d other peers together", len(peers)-maxLines+1)}
	for i := range sorted[0].Positions {
		sum := new(big.Int)
		for _, p := range sorted[maxLines-1:] {
			sum.Add(sum, p.Positions[i])
		}
		others.Positions = append(others.Positions, sum)
	}
	return append(sorted[:maxLines-1], others)
}

// newFlows returns a panel of what moved in each step: from the peers above zero, to the peers below.
func (d *drawing) newFlows(what string, flows []Flow) panel {
	var all []*big.Int
	for _, f := range flows {
		all = append(all, f.In, f.Out)
	}
	unit := newScaler(d.figures.Asset, greatestOf(all...))
	p := panel{plot: d.newPlot(what + ", " + unit.label)}
	b := bars{in: d.look.in, out: d.look.out}
	for i, f := range flows {
		b.edges = append(b.edges, d.seconds(i))
		b.up, b.down = append(b.up, unit.scale(f.In)), append(b.down, unit.scale(f.Out))
	}
	b.edges = append(b.edges, d.seconds(len(flows)))
	p.plot.Add(b)
	total := sumFlows(flows)
	if total.isZero() {
		p.empty = fmt.Sprintf("No %s in this time.", what)
	}
	who := "the peer"
	if len(d.figures.Peers) > 1 {
		who = "the peers"
	}
	p.legend = []legendEntry{
		{text: what + " in each step"},
		{text: "from " + who + ", in all", amount: formatUnits(d.figures.Asset, total.In), bar: fillBar, colour: d.look.in},
		{text: "to " + who + ", in all", amount: formatUnits(d.figures.Asset, total.Out), bar: outlineBar, colour: d.look.out},
	}
	d.finishPlot(p.plot)
	return p
}
