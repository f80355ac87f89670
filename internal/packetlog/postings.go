package packetlog

import (
	"encoding/binary"
	"slices"
	"sort"
)

// postings is an index of a group of blocks: which blocks have a packet with a key. A key is a hash of
// an id or of a condition, or a party's index. A pair of key and block is one integer, the key first.
//
// In the file, the sorted pairs are cut into pages, which a directory lists. A page has, for each pair,
// the difference to the key before it, and the block: for an equal key the difference to the block
// before it. The directory has the first key and the place of each page. A search reads the directory
// and, in almost every case, one page.
type postings []uint64

// pairsPerPage makes pages of some 2 KiB.
const pairsPerPage = 512

func (p *postings) add(key, block uint32) { *p = append(*p, uint64(key)<<32|uint64(block)) }

// write writes the pages and the directory, and returns the place of the directory. It empties the
// postings and keeps their memory.
func (p *postings) write(writeChunk func(data []byte) (chunk, error)) (chunk, error) {
	pairs := slices.Compact(sortPairs(*p))
	directory := binary.AppendUvarint(nil, uint64((len(pairs)+pairsPerPage-1)/pairsPerPage))
	var encoded []byte
	for len(pairs) > 0 {
		n := min(len(pairs), pairsPerPage)
		encoded = appendPage(encoded[:0], pairs[:n])
		at, err := writeChunk(encoded)
		if err != nil {
			return chunk{}, err
		}
		directory = binary.AppendUvarint(directory, pairs[0]>>32)
		directory = appendChunk(directory, at)
		pairs = pairs[n:]
	}
	*p = (*p)[:0]
	return writeChunk(directory)
}

// sortPairs sorts pairs that are in the order of their blocks. It sorts by the key alone, 11 bits at a time, and
// keeps the order of equal keys: a third of the time of package slices, which was half of the writer's.
func sortPairs(pairs []uint64) []uint64 {
	const digit, mask = 11, 1<<11 - 1
	other := make([]uint64, len(pairs))
	for shift := 32; shift < 64; shift += digit {
		var next [mask + 1]int
		for _, pair := range pairs {
			next[pair>>shift&mask]++
		}
		sum := 0
		for i, count := range next {
			next[i], sum = sum, sum+count
		}
		for _, pair := range pairs {
			d := pair >> shift & mask
			other[next[d]] = pair
			next[d]++
		}
		pairs, other = other, pairs
	}
	return pairs
}

func appendPage(b []byte, pairs []uint64) []byte {
	var key, block uint64
	for _, pair := range pairs {
		difference := pair>>32 - key
		if difference > 0 {
			key, block = pair>>32, 0
		}
		b = binary.AppendUvarint(b, difference)
		b = binary.AppendUvarint(b, pair&(1<<32-1)-block)
		block = pair & (1<<32 - 1)
	}
	return b
}

func appendChunk(b []byte, c chunk) []byte {
	b = binary.AppendUvarint(b, uint64(c.offset))
	return binary.AppendUvarint(b, uint64(c.length))
}

// chunk reads the place of a chunk; readChunk checks it.
func (c *cursor) chunk() chunk {
	return chunk{offset: int64(c.uint()), length: int64(c.uint())}
}

// page is an entry of a directory.
type page struct {
	first uint64 // key
	chunk
}

// readDirectory returns false for bytes that are no directory.
func readDirectory(data []byte) ([]page, bool) {
	c := cursor{rest: data}
	pages := make([]page, c.count())
	for i := range pages {
		pages[i] = page{c.uint(), c.chunk()}
		if i > 0 && pages[i].first < pages[i-1].first {
			return nil, false
		}
	}
	return pages, c.isRead()
}

// pagesOf returns the pages that may have the key: those that begin with it, and the one before.
func pagesOf(directory []page, key uint32) []page {
	start := sort.Search(len(directory), func(i int) bool { return directory[i].first >= uint64(key) })
	end := sort.Search(len(directory), func(i int) bool { return directory[i].first > uint64(key) })
	return directory[max(start-1, 0):end]
}

// appendBlocks appends the blocks that a page has for the key. It returns false for bytes that are no page.
func appendBlocks(blocks []int, data []byte, key uint32) (_ []int, ok bool) {
	c := cursor{rest: data}
	var at, block uint64
	for len(c.rest) > 0 {
		if difference := c.uint(); difference > 0 {
			at, block = at+difference, 0
		}
		block += c.uint()
		if c.bad || block >= blocksPerGroup {
			return nil, false
		}
		if at == uint64(key) {
			blocks = append(blocks, int(block))
		}
	}
	return blocks, true
}
