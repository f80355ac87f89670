//go:build cgo && unix

package server_test

import (
	"encoding/binary"

	"github.com/peerledger/peerledger/internal/vsr"
	"github.com/peerledger/peerledger/ledger/server"
)

// requestBody is the size of the largest body of a request, in bytes.
const requestBody = server.RequestMaxDevelopment - vsr.HeaderSize

// randomCounts returns the number of elements in each batch of a request: mostly few small batches,
// else a body of about the largest size, or more batches than elements.
func (d *differential) randomCounts(s shape) (counts []int) {
	room := requestBody / s.element
	switch {
	case s.filter:
		for range 1 + d.random.IntN(5) {
			counts = append(counts, 1)
		}
		if d.oneIn(6) {
			counts[d.random.IntN(len(counts))] = d.random.IntN(6)
		}
	case !d.oneIn(30):
		for range 1 + d.random.IntN(5) {
			counts = append(counts, d.random.IntN(6))
		}
	case d.oneIn(3):
		counts = make([]int, 1+d.random.IntN(requestBody/2))
	case s.batched && d.oneIn(2):
		for range room - 5 + d.random.IntN(10) {
			counts = append(counts, d.random.IntN(2))
		}
	default:
		// A body without a trailer has room for one event more than the embedded ledger takes.
		counts = []int{room - 1 - d.random.IntN(3)}
	}
	if !s.batched {
		return counts[:1]
	}
	return counts
}

func encodeTrailer(counts []int, element int) []byte {
	trailer := make([]byte, (2*(len(counts)+1)+element-1)/element*element)
	for i := range trailer {
		trailer[i] = 0xFF
	}
	for i, n := range append([]int{len(counts)}, counts...) {
		binary.LittleEndian.PutUint16(trailer[len(trailer)-2*(i+1):], uint16(n))
	}
	return trailer
}
