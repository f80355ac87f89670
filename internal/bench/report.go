package bench

import (
	"slices"
)

// report is the result of all measurements.
type report struct {
	lines   []resultLine
	lowLoad []lowLoad
	memory  []memoryRow
	demands []demand
}

// resultLine is a measurement with the figures of all rounds. A ratio is nil if no measurement of the
// plan is its denominator.
type resultLine struct {
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
	cost        spread      // nanoseconds of processor time per packet
	inRounds    *roundsLine // nil: not in rounds
	toBatched   *spread     // (a)
	toSingle    *spread     // (b)
	toMixed     *spread     // the ways mixed and submit; of rounds
	toSubmit    *spread
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
			l.toBatched = all[i].computeRatio(all[j], sample.computePacketRate)
		}
		if j := findSample(plan, func(o measurement) bool { return m.isSingleOf(o) && o.callers == findMostCallers(plan) }); j >= 0 {
			l.toSingle = all[i].computeRatio(all[j], sample.computePacketRate)
		}
		if j := findSample(plan, m.isBaseOf); j >= 0 && m.varied != "" {
			l.toBase = all[i].computeRatio(all[j], sample.computePacketRate)
		}
		if m.mode.isInRounds() {
			l.addRounds(plan, all, i)
		}
		if m.varied == "" && m.mode == modeRecord && m.callers == 1 {
			if j := findSample(plan, func(o measurement) bool { return m.isSingleOf(o) && o.callers == 1 }); j >= 0 {
				r.lowLoad = append(r.lowLoad, newLowLoad(m.phase, all[i], all[j]))
			}
		}
	}
	return r
}

// addRounds adds the figures of rounds to line i.
func (l *resultLine) addRounds(plan []measurement, all []stats, i int) {
	m := plan[i]
	if j := findSample(plan, func(o measurement) bool { return m.hasSameWork(o, modeMixed) }); j >= 0 {
		l.toMixed = all[i].computeRatio(all[j], sample.computePacketRate)
	}
	isSubmit := func(o measurement) bool { return m.hasSameWork(o, modeSubmit) && o.settle == m.settle && !o.journal }
	if j := findSample(plan, isSubmit); j >= 0 {
		l.toSubmit = all[i].computeRatio(all[j], sample.computePacketRate)
	}
	var call stats
	if j := findSample(plan, func(o measurement) bool { return m.isSingleOf(o) && o.callers == 1 }); j >= 0 {
		call = all[j]
	}
	l.inRounds = newRoundsLine(m, all[i], call)
}

func findSample(plan []measurement, is func(measurement) bool) int { return slices.IndexFunc(plan, is) }

// findMostCallers returns the largest number of callers of (b).
func findMostCallers(plan []measurement) (most int) {
	for _, m := range plan {
		if m.mode == modeSingle {
			most = max(most, m.callers)
		}
	}
	return most
}

// isBatchedOf reports whether other is (a) for m.
func (m measurement) isBatchedOf(other measurement) bool { return m.hasSameWork(other, modeBatched) }

// isSingleOf reports whether other is (b) for m, with any number of callers.
func (m measurement) isSingleOf(other measurement) bool { return m.hasSameWork(other, modeSingle) }

// isBaseOf reports whether other has the mode of m in the base scenario.
func (m measurement) isBaseOf(other measurement) bool {
	// These have one goroutine per lane or per instance.
	ofLanes := m.mode == modeBatched || m.mode == modeMixed || m.mode == modeSubmit
	sameCallers := m.callers == other.callers || ofLanes || m.mode.isInRounds()
	return other.varied == "" && other.phase == m.phase && other.mode == m.mode && sameCallers
}

func newLine(m measurement, f stats) resultLine {
	return resultLine{
		measurement: m, rounds: len(f),
		packets:     f.computeSpread(func(s sample) float64 { return float64(s.packets) }),
		rate:        f.computeSpread(sample.computePacketRate),
		p50:         f.computeSpread(sample.medianMicroseconds),
		p99:         f.computeSpread(func(s sample) float64 { return toMicroseconds(s.p99) }),
		p100:        f.computeSpread(func(s sample) float64 { return toMicroseconds(s.p100) }),
		opsPerBatch: f.computeSpread(func(s sample) float64 { return s.opsPerBatch }),
		allocs:      f.computeSpread(func(s sample) float64 { return s.allocs }),
		bytes:       f.computeSpread(func(s sample) float64 { return s.bytes }),
		orders:      f.computeSpread(func(s sample) float64 { return float64(s.orders) }),
		cost:        f.computeSpread(sample.computeProcessorCost),
	}
}

func newLowLoad(p phase, record, raw stats) lowLoad {
	return lowLoad{
		phase: p, record: record.computeSpread(sample.medianMicroseconds), raw: raw.computeSpread(sample.medianMicroseconds),
		ratio: *record.computeRatio(raw, sample.medianMicroseconds),
	}
}

func (s sample) medianMicroseconds() float64 { return toMicroseconds(s.p50) }
