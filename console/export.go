package console

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"time"
)

// format is the form of an answer.
type format int

const (
	formatHTML format = iota
	formatCSV
	formatJSON
)

// field is a column of a download. value returns a string, an int, a bool, or nil if the value is
// unknown or absent. Amounts are strings: programs read JSON numbers as floating point.
type field[T any] struct {
	name  string
	value func(T) any
}

// writeRows sends all rows as CSV or JSON, with the columns in their order. Rows are encoded one at
// a time.
func writeRows[T any](w http.ResponseWriter, f format, name string, rows iter.Seq[T], fields []field[T]) {
	if f == formatCSV {
		startDownload(w, "text/csv; charset=utf-8", name+".csv")
		writeCSV(w, rows, fields)
		return
	}
	startDownload(w, "application/json", name+".json")
	writeJSON(w, rows, fields)
}

// startDownload sets the headers of a download, and its time.
func startDownload(w http.ResponseWriter, kind, file string) {
	limitAnswer(w, downloadTime)
	nameDownload(w, kind, file)
}

// nameDownload sets the headers of a download.
func nameDownload(w http.ResponseWriter, kind, file string) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", `inline; filename="peerledger-`+file+`"`)
}

const (
	// downloadTime is the time that sending a download may take.
	downloadTime = 10 * time.Minute
	// maxDownloads is the number of downloads at once. Each keeps a look in memory until its client has
	// read it.
	maxDownloads = 8
)

// errDownloads refuses a download beyond maxDownloads.
var errDownloads = fmt.Errorf("%d downloads are running: try again when one has ended", maxDownloads)

// newDownload returns the handler of a download, of which maxDownloads run at once.
func (c *Console) newDownload(show func(http.ResponseWriter, *http.Request, format), f format) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case c.downloads <- struct{}{}:
			defer func() { <-c.downloads }()
			show(w, r, f)
		default:
			c.fail(w, http.StatusServiceUnavailable, errDownloads)
		}
	}
}

func writeCSV[T any](w io.Writer, rows iter.Seq[T], fields []field[T]) {
	out := csv.NewWriter(w)
	record := make([]string, len(fields))
	for i := range fields {
		record[i] = fields[i].name
	}
	_ = out.Write(record) // a browser that went away reads no error either
	for row := range rows {
		for i := range fields {
			record[i] = ""
			if value := fields[i].value(row); value != nil {
				record[i] = fmt.Sprint(value)
			}
		}
		if out.Write(record) != nil {
			return
		}
	}
	out.Flush()
}

// writeJSON writes an array of objects.
func writeJSON[T any](w io.Writer, rows iter.Seq[T], fields []field[T]) {
	separator := "[\n"
	for row := range rows {
		line := []byte(separator + "{")
		for i := range fields {
			if i > 0 {
				line = append(line, ',')
			}
			line = fmt.Appendf(line, "%q:", fields[i].name)
			value, err := json.Marshal(fields[i].value(row))
			if err != nil {
				value = []byte("null") // values are strings, ints, bools and nil, which all have a JSON
			}
			line = append(line, value...)
		}
		if _, err := w.Write(append(line, '}')); err != nil {
			return
		}
		separator = ",\n"
	}
	if separator == "[\n" {
		_, _ = io.WriteString(w, "[") // no row
	}
	_, _ = io.WriteString(w, "\n]\n")
}
