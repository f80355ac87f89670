package bench

import (
	"slices"
)

// report is what was found.
type report struct {
	lines   []line
	lowLoad []lowLoad
	memory  []memoryRow
}

// line is a measurement with the figures of all rounds. Of the ratios, nil ones have
// nothing to be compared with.
type line struct {
	measurement
	rounds      int
	packets     spread
	rate        spread // packets in a second
	p50, p99    spread // microseconds
	p100        spread
	opsPerBatch spread
	allocs      spread // of an operation
	bytes       spread
	orders      spread
	toBatched   *spread // (a)
	toSingle    *spread // (b)
	toBase      *spread
}

// lowLoad compares how long one caller waits: Record, and a call of the ledger's
// client with one transfer.
type lowLoad struct {
	phase       phase
	record, raw spread // p50 in microseconds
	ratio       spread
}

// newReport works the figures out. The rounds have their samples in the order of the
// plan.
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
			l.toBatched = all[i].ratioTo(all[j], sample.packetRate)
		}
		if j := findSample(plan, func(o measurement) bool { return m.isSingleOf(o) && o.callers == mostCallers(plan) }); j >= 0 {
			l.toSingle = all[i].ratioTo(all[j], sample.packetRate)
		}
		if j := findSample(plan, m.isBaseOf); j >= 0 && m.varied != "" {
			l.toBase = all[i].ratioTo(all[j], sample.packetRate)
		}
		if m.varied == "" && m.way == wayRecord && m.callers == 1 {
			if j := findSample(plan, func(o measurement) bool { return m.isSingleOf(o) && o.callers == 1 }); j >= 0 {
				r.lowLoad = append(r.lowLoad, newLowLoad(m.phase, all[i], all[j]))
			}
		}
	}
	return r
}

func findSample(plan []measurement, is func(measurement) bool) int { return slices.IndexFunc(plan, is) }

// mostCallers is how many callers (b) has.
func mostCallers(plan []measurement) (most int) {
	for _, m := range plan {
		if m.way == waySingle {
			most = max(most, m.callers)
		}
	}
	return most
}

// isBatchedOf reports whether other is (a) of m.
func (m measurement) isBatchedOf(other measurement) bool { return m.sameWork(other, wayBatched) }

// isSingleOf reports whether other is (b) of m, from some number of callers.
func (m measurement) isSingleOf(other measurement) bool { return m.sameWork(other, waySingle) }

// isBaseOf reports whether other is the way of m in the base scenario.
func (m measurement) isBaseOf(other measurement) bool {
	// batched and submit have as many goroutines as there are lanes.
	sameCallers := m.callers == other.callers || m.way == wayBatched || m.way == waySubmit
	return other.varied == "" && other.phase == m.phase && other.way == m.way && sameCallers
}

func newLine(m measurement, f stats) line {
	return line{
		measurement: m, rounds: len(f),
		packets:     f.spreadOf(func(s sample) float64 { return float64(s.packets) }),
		rate:        f.spreadOf(sample.packetRate),
		p50:         f.spreadOf(sample.median),
		p99:         f.spreadOf(func(s sample) float64 { return toMicroseconds(s.p99) }),
		p100:        f.spreadOf(func(s sample) float64 { return toMicroseconds(s.p100) }),
		opsPerBatch: f.spreadOf(func(s sample) float64 { return s.opsPerBatch }),
		allocs:      f.spreadOf(func(s sample) float64 { return s.allocs }),
		bytes:       f.spreadOf(func(s sample) float64 { return s.bytes }),
		orders:      f.spreadOf(func(s sample) float64 { return float64(s.orders) }),
	}
}

func newLowLoad(p phase, record, raw stats) lowLoad {
	return lowLoad{
		phase: p, record: record.spreadOf(sample.median), raw: raw.spreadOf(sample.median),
		ratio: *record.ratioTo(raw, sample.median),
	}
}

func (s sample) median() float64 { return toMicroseconds(s.p50) }
