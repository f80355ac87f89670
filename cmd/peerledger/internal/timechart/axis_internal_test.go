package timechart

import (
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/recorder"

	"github.com/peerledger/peerledger/accounts"
)

func labelsOf(ticks []plot.Tick) string {
	labels := make([]string, len(ticks))
	for i, t := range ticks {
		labels[i] = t.Label
	}
	return strings.Join(labels, " ")
}

// The marks of the time axis are at round times, in UTC.
func TestTimeTicks(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 11, 1, 10, 20, 30, 0, time.UTC)
	for span, want := range map[time.Duration]string{
		time.Second:          "10:20:30 10:20:31",
		6 * time.Second:      "10:20:30 10:20:31 10:20:32 10:20:33 10:20:34 10:20:35 10:20:36",
		2 * time.Minute:      "10:20:30 10:21:00 10:21:30 10:22:00 10:22:30",
		time.Hour:            "10:30 10:45 11:00 11:15",
		20 * time.Hour:       "12:00 15:00 18:00 21:00 00:00 03:00 06:00",
		3 * 24 * time.Hour:   "11-01 12:00 11-02 00:00 11-02 12:00 11-03 00:00 11-03 12:00 11-04 00:00",
		7 * 24 * time.Hour:   "11-02 11-03 11-04 11-05 11-06 11-07 11-08",
		30 * 24 * time.Hour:  "11-02 11-09 11-16 11-23 11-30",
		365 * 24 * time.Hour: "2027-01 2027-03 2027-05 2027-07 2027-09 2027-11",
	} {
		ticks := timeTicks{from: from}.Ticks(0, span.Seconds())
		require.Equal(t, want, labelsOf(ticks), span)
		bare := timeTicks{from: from, bare: true}.Ticks(0, span.Seconds())
		require.Len(t, bare, len(ticks))
		require.Empty(t, strings.TrimSpace(labelsOf(bare)))
		for i, tick := range ticks {
			require.Equal(t, tick.Value, bare[i].Value)
		}
	}
	first := timeTicks{from: from}.Ticks(0, 100)[0]
	require.Equal(t, "10:20:30 0", fmt.Sprint(first.Label, " ", first.Value))
	require.Equal(t, 570.0, timeTicks{from: from}.Ticks(0, 3600)[0].Value, "10:30 is 570 s later")
}

func TestAmountTicks(t *testing.T) {
	t.Parallel()
	for want, span := range map[string][2]float64{
		"-1.0 -0.5 0.0 0.5 1.0":   {-1.1, 1.1},
		"0 2000 4000 6000":        {-100, 7000},
		"0.000 0.005 0.010 0.015": {0, 0.0199},
		"-400 -300 -200 -100 0":   {-400, 10},
		"0 20 40 60":              {0, 70},
		"-5 0 5":                  {-9, 9},
		"10000000 15000000 20000000 25000000 30000000 35000000": {9e6, 35e6},
	} {
		require.Equal(t, want, labelsOf(amountTicks{}.Ticks(span[0], span[1])))
	}
}

// An axis has figures of at most five digits, and the nearest figure to each exact amount.
func TestScaler(t *testing.T) {
	t.Parallel()
	usd := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
	for _, c := range []struct {
		greatest, label string
		figure          float64
	}{
		{"0", "USD", 0},
		{"1", "USD", 0.01},
		{"999999", "USD", 9999.99},
		{"1000000", "1000 USD", 10},
		{"999999999", "1000 USD", 9999.99999},
		{"1000000000", "million USD", 10},
		{"1000000000000", "10^9 USD", 10},
		{"340282366920938463463374607431768211455", "10^33 USD", 3402.82366920938463463374607431768211455},
	} {
		n, ok := new(big.Int).SetString(c.greatest, 10)
		require.True(t, ok)
		s := newScaler(usd, n)
		require.Equal(t, c.label, s.label, c.greatest)
		require.Equal(t, c.figure, s.scale(n), c.greatest)
		require.Equal(t, -c.figure, s.scale(new(big.Int).Neg(n)), c.greatest)
	}
}

// Texts beside a plot get smaller until they fit, with long names and amounts.
func TestLegendFits(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("m", 60)
	var entries []legendEntry
	for range maxLines {
		entries = append(entries, legendEntry{text: long, amount: "-340282366920938463463374607431768.211455 XRP"})
	}
	recorded := new(recorder.Canvas)
	c := draw.NewCanvas(recorded, legendWidth, 150)
	d := &drawing{look: themes[Light]}
	d.drawLegend(c, entries)
	lowest := c.Max.Y
	for _, action := range recorded.Actions {
		if s, ok := action.(*recorder.FillString); ok {
			lowest = min(lowest, s.Point.Y)
			require.LessOrEqual(t, d.textStyle(4.5).Width(s.String), c.Max.X)
		}
	}
	require.GreaterOrEqual(t, lowest, c.Min.Y)
	require.Less(t, lowest, c.Max.Y)
}
