package bench

import (
	"slices"
	"time"
)

// spread is the distribution of a figure over the rounds.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// computeSpread returns the spread of values, which are not empty.
func computeSpread(values []float64) spread {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	median := sorted[middle]
	if len(sorted)%2 == 0 {
		median = (sorted[middle-1] + sorted[middle]) / 2
	}
	return spread{Median: median, Min: sorted[0], Max: sorted[len(sorted)-1]}
}

// stats are the samples of one measurement, one per round.
type stats []sample

func (f stats) computeSpread(of func(sample) float64) spread {
	values := make([]float64, len(f))
	for i, s := range f {
		values[i] = of(s)
	}
	return computeSpread(values)
}

// computeRatio returns the spread of the ratios within each round. A slow round does not change its
// ratio.
func (f stats) computeRatio(to stats, of func(sample) float64) *spread {
	values := make([]float64, len(f))
	for i := range f {
		values[i] = of(f[i]) / of(to[i])
	}
	s := computeSpread(values)
	return &s
}

// toMicroseconds converts d to microseconds with a fraction.
func toMicroseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
