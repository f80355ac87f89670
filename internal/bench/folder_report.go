package bench

import (
	"fmt"
	"io"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/peerledger/peerledger/internal/jsonline"
)

// folderReport has the figures of a ledger in a folder.
type folderReport struct {
	filled                   folderFilled
	clean, cleanCold, killed folderOpened
	inMemory                 bool // the folder is on no disk
}

// jsonFolder is a [folderReport] in JSON. The figures of the last mark stand in the object itself.
type jsonFolder struct {
	Kind string `json:"kind"` // "folder"
	folderMark
	Before     int64       `json:"resident_before_bytes"`
	AfterReads int64       `json:"resident_after_reads_bytes"`
	Cached     lookupTimes `json:"look_up_cached"`
	Cold       lookupTimes `json:"look_up_cold"` // count 0: the page cache could not be emptied
	Missing    lookupTimes `json:"look_up_missing"`

	Close     float64      `json:"close_s"`
	Clean     folderOpened `json:"open_clean"`
	CleanCold folderOpened `json:"open_clean_cold"`
	Killed    folderOpened `json:"open_killed"`

	Marks    []folderMark `json:"marks"`
	InMemory bool         `json:"folder_in_memory,omitempty"` // the figures are of no disk
}

// jsonFolderWindow is a window in JSON.
type jsonFolderWindow struct {
	Kind string `json:"kind"` // "folder window"
	folderWindowRow
}

func (r *folderReport) lastMark() folderMark { return r.filled.Marks[len(r.filled.Marks)-1] }

// writeJSON prints an object with all figures, and then one for each window.
func (r *folderReport) writeJSON(w io.Writer) error {
	f := &r.filled
	err := jsonline.Write(w, jsonFolder{
		Kind: "folder", folderMark: r.lastMark(), Before: f.Before, AfterReads: f.AfterReads,
		Cached: f.Cached, Cold: f.Cold, Missing: f.Missing,
		Close: f.Close, Clean: r.clean, CleanCold: r.cleanCold, Killed: r.killed, Marks: f.Marks, InMemory: r.inMemory,
	})
	for i := 0; i < len(f.Windows) && err == nil; i++ {
		err = jsonline.Write(w, jsonFolderWindow{"folder window", f.Windows[i]})
	}
	return err
}

// writeTables prints the figures as tables.
func (r *folderReport) writeTables(w io.Writer) error {
	marks := newTable(table.Row{
		"rows", "memory B/row", "resident MiB", "peak MiB", "disk B/row", "packets/s", "rows/s", "p50", "p99",
	}, 0)
	for _, m := range r.filled.Marks {
		marks.AppendRow(table.Row{
			m.Rows, fmt.Sprintf("%.1f", m.PerRow), m.Resident >> 20, m.Peak >> 20, fmt.Sprintf("%.1f", m.DiskRow),
			fmt.Sprintf("%.0f", m.Rate), fmt.Sprintf("%.0f", m.RowRate),
			formatDuration(m.P50), formatDuration(m.P99),
		})
	}
	lookups := newTable(table.Row{"look-up of", "number", "p50", "p99", "p100"}, 1)
	for _, l := range []struct {
		of    string
		times lookupTimes
	}{{"an id, files cached", r.filled.Cached}, {"an id, files not cached", r.filled.Cold}, {"an unknown id", r.filled.Missing}} {
		lookups.AppendRow(table.Row{
			l.of, l.times.Count, formatDuration(l.times.P50), formatDuration(l.times.P99), formatDuration(l.times.P100),
		})
	}
	opened := newTable(table.Row{"opened after", "open", "first query", "first look-up", "records again", "rows", "resident MiB"}, 1)
	for _, o := range []struct {
		after string
		folderOpened
	}{{"a close", r.clean}, {"a close, files not cached", r.cleanCold}, {"kill -9", r.killed}} {
		opened.AppendRow(table.Row{
			o.after, formatSeconds(o.Open), formatSeconds(o.Query), formatSeconds(o.Lookup), o.Records, o.Rows, o.Resident >> 20,
		})
	}
	remark := ""
	if r.inMemory {
		remark = "the folder is in memory, not on a disk (-ledger-dir)\n"
	}
	_, err := fmt.Fprintf(w, "%s\n%s\n%s\n%s", marks.Render(), lookups.Render(), opened.Render(), remark)
	return err
}

func formatSeconds(s float64) string { return formatDuration(s * 1e6) }
