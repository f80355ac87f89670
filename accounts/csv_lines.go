package accounts

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
)

// The bounds of a line and of a field, in bytes. A peer's id of 1,023 bytes doubles in length if
// all of it is quotes; the longest line is a tenth of maxLine.
const (
	maxLine  = 64 << 10
	maxField = 2 << 10
)

// csvLines reads the records of a CSV file. A quoted record may span several lines, and
// encoding/csv buffers all of it, so the input is bounded.
type csvLines struct {
	csv    *csv.Reader
	source boundedReader
	line   int // of the last record
}

func newCSVLines(r io.Reader) *csvLines {
	text := bufio.NewReader(r)
	if mark, err := text.Peek(len(byteOrderMark)); err == nil && string(mark) == byteOrderMark {
		_, _ = text.Discard(len(byteOrderMark)) // the mark is buffered
	}
	in := &csvLines{source: boundedReader{source: text}}
	in.csv = csv.NewReader(&in.source)
	return in
}

// byteOrderMark begins a UTF-8 file of a spreadsheet.
const byteOrderMark = "\ufeff"

// readRecord reads a record. All records have as many fields as the first. The error is a
// *[CSVError], io.EOF, or the error of the file.
func (in *csvLines) readRecord() ([]string, error) {
	in.source.left = maxLine + 1 // one more byte to find the end of the file
	begin := in.csv.InputOffset()
	record, err := in.csv.Read()
	var parse *csv.ParseError
	switch {
	case errors.Is(err, errLongLine), err == nil && in.csv.InputOffset()-begin > maxLine:
		// A part of the line may have been read ahead with the line before.
		return nil, &CSVError{LineNumber: in.line + 1, Reason: fmt.Sprintf("has more than %d bytes", maxLine)}
	case errors.As(err, &parse):
		return nil, &CSVError{LineNumber: parse.Line, Reason: "cannot be read: " + parse.Err.Error()}
	case errors.Is(err, io.EOF):
		return nil, io.EOF
	case err != nil:
		return nil, fmt.Errorf("read a statement: %w", err)
	}
	in.line, _ = in.csv.FieldPos(0)
	return record, nil
}

// boundedReader reads from source until left bytes are read.
type boundedReader struct {
	source io.Reader
	left   int
}

var errLongLine = errors.New("the line is too long")

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errLongLine
	}
	n, err := b.source.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
