package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sort"

	"github.com/peerledger/peerledger/internal/sealed"
)

// Segment is an open segment. Any number of goroutines may read it until Close. It needs less than
// 1 KiB of memory. An error of a read is the file system's, or a [sealed.CorruptError].
type Segment struct {
	file  *sealed.Reader
	entry Entry
	hash  fieldHash

	listsStart int64 // in the file
	listsBytes int64
	directory  int64 // where the directory begins
	fences     recordList[uint32]
	starts     recordList[Start]
	expiries   recordList[Expiry]
	lateEnds   recordList[LateEnd]
}

// Open opens the segment of an entry, and checks header, footer and size of the file. The folder of a
// [sealed.FileCache] bounds the number of open files.
func Open(folder sealed.Folder, e Entry) (*Segment, error) {
	file, err := sealed.OpenFile(folder, e.FileName(), format, e.Size, e.Sum)
	if err != nil {
		return nil, err
	}
	s := &Segment{file: file, entry: e}
	if err := s.readLayout(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return s, nil
}

func (s *Segment) readLayout() error {
	data := s.file.HeaderData()
	s.hash = fieldHash{binary.LittleEndian.Uint64(data[8:]), binary.LittleEndian.Uint64(data[16:])}
	footerAt := s.entry.Size - footerBytes - sealed.SumBytes
	if binary.LittleEndian.Uint64(data) != s.entry.First || footerAt < sealed.HeaderBytes {
		return s.file.Corrupt(0, "the header does not fit the manifest")
	}
	footer, err := s.file.ReadBlock(footerAt, make([]byte, footerBytes+sealed.SumBytes))
	if err != nil {
		return err
	}
	count := func(i int) int { return int(binary.LittleEndian.Uint32(footer[4*i:])) }
	s.listsStart = s.rowOffset(s.entry.End)
	s.listsBytes = int64(binary.LittleEndian.Uint64(footer[20:]))
	s.directory = s.listsStart + s.listsBytes
	at := s.directory + int64(count(1))*(blockBytes+sealed.SumBytes)
	s.fences = recordList[uint32]{fenceRecords, s.file, at, count(1)}
	at += fenceRecords.byteCount(count(1))
	s.starts = recordList[Start]{startRecords, s.file, at, count(2)}
	at += startRecords.byteCount(count(2))
	s.expiries = recordList[Expiry]{expiryRecords, s.file, at, count(3)}
	at += expiryRecords.byteCount(count(3))
	s.lateEnds = recordList[LateEnd]{lateEndRecords, s.file, at, count(4)}
	at += lateEndRecords.byteCount(count(4))
	if at != footerAt || s.listsBytes < 0 || count(0) != int(s.entry.End-s.entry.First) ||
		binary.LittleEndian.Uint64(footer[28:]) != s.entry.FirstTimestamp ||
		binary.LittleEndian.Uint64(footer[36:]) != s.entry.LastTimestamp {
		return s.file.Corrupt(footerAt, "the footer does not fit the manifest")
	}
	return nil
}

// Entry returns the entry of the manifest.
func (s *Segment) Entry() Entry { return s.entry }

// Close closes the file.
func (s *Segment) Close() error { return s.file.Close() }

// rowCount returns the number of rows.
func (s *Segment) rowCount() uint32 { return uint32(s.entry.End - s.entry.First) }

// rowFrom returns the first row at or after a position, counted from the segment's first row: 0 for a
// position before the segment, the number of rows for one behind it.
func (s *Segment) rowFrom(pos uint64) uint32 {
	return uint32(min(max(pos, s.entry.First), s.entry.End) - s.entry.First)
}

func (s *Segment) rowOffset(pos uint64) int64 {
	return sealed.HeaderBytes + int64(pos-s.entry.First)*rowStride
}

// checkSpan panics if rows are not in the segment: only a bug asks for them.
func (s *Segment) checkSpan(first uint64, n int) {
	if first < s.entry.First || first+uint64(n) > s.entry.End {
		panic(fmt.Sprintf("segment: %d rows from %d on, in a segment from %d to %d", n, first, s.entry.First, s.entry.End))
	}
}

// ReadRow reads the row at a position of the segment.
func (s *Segment) ReadRow(pos uint64, to *Row) error {
	s.checkSpan(pos, 1)
	b, err := s.file.ReadBlock(s.rowOffset(pos), make([]byte, rowStride))
	if err != nil {
		return err
	}
	getRow(b, to)
	return nil
}

// readRows is the number of rows of one read of the file.
const readRows = 512

// ReadRows reads the rows from a position on into the slice. All must be in the segment.
func (s *Segment) ReadRows(first uint64, to []Row) error {
	s.checkSpan(first, len(to))
	buf := make([]byte, min(len(to), readRows)*rowStride)
	for len(to) > 0 {
		n := min(len(to), readRows)
		b := buf[:n*rowStride]
		if err := s.file.ReadBlocks(s.rowOffset(first), b, rowStride); err != nil {
			return err
		}
		for i := range n {
			getRow(b[i*rowStride:], &to[i])
		}
		first, to = first+uint64(n), to[n:]
	}
	return nil
}

// FirstFrom returns the position of the first row at or after a timestamp; the segment's end if
// there is none.
func (s *Segment) FirstFrom(timestamp uint64) (uint64, error) {
	switch {
	case s.entry.First == s.entry.End || timestamp <= s.entry.FirstTimestamp:
		return s.entry.First, nil
	case timestamp > s.entry.LastTimestamp:
		return s.entry.End, nil
	}
	var firstErr error
	n := sort.Search(int(s.entry.End-s.entry.First), func(i int) bool {
		var row Row
		if firstErr == nil {
			firstErr = s.ReadRow(s.entry.First+uint64(i), &row)
		}
		return row.Timestamp >= timestamp
	})
	return s.entry.First + uint64(n), firstErr
}

// ReadStarts returns all starts, in ascending order of accounts.
func (s *Segment) ReadStarts() ([]Start, error) { return s.starts.readAll() }

// FindStart returns the start of an account. ok is false if no event of the segment touched the
// account.
func (s *Segment) FindStart(account uint32) (start Start, ok bool, err error) {
	_, block, err := s.starts.lastBlock(func(first Start) bool { return first.Account > account })
	for _, start := range block {
		if start.Account == account {
			return start, true, nil
		}
	}
	return Start{}, false, err
}

// ReadExpiries returns all expiries in the order of time.
func (s *Segment) ReadExpiries() ([]Expiry, error) { return s.expiries.readAll() }

// ReadLateEnds returns all late ends, in ascending order of holds.
func (s *Segment) ReadLateEnds() ([]LateEnd, error) { return s.lateEnds.readAll() }
