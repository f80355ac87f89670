package accounts

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
)

// jsonStatement is a statement as [WriteJSON] writes it.
type jsonStatement struct {
	Format  int          `json:"format"`
	Peer    string       `json:"peer"`
	Asset   string       `json:"asset"`
	Scale   uint8        `json:"scale"`
	Ledger  uint32       `json:"ledger"` // of the writer, who may number assets otherwise
	Opening exportLine   `json:"opening"`
	Entries []exportLine `json:"entries"`
	Closing *exportLine  `json:"closing"` // nil if the file is cut off
}

// openingLine is the line of the opening balance in a CSV file. From the first entry on, the lines of
// a CSV file and of a JSON file have the same numbers.
const openingLine = 2

// ReadJSON reads the entries of a statement in an asset, as written by [WriteJSON], under the rules of
// [ReadCSV]. An unknown field is an error. ReadJSON reads all of r before the first entry, so a file
// takes memory in proportion to its size; [ReadCSV] reads files of any size.
//
// If an error ends it, the last pair has a *[CSVError] ([ErrInvalid]), or the error of r. The
// LineNumber of an entry's error is the line in a file of [WriteJSON], with one entry on a line.
func ReadJSON(r io.Reader, asset Asset) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		text, err := convertJSON(r)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		for e, err := range ReadCSV(text, asset) {
			var fault *CSVError
			if errors.As(err, &fault) && fault.LineNumber == openingLine { // the first line has the opening balance
				err = &CSVError{LineNumber: 1, Column: fault.Column, Reason: fault.Reason}
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// convertJSON reads a JSON statement and returns it as CSV: both forms have the same fields.
func convertJSON(r io.Reader) (io.Reader, error) {
	content, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read a statement: %w", err)
	}
	statement, err := parseJSON(content)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	out := csv.NewWriter(&text)
	asset := Asset{Code: statement.Asset, Scale: statement.Scale}.String()
	rows := [][]string{csvColumns, statement.Opening.csvFields(asset)}
	for i := range statement.Entries {
		rows = append(rows, statement.Entries[i].csvFields(asset))
	}
	err = out.WriteAll(append(rows, statement.Closing.csvFields(asset)))
	return &text, err
}

// parseJSON parses a whole file with one statement.
func parseJSON(content []byte) (s jsonStatement, err error) {
	decoder := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(content, []byte(byteOrderMark))))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		return s, &CSVError{LineNumber: findFaultyLine(content, err), Reason: "cannot be read: " + err.Error()}
	}
	last := 1 + bytes.Count(content, []byte("\n"))
	switch {
	case s.Format != statementFormat:
		return s, &CSVError{LineNumber: 1, Reason: fmt.Sprintf("has the format %d, want %d", s.Format, statementFormat)}
	case s.Closing == nil:
		return s, &CSVError{LineNumber: last, Reason: "is missing: the statement ends without its closing balance"}
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return s, &CSVError{LineNumber: last, Reason: "follows the statement"}
	}
	return s, nil
}

// findFaultyLine returns the line of an error of encoding/json. The error of an unknown field has no
// place, and is of line 1, where the object begins.
func findFaultyLine(content []byte, err error) int {
	var syntax *json.SyntaxError
	var mistyped *json.UnmarshalTypeError
	offset := int64(0)
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &mistyped):
		offset = mistyped.Offset
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		offset = int64(len(content))
	}
	return 1 + bytes.Count(content[:min(offset, int64(len(content)))], []byte("\n"))
}
