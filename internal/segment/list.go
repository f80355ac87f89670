package segment

import (
	"encoding/binary"
	"iter"
	"slices"
	"sort"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/sealed"
)

// List is an ascending list of rows. The zero value is empty.
type List struct {
	segment *Segment
	n       int
	rows    []uint32 // of a short list, counted from the segment's first row
	offset  int64    // of a long list in the file
	bytes   int64    // of a long list
}

// Len returns the number of rows. It reads no file.
func (l List) Len() int { return l.n }

// FindRows returns the list of the rows with a value in a field. The list may have other rows too:
// the caller compares each row. No list has the rows with a zero value.
func (s *Segment) FindRows(field Field, value uint128.Uint128) (List, error) {
	hash := s.hash.hashValue(field, value.Lo, value.Hi)
	index, fences, err := s.fences.lastBlock(func(first uint32) bool { return first > hash })
	if err != nil || index < 0 {
		return List{}, err
	}
	inBlock, found := slices.BinarySearch(fences, hash)
	if !found {
		inBlock--
	}
	block, offset, err := s.readDirectory(index*fenceRecords.blockRecords() + inBlock)
	for err == nil && len(block) > 0 {
		var e directoryEntry
		e, block, err = s.nextEntry(block, offset)
		switch {
		case err != nil:
		case e.hash == hash:
			return s.decodeList(e, offset)
		case e.hash > hash:
			return List{}, nil
		}
	}
	return List{}, err
}

// readDirectory returns the entries of block i of the directory, and its place.
func (s *Segment) readDirectory(i int) (entries []byte, offset int64, err error) {
	offset = s.directory + int64(i)*(blockBytes+sealed.SumBytes)
	b, err := s.file.ReadBlock(offset, make([]byte, blockBytes+sealed.SumBytes))
	if err != nil {
		return nil, offset, err
	}
	used := int(binary.LittleEndian.Uint16(b))
	if used < directoryHead || used > blockBytes {
		return nil, offset, s.file.Corrupt(offset, "a block of the directory that no writer makes")
	}
	return b[directoryHead:used], offset, nil
}

type directoryEntry struct {
	hash uint32
	body []byte
}

// nextEntry cuts an entry from the front of a block, whose place is for messages.
func (s *Segment) nextEntry(block []byte, offset int64) (e directoryEntry, rest []byte, err error) {
	if len(block) > 4 {
		length, n := binary.Uvarint(block[4:])
		if n > 0 && length <= uint64(len(block)-4-n) {
			end := 4 + n + int(length)
			return directoryEntry{binary.LittleEndian.Uint32(block), block[4+n : end]}, block[end:], nil
		}
	}
	return e, nil, s.file.Corrupt(offset, "an entry of the directory that no writer makes")
}

// decodeList reads the body of an entry.
func (s *Segment) decodeList(e directoryEntry, offset int64) (List, error) {
	r := varintReader{unread: e.body}
	count := r.readVarint()
	l := List{segment: s, n: int(count / 2)}
	if isLong := count%2 == 1; isLong {
		l.offset, l.bytes = s.listsStart+int64(r.readVarint()), int64(r.readVarint())
		end := s.listsStart + s.listsBytes
		r.bad = r.bad || l.bytes <= sealed.SumBytes || l.bytes > s.listsBytes || l.offset < s.listsStart || l.offset > end-l.bytes
	} else {
		l.rows = s.decodeRows(&r, make([]uint32, 0, len(r.unread)), 0)
		r.bad = r.bad || len(l.rows) != l.n
	}
	if r.bad || len(r.unread) > 0 || l.n < 1 {
		return List{}, s.file.Corrupt(offset, "a list that no writer makes")
	}
	return l, nil
}

// decodeRows reads distances up to the end of the bytes, or to the first distance of zero behind a
// row. last is the row before.
func (s *Segment) decodeRows(r *varintReader, rows []uint32, last uint32) []uint32 {
	size := s.entry.End - s.entry.First
	for len(r.unread) > 0 && !r.bad {
		distance := r.readVarint()
		if distance == 0 && len(rows) > 0 {
			r.bad = !isZero(r.unread)
			r.unread = nil
			break
		}
		next := uint64(last) + distance
		if r.bad = r.bad || distance >= size || next >= size; r.bad {
			break
		}
		last = uint32(next)
		rows = append(rows, last)
	}
	return rows
}

func isZero(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return c != 0 })
}

// varintReader reads varints from the front of bytes. bad is set when there is none.
type varintReader struct {
	unread []byte
	bad    bool
}

func (r *varintReader) readVarint() uint64 {
	v, n := binary.Uvarint(r.unread)
	if n <= 0 {
		r.bad, r.unread = true, nil
		return 0
	}
	r.unread = r.unread[n:]
	return v
}

// blockCount returns the number of blocks of a long list.
func (l List) blockCount() int {
	const block = blockBytes + sealed.SumBytes
	return int((l.bytes + block - 1) / block)
}

// readBlock returns the rows of block i of a long list. The only block of a short list are its rows.
func (l List) readBlock(i int) ([]uint32, error) {
	if l.bytes == 0 {
		return l.rows, nil
	}
	const block = blockBytes + sealed.SumBytes
	offset := l.offset + int64(i)*block
	b, err := l.segment.file.ReadBlock(offset, make([]byte, min(block, l.offset+l.bytes-offset)))
	if err != nil {
		return nil, err
	}
	if len(b) < 4 || binary.LittleEndian.Uint32(b) >= l.segment.rowCount() {
		return nil, l.segment.file.Corrupt(offset, "a block of a list that no writer makes")
	}
	first := binary.LittleEndian.Uint32(b)
	r := varintReader{unread: b[4:]}
	rows := append(make([]uint32, 0, len(b)), first)
	rows = l.segment.decodeRows(&r, rows, first)
	if r.bad {
		return nil, l.segment.file.Corrupt(offset, "a block of a list that no writer makes")
	}
	return rows, nil
}

// Positions returns the positions of the list from first to end-1, in ascending order, or descending
// if reversed. After an error the sequence ends. Each block is read when the caller gets to it, so a
// caller may stop early.
func (l List) Positions(first, end uint64, reversed bool) iter.Seq2[uint64, error] {
	return func(yield func(uint64, error) bool) {
		if l.n == 0 || first >= end {
			return
		}
		base := l.segment.entry.First
		low, high := l.segment.rowFrom(first), l.segment.rowFrom(end)
		step, block, err := 1, 0, error(nil)
		if reversed {
			step = -1
			block, err = l.firstBlock(high)
		} else {
			block, err = l.firstBlock(low)
		}
		for ; err == nil && block >= 0 && block < max(l.blockCount(), 1); block += step {
			var rows []uint32
			if rows, err = l.readBlock(block); err != nil {
				break
			}
			from, _ := slices.BinarySearch(rows, low)
			to, _ := slices.BinarySearch(rows, high)
			if !yieldRows(rows[from:to], base, reversed, yield) {
				return
			}
			if isDone := reversed && from > 0 || !reversed && to < len(rows); isDone {
				return
			}
		}
		if err != nil {
			yield(0, err)
		}
	}
}

func yieldRows(rows []uint32, base uint64, reversed bool, yield func(uint64, error) bool) bool {
	for i := range rows {
		row := rows[i]
		if reversed {
			row = rows[len(rows)-1-i]
		}
		if !yield(base+uint64(row), nil) {
			return false
		}
	}
	return true
}

// firstBlock returns the last block whose first row is not behind a row; 0 if there is none.
func (l List) firstBlock(row uint32) (int, error) {
	n := l.blockCount()
	if n <= 1 || row == 0 {
		return 0, nil
	}
	if row >= l.segment.rowCount() {
		return n - 1, nil
	}
	var firstErr error
	past := sort.Search(n, func(i int) bool {
		if firstErr != nil {
			return true
		}
		rows, err := l.readBlock(i)
		if err != nil {
			firstErr = err
			return true
		}
		return rows[0] > row
	})
	return max(past-1, 0), firstErr
}
