package export

import (
	"errors"
	"io"
	"strings"
)

// ErrFormat is returned when a format cannot carry an id, a code or an amount; the error names it. Nothing was
// written.
var ErrFormat = errors.New("export: the format cannot carry it")

// csvWriter writes CSV.
type csvWriter struct{ *table }

// CSV returns the format of comma-separated values (RFC 4180, but with a line feed alone at the end of a
// line): a line with the names of the columns, and a line for each entry. names choose columns and their
// order, default all ([ColumnNames]).
//
// Amounts and balances are integers in the smallest unit of the asset, whose decimals are in the column scale.
// Times are in UTC with nine decimals. A field is empty where it is unknown or makes no sense. A field with a comma,
// a quote or a line break stands in quotes. An account's name begins with its kind, so spreadsheets take no
// peer's id for a formula; they round long amounts, so have them read the columns as text.
//
// An export refuses an unknown column ([accounts.ErrInvalid]), and ids with a zero byte, which
// readers cut off ([ErrFormat]).
func CSV(names ...string) Format {
	return Format{Name: "csv", Extension: ".csv", Columns: names, NewWriter: func(w io.Writer) Writer { return &csvWriter{newTable(w, names)} }}
}

// Begin writes the names of the columns.
func (w *csvWriter) Begin(h *Header) error {
	if err := w.begin(h, quoteCSV); err != nil {
		return err
	}
	for i := range w.columns {
		w.buffer = append(append(w.buffer, w.columns[i].name...), ',')
	}
	w.buffer[len(w.buffer)-1] = '\n'
	return nil
}

// quoteCSV writes a text as a field.
func quoteCSV(text string) ([]byte, error) {
	switch {
	case strings.ContainsRune(text, 0):
		return nil, errors.Join(ErrFormat, errors.New("it has a zero byte, which readers of CSV cut off"))
	case strings.ContainsAny(text, ",\"\r\n"):
		return []byte(`"` + strings.ReplaceAll(text, `"`, `""`) + `"`), nil
	default:
		return []byte(text), nil
	}
}

// Write writes a line.
func (w *csvWriter) Write(e *Entry) error {
	line := w.buffer
	for i := range w.columns {
		line = append(w.columns[i].appendValue(w.table, line, e), ',')
	}
	line[len(line)-1] = '\n'
	w.buffer = line
	return w.flushIfLarge()
}

// End writes the rest of the buffer. The file has nothing behind the entries: summaries are a [Summary].
func (w *csvWriter) End(*Summary) error { return w.flush() }
