package idindex

import (
	"encoding/binary"
	"math/rand/v2"

	"github.com/peerledger/peerledger/internal/sealed"
	"github.com/peerledger/peerledger/ledger"
)

// runWriter writes a run: entries in ascending order, and burnt ids in any order. It needs a few
// buffers of memory, however large the run is.
type runWriter struct {
	file    *sealed.Writer
	entry   runEntry
	layout  layout
	filter  blockWriter
	line    []byte // of the filter
	lines   uint64 // begun
	entries blockWriter
	burnt   blockWriter
}

// createRun begins a run. The entry has the counts and the ids at both ends.
func createRun(folder sealed.Folder, seed hashSeed, e runEntry) (*runWriter, error) {
	e.number = rand.Uint64()
	file, err := sealed.CreateFile(folder, e.fileName(), format, encodeHeaderData(seed, e))
	if err != nil {
		return nil, err
	}
	l := layoutOf(e.entries, e.burnt)
	return &runWriter{
		file:    file,
		entry:   e,
		layout:  l,
		filter:  blockWriter{to: file.NewSection(sealed.HeaderBytes), left: l.lines, blockRecords: 1},
		entries: blockWriter{to: file.NewSection(l.entries), left: e.entries, blockRecords: blockEntries},
		burnt:   blockWriter{to: file.NewSection(l.burnt), left: e.burnt, blockRecords: blockIDs},
	}, nil
}

func encodeHeaderData(seed hashSeed, e runEntry) []byte {
	var b []byte
	for _, n := range []uint64{
		e.entries, e.burnt, seed[0], seed[1], e.least.Lo, e.least.Hi, e.most.Lo, e.most.Hi,
	} {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	return b
}

// addEntry adds the next entry.
func (w *runWriter) addEntry(e storedEntry) {
	putEntry(w.entries.nextRecord(entryBytes), e)
	hash := e.hash()
	w.beginLines(scaleHash(hash, w.layout.lines) + 1)
	addToLine(w.line, hash)
}

// beginLines begins the lines of the filter up to the n-th.
func (w *runWriter) beginLines(n uint64) {
	for ; w.lines < n; w.lines++ {
		w.line = w.filter.nextRecord(lineDataBytes)
		clear(w.line)
	}
}

func (w *runWriter) addBurnt(id ledger.ID) {
	b := w.burnt.nextRecord(idBytes)
	binary.LittleEndian.PutUint64(b, id.Lo)
	binary.LittleEndian.PutUint64(b[8:], id.Hi)
}

// finishRun makes the run durable.
func (w *runWriter) finishRun() (runEntry, error) {
	w.beginLines(w.layout.lines)
	for _, part := range []*blockWriter{&w.filter, &w.entries, &w.burnt} {
		part.endBlock()
	}
	size, err := w.file.Finish()
	w.entry.size, w.entry.sum = size, w.file.HeaderSum()
	return w.entry, err
}

// blockWriter fills blocks with records.
type blockWriter struct {
	to           *sealed.Section
	left         uint64 // records that are still to come
	blockRecords uint64
	block        []byte // the rest of the present block
	open         bool   // a block is begun
}

// nextRecord returns the bytes of the next record, which the caller fills.
func (w *blockWriter) nextRecord(recordBytes int) []byte {
	if len(w.block) == 0 {
		w.endBlock()
		w.block = w.to.NextBlock(int(min(w.left, w.blockRecords)) * recordBytes)
		w.open = true
	}
	record := w.block[:recordBytes:recordBytes]
	w.block = w.block[recordBytes:]
	w.left--
	return record
}

func (w *blockWriter) endBlock() {
	if w.open {
		w.to.EndBlock()
		w.open = false
	}
}
