package segment

import (
	"cmp"
	"math/bits"
	"slices"

	"lukechampine.com/uint128"
)

// hashBits is the size of a value's hash. A longer hash costs more time to sort by. With this size a
// value of a segment of 2^17 rows shares its list with another value in one of a hundred cases.
const hashBits = 24

// fieldHash hashes values of fields. Its seed is random, so that a client cannot choose values with
// one hash.
type fieldHash [2]uint64

// hashValue returns the hash of a value that is not zero.
func (h fieldHash) hashValue(field Field, lo, hi uint64) uint32 {
	high, low := bits.Mul64(lo^h[0], hi^h[1]^(uint64(field)+1)*0x9E3779B97F4A7C15)
	return uint32(((high ^ low) * 0x9E3779B97F4A7C15) >> (64 - hashBits))
}

const (
	// slots is the number of values whose rows are collected in place of being sorted.
	slots = 1 << 10
	// frequentRows is the number of rows from which on a value keeps its slot.
	frequentRows = 16
)

// postings collect the rows of each hash. A slot has the rows of one hash. Another hash with the same
// slot takes the slot, as long as it has few rows, and the rows become pairs. So the rows of frequent
// values, which are most rows, stay in slots, and only pairs need to be sorted. At any time the rows
// in a slot are behind the rows of the same hash in pairs.
type postings struct {
	hash     fieldHash
	slots    [slots]slot
	pairs    []uint64 // hash and row, the hash in the upper half; of each hash in ascending order of rows
	frequent []slot   // after sortAll: in the order of hashes
}

type slot struct {
	hash uint32
	rows []uint32
}

func (p *postings) addRow(row uint32, r *Row) {
	for field := range fieldCount {
		p.addValue(row, field, fieldOf(&r.Transfer, field))
	}
}

func (p *postings) addValue(row uint32, field Field, value uint128.Uint128) {
	if value.Lo|value.Hi == 0 {
		return
	}
	hash := p.hash.hashValue(field, value.Lo, value.Hi)
	s := &p.slots[hash%slots]
	switch {
	case s.hash == hash:
		s.rows = append(s.rows, row)
	case len(s.rows) < frequentRows:
		p.addPairs(s)
		s.hash, s.rows = hash, append(s.rows[:0], row)
	default:
		p.pairs = append(p.pairs, uint64(hash)<<32|uint64(row))
	}
}

// addPairs adds the rows of a slot.
func (p *postings) addPairs(s *slot) {
	for _, row := range s.rows {
		p.pairs = append(p.pairs, uint64(s.hash)<<32|uint64(row))
	}
}

// sortAll puts pairs and frequent hashes into order, after the last row.
func (p *postings) sortAll() {
	for i := range p.slots {
		if s := &p.slots[i]; len(s.rows) < frequentRows {
			p.addPairs(s)
		} else {
			p.frequent = append(p.frequent, *s)
		}
	}
	slices.SortFunc(p.frequent, func(a, b slot) int { return cmp.Compare(a.hash, b.hash) })
	p.sortPairs()
}

// sortPairs sorts the pairs by hash, and keeps the order of the rows of each hash.
func (p *postings) sortPairs() {
	const digitBits, mask = hashBits / 2, 1<<(hashBits/2) - 1
	if len(p.pairs) < 1<<digitBits {
		slices.Sort(p.pairs)
		return
	}
	var counts [2][1 << digitBits]uint32
	for _, pair := range p.pairs {
		counts[0][pair>>32&mask]++
		counts[1][pair>>(32+digitBits)&mask]++
	}
	from, to := p.pairs, make([]uint64, len(p.pairs))
	for d := range counts {
		count, shift := &counts[d], 32+d*digitBits
		next := uint32(0)
		for i, n := range count {
			count[i] = next
			next += n
		}
		for _, pair := range from {
			at := &count[pair>>shift&mask]
			to[*at] = pair
			*at++
		}
		from, to = to, from
	}
	p.pairs = from
}

// takeList removes the list with the least hash: its rows in ascending order, each once. It uses the
// memory of buf. ok is false at the end.
func (p *postings) takeList(buf []uint32) (hash uint32, rows []uint32, ok bool) {
	hasPairs, hasFrequent := len(p.pairs) > 0, len(p.frequent) > 0
	switch {
	case !hasPairs && !hasFrequent:
		return 0, nil, false
	case hasPairs && (!hasFrequent || uint32(p.pairs[0]>>32) < p.frequent[0].hash):
		hash = uint32(p.pairs[0] >> 32)
	default:
		hash = p.frequent[0].hash
	}
	rows = buf[:0]
	for len(p.pairs) > 0 && uint32(p.pairs[0]>>32) == hash {
		rows = append(rows, uint32(p.pairs[0]))
		p.pairs = p.pairs[1:]
	}
	if hasFrequent && p.frequent[0].hash == hash {
		rows = append(rows, p.frequent[0].rows...)
		p.frequent = p.frequent[1:]
	}
	return hash, slices.Compact(rows), true // two values of a row may have one hash
}
