package idindex

import (
	"math/bits"

	"github.com/peerledger/peerledger/ledger"
)

// hashSeed is random, so that a client cannot choose ids with one hash.
type hashSeed [2]uint64

// hashShift is the number of bits of a key that are not of the hash.
const hashShift = 3 + highBits

// hashID returns the hash of an id: 53 bits, and zeros in place of the rest of a key.
func (s hashSeed) hashID(id ledger.ID) uint64 {
	hi, lo := bits.Mul64(id.Lo^s[0], id.Hi^s[1])
	hi, lo = bits.Mul64(lo^s[1], hi^s[0]^0x9E3779B97F4A7C15)
	return (hi ^ lo) & hashMask
}

// scaleHash returns the share of n that lies before the hash.
func scaleHash(hash, n uint64) uint64 {
	share, _ := bits.Mul64(hash, n)
	return share
}
