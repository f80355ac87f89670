package bench

import (
	"fmt"

	"github.com/jedib0t/go-pretty/v6/table"
)

// roundsLine has the figures of a [resultLine] that only rounds have. Durations are at half of the
// greatest load.
type roundsLine struct {
	Instances    int     `json:"instances"`
	RequestRate  spread  `json:"requests_per_second"` // to the ledger, at the greatest load
	MemoryBefore spread  `json:"rss_anon_before_bytes"`
	MemoryAfter  spread  `json:"rss_anon_after_bytes"` // at the end of the greatest load
	Remembered   spread  `json:"remembered_ids"`
	BytesPerID   *spread `json:"rss_bytes_per_id,omitempty"` // of a million ids or more
	JournalBytes spread  `json:"journal_bytes_per_packet"`

	HalfRate      spread  `json:"half_packets_per_second"`
	PrepareP50    spread  `json:"prepare_p50_us"` // decided at once
	PrepareP99    spread  `json:"prepare_p99_us"`
	PrepareToCall *spread `json:"prepare_of_raw_call,omitempty"` // p50, of one raw call from one caller
	TopUps        spread  `json:"prepare_top_ups"`               // timed prepares that waited for a top-up, since the start
	TopUpP50      spread  `json:"prepare_top_up_p50_us"`         // 0: there was no top-up
	TopUpP99      spread  `json:"prepare_top_up_p99_us"`
	FulfillP50    spread  `json:"fulfill_p50_us"` // until the fulfill is on disk
	FulfillP99    spread  `json:"fulfill_p99_us"`

	JournalInMemory bool `json:"journal_in_memory,omitempty"` // the figures are of no disk
}

// newRoundsLine computes the figures of a measurement in rounds. call has the samples of single
// calls from one caller, or is nil.
func newRoundsLine(m measurement, f, call stats) *roundsLine {
	l := &roundsLine{
		Instances:    m.instances,
		RequestRate:  f.computeSpread(sample.computeRequestRate),
		MemoryBefore: f.computeSpread(func(s sample) float64 { return float64(s.rounds.memoryBefore) }),
		MemoryAfter:  f.computeSpread(func(s sample) float64 { return float64(s.rounds.memoryAfter) }),
		Remembered:   f.computeSpread(func(s sample) float64 { return float64(s.rounds.remembered) }),
		JournalBytes: f.computeSpread(func(s sample) float64 { return s.rounds.computeJournalBytesPerPacket() }),
		HalfRate:     f.computeSpread(func(s sample) float64 { return s.rounds.half.rate }),
		PrepareP50:   f.computeSpread(sample.prepareMicroseconds),
		PrepareP99:   f.computeSpread(func(s sample) float64 { return toMicroseconds(s.rounds.half.prepareP99) }),
		TopUps:       f.computeSpread(func(s sample) float64 { return float64(s.rounds.half.topUps) }),
		TopUpP50:     f.computeSpread(func(s sample) float64 { return toMicroseconds(s.rounds.half.topUpP50) }),
		TopUpP99:     f.computeSpread(func(s sample) float64 { return toMicroseconds(s.rounds.half.topUpP99) }),
		FulfillP50:   f.computeSpread(func(s sample) float64 { return toMicroseconds(s.rounds.half.fulfillP50) }),
		FulfillP99:   f.computeSpread(func(s sample) float64 { return toMicroseconds(s.rounds.half.fulfillP99) }),
	}
	if l.Remembered.Min >= leastRemembered && l.MemoryBefore.Min > 0 {
		s := f.computeSpread(func(s sample) float64 { return s.rounds.computeBytesPerID() })
		l.BytesPerID = &s
	}
	if call != nil {
		ratios := make([]float64, len(f))
		for i := range f {
			ratios[i] = f[i].prepareMicroseconds() / call[i].medianMicroseconds()
		}
		s := computeSpread(ratios)
		l.PrepareToCall = &s
	}
	for i := range f {
		l.JournalInMemory = l.JournalInMemory || f[i].rounds.journalInMemory
	}
	return l
}

func (s sample) prepareMicroseconds() float64 { return toMicroseconds(s.rounds.half.prepareP50) }

// renderRounds returns the table of rounds, or "" without rounds.
func (r *report) renderRounds() string {
	t := newTable(table.Row{
		"in rounds", "varied", "of mixed", "of submit", "ns/packet", "requests/s", "prepare p50", "p99", "of a call",
		"top-ups", "p50", "p99", "fulfill p50", "p99", "B/id", "B/packet on disk",
	}, 2)
	for i := range r.lines {
		l := &r.lines[i]
		if l.inRounds == nil {
			continue
		}
		in, n := l.inRounds, l.rounds
		t.AppendRow(table.Row{
			l.mode, nameVaried(l.varied), l.toMixed.formatRatio(n), l.toSubmit.formatRatio(n), l.cost.formatSpread("%.0f", n),
			in.RequestRate.formatSpread("%.0f", n), formatTimed(in.PrepareP50), formatTimed(in.PrepareP99),
			in.PrepareToCall.formatRatio(n), fmt.Sprintf("%.0f", in.TopUps.Median), formatTimed(in.TopUpP50),
			formatTimed(in.TopUpP99), formatTimed(in.FulfillP50), formatTimed(in.FulfillP99),
			in.BytesPerID.formatBytes(), fmt.Sprintf("%.0f", in.JournalBytes.Median),
		})
	}
	if t.Length() == 0 {
		return ""
	}
	return "\n" + t.Render() + "\n"
}

// formatTimed formats microseconds, or "-" if no call was timed.
func formatTimed(s spread) string {
	if s.Max == 0 {
		return "-"
	}
	return formatDuration(s.Median)
}

func (s *spread) formatBytes() string {
	if s == nil {
		return "-"
	}
	return fmt.Sprintf("%.0f", s.Median)
}

func nameVaried(varied string) string {
	if varied == "" {
		return "base"
	}
	return varied
}
