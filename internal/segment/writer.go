package segment

import (
	"cmp"
	"encoding/binary"
	"math/rand/v2"
	"slices"

	"github.com/peerledger/peerledger/internal/sealed"
)

var format = sealed.Format{Magic: "SEGMENT\n", Version: 1}

// footerBytes is the size of the footer: rows, blocks of the directory, starts, expiries, late ends,
// u32 each; the size of the lists, first and last timestamp, u64 each.
const footerBytes = 44

// Writer writes a segment. One goroutine uses it. It needs some 50 to 150 bytes of memory for each row.
type Writer struct {
	file     *sealed.Writer
	section  *sealed.Section
	entry    Entry
	postings postings
	starts   []Start
	expiries []Expiry
	lateEnds []LateEnd
}

// Create begins the segment of the rows from a position on. rows is the expected number of rows; any
// number is fine. The file gets its name with [Writer.Finish].
func Create(folder sealed.Folder, first uint64, rows int) (*Writer, error) {
	w := &Writer{entry: Entry{First: first, End: first, Number: rand.Uint64()}}
	w.postings.hash = fieldHash{rand.Uint64(), rand.Uint64()}
	w.postings.pairs = make([]uint64, 0, 3*rows)
	data := binary.LittleEndian.AppendUint64(nil, first)
	data = binary.LittleEndian.AppendUint64(data, w.postings.hash[0])
	data = binary.LittleEndian.AppendUint64(data, w.postings.hash[1])
	file, err := sealed.CreateFile(folder, w.entry.FileName(), format, data)
	if err != nil {
		return nil, err
	}
	w.file, w.section = file, file.NewSection(sealed.HeaderBytes)
	return w, nil
}

// AppendRow adds the next row, of at most [MaxRows]. Timestamps ascend. An error is the file system's, and Finish returns
// it again.
func (w *Writer) AppendRow(r *Row) error {
	putRow(w.section.NextBlock(rowBytes), r)
	w.section.EndBlock()
	w.postings.addRow(uint32(w.entry.End-w.entry.First), r)
	if w.entry.End == w.entry.First {
		w.entry.FirstTimestamp = r.Timestamp
	}
	w.entry.LastTimestamp = r.Timestamp
	w.entry.End++
	return w.file.Err()
}

// AddStart adds the start of an account, in any order; each account once.
func (w *Writer) AddStart(s Start) { w.starts = append(w.starts, s) }

// AddExpiry adds an expiry. Timestamps ascend.
func (w *Writer) AddExpiry(e Expiry) { w.expiries = append(w.expiries, e) }

// AddLateEnd adds the end of a hold of an older segment, in any order; each hold once.
func (w *Writer) AddLateEnd(e LateEnd) { w.lateEnds = append(w.lateEnds, e) }

// Finish writes the rest, syncs the file, gives it its name, and syncs the folder. A segment may
// have no rows.
func (w *Writer) Finish() (Entry, error) {
	slices.SortFunc(w.starts, func(a, b Start) int { return cmp.Compare(a.Account, b.Account) })
	slices.SortFunc(w.lateEnds, func(a, b LateEnd) int { return cmp.Compare(a.Hold, b.Hold) })
	d := directoryWriter{lists: w.section, start: w.section.Offset()}
	listsBytes := w.writeLists(&d)
	d.writeTo(w.section)
	startRecords.writeAll(w.section, w.starts)
	expiryRecords.writeAll(w.section, w.expiries)
	lateEndRecords.writeAll(w.section, w.lateEnds)
	footer := w.section.NextBlock(footerBytes)
	for i, n := range []int{int(w.entry.End - w.entry.First), len(d.fences), len(w.starts), len(w.expiries), len(w.lateEnds)} {
		binary.LittleEndian.PutUint32(footer[4*i:], uint32(n))
	}
	binary.LittleEndian.PutUint64(footer[20:], uint64(listsBytes))
	binary.LittleEndian.PutUint64(footer[28:], w.entry.FirstTimestamp)
	binary.LittleEndian.PutUint64(footer[36:], w.entry.LastTimestamp)
	w.section.EndBlock()
	size, err := w.file.Finish()
	w.entry.Size, w.entry.Sum = size, w.file.HeaderSum()
	return w.entry, err
}

// writeLists writes the long lists, and returns their size in the file.
func (w *Writer) writeLists(d *directoryWriter) int64 {
	w.postings.sortAll()
	buf := make([]uint32, 0, w.entry.End-w.entry.First)
	for hash, rows, ok := w.postings.takeList(buf); ok; hash, rows, ok = w.postings.takeList(buf) {
		d.addList(hash, rows)
	}
	return w.section.Offset() - d.start
}

// Discard gives up an unfinished segment and removes its file. After Finish without an error it does
// nothing, so it can be deferred.
func (w *Writer) Discard() { w.file.Discard() }
