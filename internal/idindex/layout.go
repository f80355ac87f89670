package idindex

import "github.com/peerledger/peerledger/internal/sealed"

var format = sealed.Format{Magic: "ID RUN\n\x00", Version: 1}

const (
	blockBytes   = 4096
	blockEntries = (blockBytes - sealed.SumBytes) / entryBytes
	idBytes      = 16
	blockIDs     = (blockBytes - sealed.SumBytes) / idBytes
	// maxEntries keeps sizes far from overflow: each of 2^40 transfers has up to two entries.
	maxEntries = 1 << 42
	maxBurnt   = MaxPosition + 1
)

// layout has the places of the parts of a run in its file.
type layout struct {
	lines   uint64 // of the filter, behind the header
	entries int64
	burnt   int64
	end     int64
}

func layoutOf(entries, burnt uint64) layout {
	l := layout{lines: lineCount(entries)}
	l.entries = sealed.HeaderBytes + int64(l.lines)*lineBytes
	l.burnt = l.entries + partBytes(entries, entryBytes, blockEntries)
	l.end = l.burnt + partBytes(burnt, idBytes, blockIDs)
	return l
}

// burntBlock returns the place of block i of the burnt ids.
func (l layout) burntBlock(i uint64) int64 {
	return l.burnt + int64(i)*(blockIDs*idBytes+sealed.SumBytes)
}

// partBytes returns the size of n records in blocks.
func partBytes(n uint64, recordBytes, blockRecords uint64) int64 {
	return int64(n*recordBytes + blockCount(n, blockRecords)*sealed.SumBytes)
}

func blockCount(n, blockRecords uint64) uint64 { return (n + blockRecords - 1) / blockRecords }
