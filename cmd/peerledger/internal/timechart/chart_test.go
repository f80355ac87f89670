package timechart_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/cmd/peerledger/internal/timechart"
)

// svgFile has the texts and the paths of an SVG, the paths by their style.
type svgFile struct {
	texts []string
	paths map[string][]string
}

func parseSVG(t *testing.T, data []byte) svgFile {
	t.Helper()
	f := svgFile{paths: map[string][]string{}}
	decoder := xml.NewDecoder(bytes.NewReader(data))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return f
		}
		require.NoError(t, err)
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		attributes := map[string]string{}
		for _, a := range start.Attr {
			attributes[a.Name.Local] = a.Value
		}
		switch start.Name.Local {
		case "path":
			f.paths[attributes["style"]] = append(f.paths[attributes["style"]], attributes["d"])
		case "text":
			var text string
			require.NoError(t, decoder.DecodeElement(&text, &start))
			f.texts = append(f.texts, text)
		}
	}
}

func encodeSVG(t *testing.T, f timechart.Figures) svgFile {
	t.Helper()
	data, err := timechart.Chart{Figures: f, Theme: timechart.Light}.Encode(timechart.SVG)
	require.NoError(t, err)
	return parseSVG(t, data)
}

// parsePath returns the points of a path of lines.
func parsePath(t *testing.T, d string) (points [][2]float64) {
	t.Helper()
	for _, pair := range strings.FieldsFunc(d, func(r rune) bool { return r == 'M' || r == 'L' || r == 'Z' }) {
		x, y, ok := strings.Cut(pair, ",")
		require.True(t, ok, pair)
		var p [2]float64
		for i, text := range []string{x, y} {
			var err error
			p[i], err = strconv.ParseFloat(text, 64)
			require.NoError(t, err)
		}
		points = append(points, p)
	}
	return points
}

// firstLine is the style of the first peer's line, and inBar that of the bars up, in the light theme.
const (
	firstLine = "fill:none;stroke:#0072B2;stroke-width:1.3"
	inBar     = "fill:#0072B2"
)

// The line in the drawing has the positions of the history: one corner for each step, at one scale.
func TestLineIsTheHistory(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	b := newTestBook(t, "alice", "bob", "carol")
	b.fillMonth(rand.New(rand.NewPCG(seed, 0)))
	f, err := timechart.Read(t.Context(), b.Book, b.peers[:1], timechart.Query{From: november, To: b.now, Steps: 30})
	require.NoError(t, err)
	points := parsePath(t, encodeSVG(t, f).paths[firstLine][0])
	require.Len(t, points, 2*30+1, "a corner and the next level for each step")

	low, high := 0, 0
	position := func(i int) float64 { n, _ := new(big.Float).SetInt(f.Peers[0].Positions[i]).Float64(); return n }
	for i := range f.Times {
		if position(i) < position(low) {
			low = i
		}
		if position(i) > position(high) {
			high = i
		}
	}
	level := func(i int) float64 { return points[2*i][1] }
	perUnit := (level(high) - level(low)) / (position(high) - position(low))
	require.Positive(t, perUnit)
	for i := range f.Times {
		require.InDelta(t, level(low)+(position(i)-position(low))*perUnit, level(i), 0.05, "step %d", i)
		require.InDelta(t, points[0][0]+(points[60][0]-points[0][0])*float64(i)/30, points[2*i][0], 0.05, "step %d", i)
		if i > 0 {
			require.Equal(t, points[2*i-2][1], points[2*i-1][1], "the level holds up to the next step")
		}
	}
}

// The bars have the heights of what moved, at one scale.
func TestBarsAreTheFlows(t *testing.T) {
	t.Parallel()
	b := newTestBook(t, "alice", "bob")
	for day, cents := range []uint64{100, 400, 0, 250} {
		b.now = november.AddDate(0, 0, day).Add(time.Hour)
		if cents > 0 {
			b.receive(0, cents)
		}
	}
	f, err := timechart.Read(t.Context(), b.Book, b.peers, timechart.Query{From: november, To: november.AddDate(0, 0, 4), Steps: 4})
	require.NoError(t, err)
	var heights []float64
	for _, d := range encodeSVG(t, f).paths[inBar] {
		if strings.Contains(d, "A") { // a mark of the line
			continue
		}
		points := parsePath(t, d)
		heights = append(heights, points[1][1]-points[0][1])
	}
	require.Len(t, heights, 3+2, "three bars, and two samples in the texts")
	require.InDelta(t, 4, heights[1]/heights[0], 0.01)
	require.InDelta(t, 2.5, heights[2]/heights[0], 0.01)
}

// The texts have exact amounts, whatever their length, and the exact range.
func TestTextsAreExact(t *testing.T) {
	t.Parallel()
	huge, ok := new(big.Int).SetString("-340282366920938463463374607431768211455", 10)
	require.True(t, ok)
	zero := new(big.Int)
	f := timechart.Figures{
		Asset:   accounts.Asset{Code: "XRP", Scale: 6, Ledger: 1},
		Times:   []time.Time{november.Add(1), november.Add(time.Hour)},
		Peers:   []timechart.Peer{{ID: `<a href="x">&'`, Positions: []*big.Int{zero, huge}}, {ID: "bob\x1b[31m\n\u202e", Positions: []*big.Int{zero, big.NewInt(1)}}},
		Settled: []timechart.Flow{{In: big.NewInt(1), Out: zero}}, Packets: []timechart.Flow{{In: zero, Out: new(big.Int).Neg(huge)}},
	}
	texts := encodeSVG(t, f).texts
	join := func(texts ...string) string { return strings.ReplaceAll(strings.Join(texts, ""), " ", "") } // lines break at a space or within an amount
	for _, want := range []string{
		"from 2026-11-01 00:00:00.000000001 to 2026-11-01 01:00:00, UTC, in 1 step", "Position, settlements and packets of 2 peers in XRP/6",
		`<a href="x">&'-340282366920938463463374607431768.211455 XRP`, "bob?[31m??0.000001 XRP",
		"from the peers, in all0.000001 XRP", "to the peers, in all340282366920938463463374607431768.211455 XRP", "position, 10^30 XRP",
	} {
		require.Contains(t, join(texts...), join(want))
	}
}

// A time without bookings is drawn, and the drawing tells so.
func TestEmptyTime(t *testing.T) {
	t.Parallel()
	b := newTestBook(t, "alice")
	for _, query := range []timechart.Query{{From: november.AddDate(-1, 0, 0), To: november, Steps: 5}, {From: november.AddDate(1, 0, 0), To: november.AddDate(2, 0, 0), Steps: 1}} {
		f, err := timechart.Read(t.Context(), b.Book, b.peers, query)
		require.NoError(t, err)
		texts := encodeSVG(t, f).texts
		for _, want := range []string{"All positions are 0.", "No settlements in this time.", "No packets in this time.", "alice: 0.00 USD"} {
			require.Contains(t, texts, want)
		}
	}
}

// Of many peers the last line is the sum of those without a line of their own.
func TestManyPeers(t *testing.T) {
	t.Parallel()
	f := timechart.Figures{Asset: usd, Times: []time.Time{november, november.Add(time.Hour)}, Settled: make([]timechart.Flow, 1), Packets: make([]timechart.Flow, 1)}
	f.Settled[0] = timechart.Flow{In: new(big.Int), Out: new(big.Int)}
	f.Packets[0] = f.Settled[0]
	for i := range int64(9) {
		f.Peers = append(f.Peers, timechart.Peer{ID: fmt.Sprint("peer", i), Positions: []*big.Int{new(big.Int), big.NewInt((i + 1) * (1 - i%2*2))}})
	}
	texts := strings.Join(encodeSVG(t, f).texts, "\n")
	require.Contains(t, texts, "peer8: 0.09 USD\npeer7: -0.08 USD\npeer6: 0.07 USD\npeer5: -0.06 USD\npeer4: 0.05 USD\n4 other peers together\n-0.02 USD\n")
	require.NotContains(t, texts, "peer3")
}

// A PNG has the size in dots, and the background of its theme.
func TestPNG(t *testing.T) {
	t.Parallel()
	b := newTestBook(t, "alice")
	b.now = november.AddDate(0, 0, 1)
	f, err := timechart.Read(t.Context(), b.Book, b.peers, timechart.Query{From: november, To: b.now, Steps: 3})
	require.NoError(t, err)
	for theme, dark := range map[timechart.Theme]bool{timechart.Light: false, timechart.Dark: true} {
		data, err := timechart.Chart{Figures: f, Theme: theme, Width: 25.4, Height: 12.7, DPI: 50}.Encode(timechart.PNG)
		require.NoError(t, err)
		picture, err := png.Decode(bytes.NewReader(data))
		require.NoError(t, err)
		require.Equal(t, []int{500, 250}, []int{picture.Bounds().Dx(), picture.Bounds().Dy()})
		red, _, _, alpha := picture.At(2, 2).RGBA()
		require.Equal(t, dark, red < 0x8000)
		require.Equal(t, uint32(0xffff), alpha)
	}
	_, err = timechart.Chart{Figures: f, Theme: "blue"}.Encode(timechart.PNG)
	require.ErrorContains(t, err, "theme")
	_, err = timechart.Chart{Figures: f, Theme: timechart.Dark}.Encode("gif")
	require.ErrorContains(t, err, "format")
	_, err = timechart.Chart{Theme: timechart.Dark}.Encode(timechart.SVG)
	require.ErrorContains(t, err, "no peer")
}
