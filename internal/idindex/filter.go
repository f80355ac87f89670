package idindex

import (
	"github.com/peerledger/peerledger/internal/sealed"
)

const (
	lineBytes     = 64
	lineDataBytes = lineBytes - sealed.SumBytes
	lineBits      = 8 * lineDataBytes
	lineEntries   = 40 // on average
	linesOfPage   = 64 // a filter has whole pages, so that the blocks behind begin with a page
	probes        = 7
)

// lineCount returns the number of lines for n entries.
func lineCount(n uint64) uint64 {
	pages := n/(lineEntries*linesOfPage) + 1
	return pages * linesOfPage
}

// lineProbe walks the bits of a hash in a line.
type lineProbe struct{ at, step uint32 }

func newLineProbe(hash uint64) lineProbe {
	mixed := (hash >> 3) * 0x9E3779B97F4A7C15
	return lineProbe{uint32(mixed >> 32), uint32(mixed) | 1}
}

func (p *lineProbe) nextBit() uint32 {
	bit := uint32(uint64(p.at) * lineBits >> 32)
	p.at += p.step
	return bit
}

func addToLine(line []byte, hash uint64) {
	p := newLineProbe(hash)
	for range probes {
		bit := p.nextBit()
		line[bit/8] |= 1 << (bit % 8)
	}
}

func lineMayHave(line []byte, hash uint64) bool {
	_ = line[lineDataBytes-1]
	p := newLineProbe(hash)
	for range probes {
		bit := p.nextBit()
		if line[bit/8]&(1<<(bit%8)) == 0 {
			return false
		}
	}
	return true
}
