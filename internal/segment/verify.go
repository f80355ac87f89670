package segment

import (
	"context"
	"slices"
)

// VerifyFile reads and checks every byte of the file: sums, the order of rows, lists and records,
// and that each row is in the lists of its fields.
func (s *Segment) VerifyFile(ctx context.Context) error {
	found, err := s.verifyLists(ctx)
	if err != nil {
		return err
	}
	if err := s.verifyRows(ctx, found); err != nil {
		return err
	}
	if _, err := verifyRecords(s, s.fences, func(a, b uint32) bool { return a < b }); err != nil {
		return err
	}
	if _, err := verifyRecords(s, s.starts, func(a, b Start) bool { return a.Account < b.Account }); err != nil {
		return err
	}
	if _, err := verifyRecords(s, s.expiries, func(a, b Expiry) bool { return a.Timestamp <= b.Timestamp }); err != nil {
		return err
	}
	_, err = verifyRecords(s, s.lateEnds, func(a, b LateEnd) bool { return a.Hold < b.Hold })
	return err
}

// verifyRecords reads all records of a list, which must be in order.
func verifyRecords[T any](s *Segment, l recordList[T], inOrder func(a, b T) bool) ([]T, error) {
	records, err := l.readAll()
	for i := 1; i < len(records) && err == nil; i++ {
		if !inOrder(records[i-1], records[i]) {
			err = s.file.Corrupt(l.offset, "records that are not in order")
		}
	}
	return records, err
}

// verifyLists reads the directory and all lists, and returns the number of the lists of each row.
func (s *Segment) verifyLists(ctx context.Context) ([]uint8, error) {
	found := make([]uint8, s.entry.End-s.entry.First)
	fences, err := s.fences.readAll()
	if err != nil {
		return nil, err
	}
	last, listsBytes := int64(-1), int64(0)
	for i, fence := range fences {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		block, offset, err := s.readDirectory(i)
		for isFirst := true; err == nil && len(block) > 0; isFirst = false {
			var e directoryEntry
			if e, block, err = s.nextEntry(block, offset); err != nil {
				break
			}
			if int64(e.hash) <= last || isFirst && e.hash != fence {
				err = s.file.Corrupt(offset, "hashes that are not in order")
				break
			}
			last = int64(e.hash)
			var l List
			if l, err = s.decodeList(e, offset); err == nil {
				listsBytes += l.bytes
				err = s.verifyList(l, offset, found)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	if listsBytes != s.listsBytes {
		return nil, s.file.Corrupt(s.listsStart, "lists that the directory does not name")
	}
	return found, nil
}

// verifyList reads a list and counts its rows.
func (s *Segment) verifyList(l List, offset int64, found []uint8) error {
	n, last := 0, int64(-1)
	for pos, err := range l.Positions(0, NoPosition, false) {
		if err != nil {
			return err
		}
		if int64(pos) <= last {
			return s.file.Corrupt(offset, "rows of a list that are not in order")
		}
		last = int64(pos)
		found[pos-s.entry.First]++
		n++
	}
	if n != l.n {
		return s.file.Corrupt(offset, "a list with another number of rows")
	}
	return nil
}

// verifyRows reads all rows. found has the number of the lists of each row.
func (s *Segment) verifyRows(ctx context.Context, found []uint8) error {
	rows := make([]Row, readRows)
	last := s.entry.FirstTimestamp
	for first := s.entry.First; first < s.entry.End; first += readRows {
		if err := ctx.Err(); err != nil {
			return err
		}
		rows = rows[:min(readRows, s.entry.End-first)]
		if err := s.ReadRows(first, rows); err != nil {
			return err
		}
		for i := range rows {
			pos := first + uint64(i)
			lists := s.listsOf(&rows[i])
			if rows[i].Timestamp < last || lists != int(found[pos-s.entry.First]) {
				return s.file.Corrupt(s.rowOffset(pos), "a row that is not in order, or not in its lists")
			}
			last = rows[i].Timestamp
		}
	}
	return nil
}

// listsOf returns the number of the lists that have a row. Two values may have one hash.
func (s *Segment) listsOf(r *Row) int {
	hashes := make([]uint32, 0, fieldCount)
	for field := range fieldCount {
		if value := fieldOf(&r.Transfer, field); !value.IsZero() {
			hashes = append(hashes, s.hash.hashValue(field, value.Lo, value.Hi))
		}
	}
	slices.Sort(hashes)
	return len(slices.Compact(hashes))
}
