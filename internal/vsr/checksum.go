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
// (https://datatracker.ietf.org/doc/draft-irtf-cfrg-aegis-aead/). Checksum is made for headers; a
// megabyte takes some tens of milliseconds.
func Checksum(data []byte) [checksumSize]byte {
	state := initialState()
	length := uint64(len(data)) * 8
	for ; len(data) >= 32; data = data[32:] {
		state.absorbBlocks(block(data[:16]), block(data[16:32]))
	}
	if len(data) > 0 {
		var last [32]byte
		copy(last[:], data)
		state.absorbBlocks(block(last[:16]), block(last[16:]))
	}
	return state.computeTag(length)
}

// block is 16 bytes, the unit of AES.
type block [16]byte

func (b block) xorWith(c block) block {
	for i := range b {
		b[i] ^= c[i]
	}
	return b
}

// aegis is the state of AEGIS-128L.
type aegis [8]block

// The constants of the specification.
var (
	constant0 = block{0x00, 0x01, 0x01, 0x02, 0x03, 0x05, 0x08, 0x0d, 0x15, 0x22, 0x37, 0x59, 0x90, 0xe9, 0x79, 0x62}
	constant1 = block{0xdb, 0x3d, 0x18, 0x55, 0x6d, 0xc2, 0x2f, 0xf1, 0x20, 0x11, 0x31, 0x42, 0x73, 0xb5, 0x28, 0xdd}
)

// initialState returns the state for a key and a nonce of zeros.
var initialState = sync.OnceValue(func() aegis {
	s := aegis{{}, constant1, constant0, constant1, {}, constant0, constant1, constant0}
	for range 10 {
		s.absorbBlocks(block{}, block{})
	}
	return s
})

func (s *aegis) absorbBlocks(a, b block) {
	old := *s
	s[0] = aesRound(old[7], old[0].xorWith(a))
	s[1] = aesRound(old[0], old[1])
	s[2] = aesRound(old[1], old[2])
	s[3] = aesRound(old[2], old[3])
	s[4] = aesRound(old[3], old[4].xorWith(b))
	s[5] = aesRound(old[4], old[5])
	s[6] = aesRound(old[5], old[6])
	s[7] = aesRound(old[6], old[7])
}

// computeTag finishes the state after length bits of associated data.
func (s *aegis) computeTag(length uint64) [checksumSize]byte {
	var lengths block
	binary.LittleEndian.PutUint64(lengths[:], length)
	last := s[2].xorWith(lengths)
	for range 7 {
		s.absorbBlocks(last, last)
	}
	tag := s[0]
	for _, b := range s[1:7] {
		tag = tag.xorWith(b)
	}
	return tag
}

// aesRound is a round of AES: substitute each byte, shift the rows, mix the columns, add a key. The
// standard library's AES has no single rounds.
func aesRound(in, key block) (out block) {
	box := substitutionTable()
	for column := range 4 {
		var b [4]byte
		for row := range b {
			b[row] = box[in[(column+row)%4*4+row]]
		}
		for row := range b {
			next, third, fourth := b[(row+1)%4], b[(row+2)%4], b[(row+3)%4]
			out[column*4+row] = doubleByte(b[row]) ^ doubleByte(next) ^ next ^ third ^ fourth
		}
	}
	return out.xorWith(key)
}

// doubleByte multiplies a byte by x, as a polynomial modulo the polynomial of AES.
func doubleByte(b byte) byte { return b<<1 ^ b>>7*0x1b }

// substitutionTable returns the substitutions of AES: an affine map of each byte's inverse in the
// field of AES.
var substitutionTable = sync.OnceValue(func() *[256]byte {
	var box [256]byte
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
	return &box
})
