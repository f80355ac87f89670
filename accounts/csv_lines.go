package accounts

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
)

// The longest line and the longest field that are read. A peer's id of 1,023 bytes takes
// twice as many where all of it is quotes; the longest line takes a tenth of maxLine.
const (
	maxLine  = 64 << 10
	maxField = 2 << 10
)

// csvLines reads the lines of a CSV file. A line may go on over several lines of text, in
// quotes; encoding/csv keeps all of it in memory, so what it is given is bounded.
type csvLines struct {
	csv    *csv.Reader
	source boundedReader
	line   int // of the line that was read last
}

func newCSVLines(r io.Reader) *csvLines {
	text := bufio.NewReader(r)
	if mark, err := text.Peek(len(byteOrderMark)); err == nil && string(mark) == byteOrderMark {
		_, _ = text.Discard(len(byteOrderMark)) // it is in the buffer
	}
	in := &csvLines{source: boundedReader{source: text}}
	in.csv = csv.NewReader(&in.source)
	return in
}

// byteOrderMark is what spreadsheets begin a file in UTF-8 with.
const byteOrderMark = "\ufeff"

// readRecord reads a line. All have as many fields as the first one. The error is a *CSVError,
// io.EOF, or that of the file.
func (in *csvLines) readRecord() ([]string, error) {
	in.source.left = maxLine + 1 // and the end of the file behind the last line
	begin := in.csv.InputOffset()
	record, err := in.csv.Read()
	var parse *csv.ParseError
	switch {
	case errors.Is(err, errLongLine), err == nil && in.csv.InputOffset()-begin > maxLine:
		// Some of the line may have been read ahead with the one before it.
		return nil, &CSVError{Line: in.line + 1, Reason: fmt.Sprintf("has more than %d bytes", maxLine)}
	case errors.As(err, &parse):
		return nil, &CSVError{Line: parse.Line, Reason: "cannot be read: " + parse.Err.Error()}
	case errors.Is(err, io.EOF):
		return nil, io.EOF
	case err != nil:
		return nil, fmt.Errorf("read a statement: %w", err)
	}
	in.line, _ = in.csv.FieldPos(0)
	return record, nil
}

// boundedReader gives a text until it has given as much as is left.
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
