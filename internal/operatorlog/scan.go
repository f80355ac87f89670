package operatorlog

import (
	"bytes"
	"fmt"
	"io"
)

// blockSize is how much is read at a time.
const blockSize = 64 << 10

// lineScanner returns the lines of a file from the last to the first. It holds at most one block and one line.
type lineScanner struct {
	file io.ReaderAt
	pos  int64  // the bytes before pos are not read yet
	rest []byte // the bytes from pos on that are not returned yet
	skip bool   // the line at the end of rest is too long: its bytes are dropped
	done bool

	offset int64 // of the latest line
}

// newLineScanner returns a scanner of the first size bytes of a file.
func newLineScanner(file io.ReaderAt, size int64) *lineScanner {
	return &lineScanner{file: file, pos: size, done: size == 0}
}

// scanLine returns the line before the one returned last, without its line feed. The bytes are valid until the next call. A line
// longer than maxLine is nil. ok is false at the beginning of the file.
func (s *lineScanner) scanLine() (line []byte, ok bool, err error) {
	for !s.done {
		if i := bytes.LastIndexByte(s.rest, '\n'); i >= 0 {
			line, s.rest = s.rest[i+1:], s.rest[:i]
			return s.finishLine(line, s.pos+int64(i)+1), true, nil
		}
		if s.pos == 0 {
			s.done = true
			return s.finishLine(s.rest, 0), true, nil
		}
		if len(s.rest) > maxLine {
			s.skip, s.rest = true, nil
		}
		if err := s.readBlock(); err != nil {
			return nil, false, err
		}
	}
	return nil, false, nil
}

// finishLine notes where a line begins, and returns the line, or nil if it is too long.
func (s *lineScanner) finishLine(line []byte, offset int64) []byte {
	s.offset = offset
	if s.skip || len(line) >= maxLine {
		s.skip = false
		return nil
	}
	return line
}

// readBlock puts the block before pos in front of rest.
func (s *lineScanner) readBlock() error {
	n := min(s.pos, blockSize)
	block := make([]byte, n, n+int64(len(s.rest)))
	if _, err := s.file.ReadAt(block, s.pos-n); err != nil {
		return fmt.Errorf("at byte %d: %w", s.pos-n, err)
	}
	s.rest = append(block, s.rest...)
	s.pos -= n
	return nil
}
