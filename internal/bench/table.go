package bench

import (
	"fmt"
	"io"
	"math"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

func newTable(header table.Row, leftColumns int) table.Writer {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	t.AppendHeader(header)
	configs := make([]table.ColumnConfig, 0, len(header))
	for column := leftColumns + 1; column <= len(header); column++ {
		configs = append(configs, table.ColumnConfig{Number: column, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	t.SetColumnConfigs(configs)
	return t
}

// writeTables prints the results as tables.
func (r *report) writeTables(w io.Writer) error {
	t := newTable(table.Row{
		"phase", "varied", "way", "callers", "packets/s", "p50", "p99", "p100",
		"ops/batch", "allocs/op", "B/op", "of (a)", "of (b)", "of base",
	}, 3)
	for i, l := range r.lines {
		if i > 0 && (l.phase != r.lines[i-1].phase || l.varied != r.lines[i-1].varied) {
			t.AppendSeparator()
		}
		t.AppendRow(l.toRow())
	}
	_, err := fmt.Fprintf(w, "%s\n%s%s%s", t.Render(), r.listRemarks(), r.renderRounds(), r.renderDemands())
	if err != nil || len(r.memory) == 0 {
		return err
	}
	t = newTable(table.Row{"memory of", "bytes", "measured with"}, 1)
	for _, m := range r.memory {
		t.AppendRow(table.Row{m.Item, fmt.Sprintf("%.0f", m.Bytes), m.Count})
	}
	_, err = fmt.Fprintf(w, "\n%s\n", t.Render())
	return err
}

func (l *resultLine) toRow() table.Row {
	names := map[mode]string{
		modeBatched: "(a) batched", modeMixed: "(a) mixed", modeSingle: "(b) single", modeSubmit: "(c) submit", modeRecord: "(d) record",
		modeRounds: "(e) rounds", modeRoundsJournal: "(f) rounds, journal",
	}
	ops := "-"
	if l.opsPerBatch.Median > 0 {
		ops = fmt.Sprintf("%.0f", l.opsPerBatch.Median)
	}
	return table.Row{
		l.phase, nameVaried(l.varied), names[l.mode], l.callers, l.rate.formatSpread("%.0f", l.rounds),
		formatDuration(l.p50.Median), formatDuration(l.p99.Median), formatDuration(l.p100.Median),
		ops, fmt.Sprintf("%.2f", l.allocs.Median), fmt.Sprintf("%.0f", l.bytes.Median),
		l.toBatched.formatRatio(l.rounds), l.toSingle.formatRatio(l.rounds), l.toBase.formatRatio(l.rounds),
	}
}

// formatSpread formats the median, and after several rounds the minimum and maximum.
func (s spread) formatSpread(format string, rounds int) string {
	median := fmt.Sprintf(format, s.Median)
	if rounds == 1 {
		return median
	}
	return fmt.Sprintf("%s ("+format+"–"+format+")", median, s.Min, s.Max)
}

func (s *spread) formatRatio(rounds int) string {
	if s == nil {
		return ""
	}
	if s.Median < 0.1 {
		return s.formatSpread("%.2g", rounds) // one caller on a distant ledger
	}
	return s.formatSpread("%.2f", rounds)
}

// formatDuration formats a number of microseconds as a duration of about three digits.
func formatDuration(microseconds float64) string {
	d := time.Duration(math.Round(microseconds * float64(time.Microsecond)))
	unit := time.Nanosecond
	for unit*1000 <= d {
		unit *= 10
	}
	return d.Round(unit).String()
}

// listRemarks returns the lines below the table.
func (r *report) listRemarks() string {
	s := ""
	for _, l := range r.lowLoad {
		s += fmt.Sprintf("one caller, phase %s: Record p50 / raw call p50 = %s / %s = %.2f (%.2f–%.2f)\n",
			l.phase, formatDuration(l.record.Median), formatDuration(l.raw.Median), l.ratio.Median, l.ratio.Min, l.ratio.Max)
	}
	for _, l := range r.lines {
		if l.settle {
			s += fmt.Sprintf("%v: %s orders paid\n", l.measurement, l.orders.formatSpread("%.0f", l.rounds))
		}
		if l.inRounds != nil && l.inRounds.JournalInMemory {
			s += fmt.Sprintf("%v: the journal is in memory, not on a disk (-journal-dir)\n", l.measurement)
		}
	}
	return s
}
