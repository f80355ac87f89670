package export

import (
	"bytes"
	"encoding/json"
	"io"
)

// jsonWriter writes JSON lines.
type jsonWriter struct {
	*table
	keys [][]byte // of the columns: what comes before the value
}

// JSONLines returns the format of one JSON object a line for each entry, with the columns of CSV as its
// fields ([CSV]). A field without a value is left out. Amounts, balances, times and ids are strings; scale,
// transfers, code, reason, round and ledger are numbers, and late is true.
//
// An export refuses an unknown column ([accounts.ErrInvalid]).
func JSONLines(names ...string) Format {
	return Format{
		Name: "jsonl", Extension: ".jsonl", Columns: names,
		NewWriter: func(w io.Writer) Writer { return &jsonWriter{table: newTable(w, names)} },
	}
}

// Begin finds the columns.
func (w *jsonWriter) Begin(h *Header) error {
	err := w.begin(h, escapeJSON)
	for _, c := range w.columns {
		key := `,"` + c.name + `":`
		if !c.number {
			key += `"`
		}
		w.keys = append(w.keys, []byte(key))
	}
	return err
}

// escapeJSON returns a text as a JSON string, without its quotes.
func escapeJSON(text string) ([]byte, error) {
	var quoted bytes.Buffer
	encoder := json.NewEncoder(&quoted)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(text)
	return bytes.Trim(quoted.Bytes(), "\n")[1:max(1, quoted.Len()-2)], err
}

// Write writes a line.
func (w *jsonWriter) Write(e *Entry) error {
	start := len(w.buffer)
	line := w.buffer
	for i := range w.columns {
		before := len(line)
		line = append(line, w.keys[i]...)
		value := len(line)
		line = w.columns[i].appendValue(w.table, line, e)
		switch {
		case len(line) == value:
			line = line[:before]
		case !w.columns[i].number:
			line = append(line, '"')
		}
	}
	if len(line) == start {
		line = append(line, '{')
	}
	line[start] = '{'
	w.buffer = append(line, '}', '\n')
	return w.flushIfLarge()
}

// End writes the rest of the buffer.
func (w *jsonWriter) End(*Summary) error { return w.flush() }
