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

// startDownload sets the headers of a download. A browser that stops reading must not hold the
// answer for ever.
func startDownload(w http.ResponseWriter, kind, file string) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", `inline; filename="peerledger-`+file+`"`)
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(downloadTime)) // a server without deadlines has its own
}

// downloadTime is the time that sending a download may take.
const downloadTime = 10 * time.Minute

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
