package bench

import (
	"slices"
	"time"
)

// spread is a figure of several rounds.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// spreadOf sums up the figure of each round; there is at least one.
func spreadOf(values []float64) spread {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	median := sorted[middle]
	if len(sorted)%2 == 0 {
		median = (sorted[middle-1] + sorted[middle]) / 2
	}
	return spread{Median: median, Min: sorted[0], Max: sorted[len(sorted)-1]}
}

// stats are the samples that one measurement has, of all rounds.
type stats []sample

func (f stats) spreadOf(of func(sample) float64) spread {
	values := make([]float64, len(f))
	for i, s := range f {
		values[i] = of(s)
	}
	return spreadOf(values)
}

// ratioTo sums up the ratio of each round to what was measured in the same round: what
// slows a whole round down is not in it.
func (f stats) ratioTo(to stats, of func(sample) float64) *spread {
	values := make([]float64, len(f))
	for i := range f {
		values[i] = of(f[i]) / of(to[i])
	}
	s := spreadOf(values)
	return &s
}

// toMicroseconds of a duration, with their fraction.
func toMicroseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
