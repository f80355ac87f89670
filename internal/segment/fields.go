package segment

import (
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

// postings are pairs of a hash and a row, the hash in the upper half.
type postings struct {
	hash  fieldHash
	pairs []uint64
}

func (p *postings) addRow(row uint32, r *Row) {
	p.addValue(row, FieldDebitAccount, uint128.Uint128(r.DebitAccountID))
	p.addValue(row, FieldCreditAccount, uint128.Uint128(r.CreditAccountID))
	p.addValue(row, FieldUserData128, r.UserData128)
	p.addNumber(row, FieldUserData64, r.UserData64)
	p.addNumber(row, FieldUserData32, uint64(r.UserData32))
	p.addNumber(row, FieldLedger, uint64(r.Ledger))
	p.addNumber(row, FieldCode, uint64(r.Code))
}

func (p *postings) addNumber(row uint32, field Field, value uint64) {
	if value != 0 {
		p.pairs = append(p.pairs, uint64(p.hash.hashValue(field, value, 0))<<32|uint64(row))
	}
}

func (p *postings) addValue(row uint32, field Field, value uint128.Uint128) {
	if !value.IsZero() {
		p.pairs = append(p.pairs, uint64(p.hash.hashValue(field, value.Lo, value.Hi))<<32|uint64(row))
	}
}

// sortPairs sorts the pairs, which were added in ascending order of rows.
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

// takeList removes the first list from the sorted pairs: its hash, and its rows in ascending order,
// each once. The rows are in the upper part of the slice given.
func (p *postings) takeList(rows []uint32) (hash uint32, list []uint32) {
	hash, list = uint32(p.pairs[0]>>32), rows[:0]
	n := 0
	for ; n < len(p.pairs) && uint32(p.pairs[n]>>32) == hash; n++ {
		if row := uint32(p.pairs[n]); len(list) == 0 || list[len(list)-1] != row {
			list = append(list, row)
		}
	}
	p.pairs = p.pairs[n:]
	return hash, list
}
