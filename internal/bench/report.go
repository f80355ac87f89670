package bench

import (
	"slices"
)

// report is the result of all measurements.
type report struct {
	lines   []line
	lowLoad []lowLoad
	memory  []memoryRow
}

// line is a measurement with the figures of all rounds. A ratio is nil if no measurement of the
// plan is its denominator.
type line struct {
	measurement
	rounds      int
	packets     spread
	rate        spread // packets per second
	p50, p99    spread // microseconds
	p100        spread
	opsPerBatch spread
	allocs      spread // per operation
	bytes       spread
	orders      spread
	toBatched   *spread // (a)
	toSingle    *spread // (b)
	toBase      *spread
}

// lowLoad compares the latency of Record with the latency of a request with one transfer, each from
// one caller.
type lowLoad struct {
	phase       phase
	record, raw spread // p50 in microseconds
	ratio       spread
}

// newReport computes the figures. The samples of a round are in the order of the plan.
func newReport(plan []measurement, rounds [][]sample) *report {
	r := &report{}
	all := make([]stats, len(plan))
	for i := range plan {
		for _, round := range rounds {
			all[i] = append(all[i], round[i])
		}
	}
	for i, m := range plan {
		r.lines = append(r.lines, newLine(m, all[i]))
		l := &r.lines[i]
		if j := findSample(plan, m.isBatchedOf); j >= 0 {
			l.toBatched = all[i].computeRatio(all[j], sample.packetRate)
		}
		if j := findSample(plan, func(o measurement) bool { return m.isSingleOf(o) && o.callers == mostCallers(plan) }); j >= 0 {
			l.toSingle = all[i].computeRatio(all[j], sample.packetRate)
		}
		if j := findSample(plan, m.isBaseOf); j >= 0 && m.varied != "" {
			l.toBase = all[i].computeRatio(all[j], sample.packetRate)
		}
		if m.varied == "" && m.mode == modeRecord && m.callers == 1 {
			if j := findSample(plan, func(o measurement) bool { return m.isSingleOf(o) && o.callers == 1 }); j >= 0 {
				r.lowLoad = append(r.lowLoad, newLowLoad(m.phase, all[i], all[j]))
			}
		}
	}
	return r
}

func findSample(plan []measurement, is func(measurement) bool) int { return slices.IndexFunc(plan, is) }

// mostCallers returns the largest number of callers of (b).
func mostCallers(plan []measurement) (most int) {
	for _, m := range plan {
		if m.mode == modeSingle {
			most = max(most, m.callers)
		}
	}
	return most
}

// isBatchedOf reports whether other is (a) for m.
func (m measurement) isBatchedOf(other measurement) bool { return m.sameWork(other, modeBatched) }

// isSingleOf reports whether other is (b) for m, with any number of callers.
func (m measurement) isSingleOf(other measurement) bool { return m.sameWork(other, modeSingle) }

// isBaseOf reports whether other has the mode of m in the base scenario.
func (m measurement) isBaseOf(other measurement) bool {
	// Batched and submit have one goroutine per lane.
	sameCallers := m.callers == other.callers || m.mode == modeBatched || m.mode == modeSubmit
	return other.varied == "" && other.phase == m.phase && other.mode == m.mode && sameCallers
}

func newLine(m measurement, f stats) line {
	return line{
		measurement: m, rounds: len(f),
		packets:     f.computeSpread(func(s sample) float64 { return float64(s.packets) }),
		rate:        f.computeSpread(sample.packetRate),
		p50:         f.computeSpread(sample.medianMicroseconds),
		p99:         f.computeSpread(func(s sample) float64 { return toMicroseconds(s.p99) }),
		p100:        f.computeSpread(func(s sample) float64 { return toMicroseconds(s.p100) }),
		opsPerBatch: f.computeSpread(func(s sample) float64 { return s.opsPerBatch }),
		allocs:      f.computeSpread(func(s sample) float64 { return s.allocs }),
		bytes:       f.computeSpread(func(s sample) float64 { return s.bytes }),
		orders:      f.computeSpread(func(s sample) float64 { return float64(s.orders) }),
	}
}

func newLowLoad(p phase, record, raw stats) lowLoad {
	return lowLoad{
		phase: p, record: record.computeSpread(sample.medianMicroseconds), raw: raw.computeSpread(sample.medianMicroseconds),
		ratio: *record.computeRatio(raw, sample.medianMicroseconds),
	}
}

func (s sample) medianMicroseconds() float64 { return toMicroseconds(s.p50) }
