package vsr

import (
	"encoding/binary"
	"math/bits"
	"sync"
)

// checksumSize is the length of a checksum, in bytes.
const checksumSize = 16

// Checksum returns TigerBeetle's checksum: the 128-bit tag of AEGIS-128L over the bytes as
// associated data, with a key and a nonce of zeros
// (https://datatracker.ietf.org/doc/draft-irtf-cfrg-aegis-aead/). With the AES instructions of
// amd64 a megabyte takes a tenth of a millisecond, elsewhere some three milliseconds.
func Checksum(data []byte) [checksumSize]byte {
	state := initialState()
	length := uint64(len(data)) * 8
	whole := len(data) &^ (stepSize - 1)
	absorb(&state, data[:whole])
	if whole < len(data) {
		var last [stepSize]byte
		copy(last[:], data[whole:])
		absorb(&state, last[:])
	}
	return state.computeTag(length)
}

// stepSize is the number of bytes that the state absorbs in a step.
const stepSize = 32

// absorbPortable absorbs a whole number of steps.
func absorbPortable(state *aegis, data []byte) {
	tables := roundTables()
	for ; len(data) >= stepSize; data = data[stepSize:] {
		state.absorbBlocks(tables, blockOf(data[:16]), blockOf(data[16:stepSize]))
	}
}

// block is 16 bytes, the unit of AES, as four columns. The first byte of a column is its lowest.
type block [4]uint32

func blockOf(b []byte) block {
	_ = b[15]
	return block{
		binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]),
		binary.LittleEndian.Uint32(b[8:]), binary.LittleEndian.Uint32(b[12:]),
	}
}

func (b *block) xorWith(c block) {
	b[0] ^= c[0]
	b[1] ^= c[1]
	b[2] ^= c[2]
	b[3] ^= c[3]
}

// aegis is the state of AEGIS-128L.
type aegis [8]block

// constants returns the two constants of the specification.
func constants() (constant0, constant1 block) {
	return blockOf([]byte{0x00, 0x01, 0x01, 0x02, 0x03, 0x05, 0x08, 0x0d, 0x15, 0x22, 0x37, 0x59, 0x90, 0xe9, 0x79, 0x62}),
		blockOf([]byte{0xdb, 0x3d, 0x18, 0x55, 0x6d, 0xc2, 0x2f, 0xf1, 0x20, 0x11, 0x31, 0x42, 0x73, 0xb5, 0x28, 0xdd})
}

// initialState returns the state for a key and a nonce of zeros.
var initialState = sync.OnceValue(func() aegis {
	constant0, constant1 := constants()
	s := aegis{{}, constant1, constant0, constant1, {}, constant0, constant1, constant0}
	for range 10 {
		s.absorbBlocks(roundTables(), block{}, block{})
	}
	return s
})

// absorbBlocks replaces each block by itself and a round of AES over the block before it.
func (s *aegis) absorbBlocks(t *tables, a, b block) {
	last := s[7]
	for i := 7; i > 0; i-- {
		s[i].xorWith(t.aesRound(&s[i-1]))
	}
	s[0].xorWith(t.aesRound(&last))
	s[0].xorWith(a)
	s[4].xorWith(b)
}

// computeTag finishes the state after length bits of associated data.
func (s *aegis) computeTag(length uint64) (tag [checksumSize]byte) {
	last := s[2]
	last.xorWith(block{uint32(length), uint32(length >> 32)})
	for range 7 {
		s.absorbBlocks(roundTables(), last, last)
	}
	sum := s[0]
	for _, b := range s[1:7] {
		sum.xorWith(b)
	}
	for i, column := range sum {
		binary.LittleEndian.PutUint32(tag[4*i:], column)
	}
	return tag
}

// tables are a round of AES without its key: the table of a row has, for each byte of the row, the
// column that the byte contributes after its substitution. The standard library's AES has no
// single rounds.
type tables [4][256]uint32

// aesRound is a round of AES with a key of zeros: substitute each byte, shift the rows, mix the
// columns.
func (t *tables) aesRound(in *block) block {
	a, b, c, d := in[0], in[1], in[2], in[3]
	return block{
		t[0][byte(a)] ^ t[1][byte(b>>8)] ^ t[2][byte(c>>16)] ^ t[3][byte(d>>24)],
		t[0][byte(b)] ^ t[1][byte(c>>8)] ^ t[2][byte(d>>16)] ^ t[3][byte(a>>24)],
		t[0][byte(c)] ^ t[1][byte(d>>8)] ^ t[2][byte(a>>16)] ^ t[3][byte(b>>24)],
		t[0][byte(d)] ^ t[1][byte(a>>8)] ^ t[2][byte(b>>16)] ^ t[3][byte(c>>24)],
	}
}

// roundTables computes the tables once.
var roundTables = sync.OnceValue(func() *tables {
	var t tables
	for i, substituted := range substitutionTable() {
		s := uint32(substituted)
		double := uint32(doubleByte(substituted))
		column := double | s<<8 | s<<16 | (double^s)<<24
		for row := range t {
			t[row][i] = bits.RotateLeft32(column, 8*row)
		}
	}
	return &t
})

// doubleByte multiplies a byte by x, as a polynomial modulo the polynomial of AES.
func doubleByte(b byte) byte { return b<<1 ^ b>>7*0x1b }

// substitutionTable returns the substitutions of AES: an affine map of each byte's inverse in the
// field of AES.
func substitutionTable() (box [256]byte) {
	p, inverse := byte(1), byte(1)
	for {
		p ^= doubleByte(p) // times 3: the powers of 3 are all bytes except 0
		// Divide the inverse by 3.
		inverse ^= inverse << 1
		inverse ^= inverse << 2
		inverse ^= inverse << 4
		inverse ^= inverse >> 7 * 0x09
		box[p] = 0x63 ^ inverse ^ bits.RotateLeft8(inverse, 1) ^ bits.RotateLeft8(inverse, 2) ^
			bits.RotateLeft8(inverse, 3) ^ bits.RotateLeft8(inverse, 4)
		if p == 1 {
			break
		}
	}
	box[0] = 0x63 // 0 has no inverse
	return box
}
