package timechart

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"time"

	"gonum.org/v1/plot"

	"github.com/peerledger/peerledger/accounts"
)

// scaler turns units into the figures of an axis.
type scaler struct {
	divisor *big.Int
	label   string // the axis's unit, such as USD, 1000 USD or million USD
}

// newScaler chooses the axis's unit for amounts up to greatest, in units.
func newScaler(asset accounts.Asset, greatest *big.Int) scaler {
	power := func(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }
	exponent := 0
	for whole := new(big.Int).Quo(greatest, power(int(asset.Scale))); whole.Cmp(power(exponent+4)) >= 0; exponent += 3 {
	}
	s := scaler{divisor: power(int(asset.Scale) + exponent), label: asset.Code}
	switch exponent {
	case 0:
	case 3:
		s.label = "1000 " + asset.Code
	case 6:
		s.label = "million " + asset.Code
	default:
		s.label = fmt.Sprintf("10^%d %s", exponent, asset.Code)
	}
	return s
}

// scale returns the nearest figure that a drawing can have.
func (s scaler) scale(units *big.Int) float64 {
	f, _ := new(big.Rat).SetFrac(units, s.divisor).Float64()
	return f
}

// greatestOf returns the greatest magnitude of amounts.
func greatestOf(amounts ...*big.Int) *big.Int {
	greatest := new(big.Int)
	for _, a := range amounts {
		if a.CmpAbs(greatest) > 0 {
			greatest.Abs(a)
		}
	}
	return greatest
}

// amountTicks are marks at round amounts, some five of them.
type amountTicks struct{}

// Ticks returns the marks between two values.
func (amountTicks) Ticks(low, high float64) (ticks []plot.Tick) {
	exponent := math.Floor(math.Log10((high - low) / 4))
	step := math.Pow(10, exponent)
	for _, factor := range []float64{5, 2} {
		if (high-low)/(factor*step) >= 3 {
			step *= factor
			break
		}
	}
	for n := math.Ceil(low / step); n*step <= high; n++ {
		value := n*step + 0 // without the sign of a negative zero
		ticks = append(ticks, plot.Tick{Value: value, Label: strconv.FormatFloat(value, 'f', max(0, -int(math.Floor(math.Log10(step)))), 64)})
	}
	return ticks
}

// tickSteps are the distances between two marks of the time axis.
var tickSteps = []time.Duration{
	time.Second, 5 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 2 * 24 * time.Hour, 7 * 24 * time.Hour, 14 * 24 * time.Hour,
}

// maxTicks is how many marks the time axis has at most.
const maxTicks = 7

// timeTicks are marks at round times, in UTC. Values are seconds since the beginning.
type timeTicks struct {
	from time.Time
	bare bool // no texts
}

// Ticks returns the marks between two values.
func (t timeTicks) Ticks(low, high float64) (ticks []plot.Tick) {
	begin, end := t.timeAt(low), t.timeAt(high)
	add := func(at time.Time, layout string) {
		if at.Before(begin) || at.After(end) {
			return
		}
		tick := plot.Tick{Value: at.Sub(t.from).Seconds(), Label: at.Format(layout)}
		if t.bare {
			tick.Label = " " // a mark without a text would be a small one
		}
		ticks = append(ticks, tick)
	}
	for _, step := range tickSteps {
		if end.Sub(begin) > maxTicks*step {
			continue
		}
		layout := "01-02"
		switch {
		case step < time.Minute:
			layout = "15:04:05"
		case step < 24*time.Hour && end.Sub(begin) < 24*time.Hour:
			layout = "15:04"
		case step < 24*time.Hour:
			layout = "01-02 15:04"
		}
		for at := begin.Truncate(step); !at.After(end); at = at.Add(step) {
			add(at, layout)
		}
		return ticks
	}
	months := int(math.Ceil(end.Sub(begin).Hours() / 24 / 30.4 / maxTicks))
	for at := time.Date(begin.Year(), 1, 1, 0, 0, 0, 0, time.UTC); !at.After(end); at = at.AddDate(0, months, 0) {
		add(at, "2006-01")
	}
	return ticks
}

func (t timeTicks) timeAt(value float64) time.Time {
	return t.from.Add(time.Duration(value * float64(time.Second))).UTC()
}
