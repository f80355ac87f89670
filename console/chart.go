package console

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/peerledger/peerledger/accounts"
)

// The size of a chart's plot. The plot is stretched to the page's width, and its texts are not.
const (
	plotHeight = 1000 // units of the plot
	plotStep   = 10   // units from moment to moment
	plotPixels = 200  // its height on the page
	plotTop    = 14   // pixels above it
	labelSpace = 16   // pixels that a label needs
)

// farLine is how many times the largest position a line may be and still be drawn: beyond it, the position would look
// like 0.
const farLine = 20

// positionChart is a position over time, drawn by the server.
type positionChart struct {
	Title            string
	Width, Height    int
	Position, Line   string // points of the polylines; Line is "" without a line in the plot
	ZeroY            int
	Hits             []chartHit
	Labels           []chartLabel
	From, To         string // the labels of the time axis
	Notes            []string
	BaseY, TotalY    int // pixels: of the time's labels, and of the whole chart
	PlotTop, PlotPix int
}

// chartHit is the part of the plot around a moment, with the state at the moment.
type chartHit struct {
	X, Width int
	Title    string
}

// chartLabel is an amount beside its height.
type chartLabel struct {
	Y    int // pixels
	Text string
}

// plotScale maps amounts to heights.
type plotScale struct{ top, bottom *big.Int }

// y returns the height of an amount, in units of the plot from the top.
func (s plotScale) y(amount *big.Int) int {
	part := new(big.Int).Sub(s.top, amount)
	part.Mul(part, big.NewInt(plotHeight))
	return int(part.Quo(part, new(big.Int).Sub(s.top, s.bottom)).Int64())
}

// drawChart draws the position of a peer at moments, of which there are at least two, and its credit line.
func drawChart(p *peer, points []accounts.HistoryPoint) positionChart {
	a := p.Asset
	low, high := boundsOf(points)
	first, last := &points[0], &points[len(points)-1]
	d := positionChart{
		Width: (len(points) - 1) * plotStep, Height: plotHeight, PlotTop: plotTop, PlotPix: plotPixels,
		BaseY: plotTop + plotPixels + labelSpace, TotalY: plotTop + plotPixels + labelSpace + 6,
		From: first.Time.UTC().Format("2006-01-02 15:04"), To: last.Time.UTC().Format("2006-01-02 15:04"),
		Title: fmt.Sprintf("Position of %s in %s at %d moments from %s to %s: the lowest is %s, the highest %s, the last %s.",
			p.name, p.assetName, len(points), formatTime(first.Time), formatTime(last.Time), formatSigned(a, low), formatSigned(a, high), formatSigned(a, last.Position)),
	}
	scale := plotScale{new(big.Int), new(big.Int)}
	scale.include(low)
	scale.include(high)
	drawn := d.includeLine(&scale, a, points)
	if scale.top.Cmp(scale.bottom) == 0 { // all is 0
		scale.top.SetInt64(1)
		scale.bottom.SetInt64(-1)
	}
	d.ZeroY = scale.y(new(big.Int))
	var position, line []string
	for i := range points {
		point := &points[i]
		x := i * plotStep
		position = append(position, fmt.Sprintf("%d,%d", x, scale.y(point.Position)))
		if drawn {
			line = append(line, fmt.Sprintf("%d,%d", x, scale.y(negative(point.CreditLine.Big()))))
		}
		text := viewPoint(a, point)
		d.Hits = append(d.Hits, chartHit{max(0, x-plotStep/2), plotStep, fmt.Sprintf("%s: position %s, line %s, arrears %s", text.Time, text.Position, text.Line, text.Arrears)})
	}
	d.Position, d.Line = strings.Join(position, " "), strings.Join(line, " ")
	d.addLabels(scale, a, low, high, negative(last.CreditLine.Big()), drawn)
	return d
}

// boundsOf returns the lowest and the highest position.
func boundsOf(points []accounts.HistoryPoint) (low, high *big.Int) {
	low, high = points[0].Position, points[0].Position
	for i := range points {
		if points[i].Position.Cmp(low) < 0 {
			low = points[i].Position
		}
		if points[i].Position.Cmp(high) > 0 {
			high = points[i].Position
		}
	}
	return low, high
}

// include widens the scale by an amount.
func (s *plotScale) include(amount *big.Int) {
	if amount.Cmp(s.top) > 0 {
		s.top.Set(amount)
	}
	if amount.Cmp(s.bottom) < 0 {
		s.bottom.Set(amount)
	}
}

// includeLine widens the scale by the credit line, and reports whether the line is drawn. Otherwise a note has it.
func (d *positionChart) includeLine(s *plotScale, a accounts.Asset, points []accounts.HistoryPoint) bool {
	largest := new(big.Int)
	for i := range points {
		if points[i].CreditLine == accounts.Unlimited {
			d.Notes = append(d.Notes, "The credit line is unlimited, at least for a part of the time.")
			return false
		}
		if line := points[i].CreditLine.Big(); line.Cmp(largest) > 0 {
			largest = line
		}
	}
	span := new(big.Int).Sub(s.top, s.bottom)
	if span.Sign() > 0 && largest.Cmp(span.Mul(span, big.NewInt(farLine))) > 0 {
		d.Notes = append(d.Notes, "The credit line is far below the chart: the peer may owe us up to "+formatSigned(a, largest)+".")
		return false
	}
	if largest.Sign() == 0 {
		d.Notes = append(d.Notes, "The peer had no credit line.")
		return false
	}
	s.include(negative(largest))
	return true
}

func negative(n *big.Int) *big.Int { return new(big.Int).Neg(n) }

// addLabels writes the lowest and the highest position, 0 and the line beside their heights, as far as there is room.
func (d *positionChart) addLabels(s plotScale, a accounts.Asset, low, high, line *big.Int, drawn bool) {
	add := func(name string, amount *big.Int) {
		label := chartLabel{plotTop + s.y(amount)*plotPixels/plotHeight - 3, name + formatSigned(a, amount)}
		for _, other := range d.Labels {
			if distance := other.Y - label.Y; distance > -labelSpace && distance < labelSpace {
				return
			}
		}
		d.Labels = append(d.Labels, label)
	}
	add("", new(big.Int))
	if drawn {
		add("line ", line)
	}
	add("highest ", high)
	add("lowest ", low)
}
