package bench

import (
	"bytes"
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

// curve is throughput, in thousands of packets per second, against callers. The error bars are the
// spread over the rounds.
type curve struct {
	plotter.XYs
	plotter.YErrors
}

// writePlot draws the base scenario: Record and single calls against the number of callers, and a
// level line for each mode that does not depend on callers. Each phase has a colour.
func (r *report) writePlot(file string) error {
	p := plot.New()
	p.Title.Text = "Throughput against callers"
	p.X.Label.Text, p.Y.Label.Text = "callers", "1000 packets/s"
	p.Legend.Top, p.Legend.Left = true, true
	p.Add(plotter.NewGrid())
	callers := r.callerCounts()
	for i, ph := range r.phaseNames() {
		for _, w := range []mode{modeRecord, modeSingle, modeSubmit, modeBatched} {
			if err := r.drawPlot(p, ph, w, callers, plotutil.Color(i)); err != nil {
				return err
			}
		}
	}
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plotTicks(callers)
	// Even a single number of callers needs a range.
	p.X.Min, p.X.Max = float64(callers[0])/1.5, float64(callers[len(callers)-1])*1.5
	p.Y.Min, p.Y.Max = 0, p.Y.Max*1.4 // room for the legend
	drawn, err := p.WriterTo(24*vg.Centimeter, 15*vg.Centimeter, strings.TrimPrefix(filepath.Ext(file), "."))
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if _, err := drawn.WriteTo(&b); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}

// dashes distinguish the modes. The line of Record is solid.
var dashes = map[mode][]vg.Length{
	modeSingle:  {vg.Points(8), vg.Points(3)},
	modeSubmit:  {vg.Points(4), vg.Points(4)},
	modeBatched: {vg.Points(1), vg.Points(3)},
}

func (r *report) drawPlot(p *plot.Plot, ph phase, w mode, callers []int, c color.Color) error {
	points := r.makeCurve(ph, w)
	level := w == modeSubmit || w == modeBatched
	if level {
		y := points.XYs[0].Y
		points.XYs = plotter.XYs{{X: float64(callers[0]), Y: y}, {X: float64(callers[len(callers)-1]), Y: y}}
	}
	line, marks, err := plotter.NewLinePoints(points.XYs)
	if err != nil {
		return err
	}
	line.Color, line.Dashes, line.Width, marks.Color = c, dashes[w], vg.Points(1.5), c
	p.Legend.Add(fmt.Sprintf("%s, phase %s", w, ph), line)
	p.Add(line)
	if level {
		return nil
	}
	bars, err := plotter.NewYErrorBars(points)
	if err != nil {
		return err
	}
	bars.Color = c
	p.Add(marks, bars)
	return nil
}

// makeCurve returns the curve of a mode in the base scenario, by the number of callers.
func (r *report) makeCurve(ph phase, w mode) (c curve) {
	lines := slices.Clone(r.lines)
	slices.SortStableFunc(lines, func(a, b line) int { return a.callers - b.callers })
	for _, l := range lines {
		if l.varied != "" || l.phase != ph || l.mode != w {
			continue
		}
		median := l.rate.Median / 1000
		c.XYs = append(c.XYs, plotter.XY{X: float64(l.callers), Y: median})
		c.YErrors = append(c.YErrors, struct{ Low, High float64 }{median - l.rate.Min/1000, l.rate.Max/1000 - median})
	}
	return c
}

// callerCounts returns the numbers of callers measured with Record, in order.
func (r *report) callerCounts() (all []int) {
	for _, l := range r.lines {
		if l.mode == modeRecord {
			all = append(all, l.callers)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (r *report) phaseNames() (all []phase) {
	for _, l := range r.lines {
		if !slices.Contains(all, l.phase) {
			all = append(all, l.phase)
		}
	}
	return all
}

func plotTicks(callers []int) plot.ConstantTicks {
	marks := make(plot.ConstantTicks, len(callers))
	for i, n := range callers {
		marks[i] = plot.Tick{Value: float64(n), Label: strconv.Itoa(n)}
	}
	return marks
}
