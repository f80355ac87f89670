package server

import (
	"encoding/binary"

	"github.com/peerledger/peerledger/internal/vsr"
)

// bodyMax is the size of the largest body of a reply, in bytes. The limit of requests
// ([Config.RequestMax]) does not concern replies.
const bodyMax = vsr.MessageMax - vsr.HeaderSize

// A body of a multi-batch operation has the elements of all batches, then a trailer of whole
// elements: filler, the count of the last batch, ..., the count of the first batch, and the number
// of batches. All are 16 bits wide; filler is filler bits.
const (
	countSize  = 2
	filler     = 0xFFFF
	batchesMax = filler - 1
)

// batches are the elements of all batches of a body, and the number of elements in each.
type batches struct {
	elements []byte
	counts   []int
}

// trailerSize returns the size of the trailer for n batches, in bytes.
func trailerSize(n, element int) int {
	return (countSize*(n+1) + element - 1) / element * element
}

// decodeBatches reads the body of a multi-batch operation with elements of this size. It returns
// false for a body that no client sends.
func decodeBatches(body []byte, element int) (b batches, valid bool) {
	if len(body) == 0 || len(body)%element != 0 {
		return b, false
	}
	n := int(binary.LittleEndian.Uint16(body[len(body)-countSize:]))
	trailer := trailerSize(n, element)
	if n == 0 || n > batchesMax || trailer > len(body) {
		return b, false
	}
	b.elements = body[:len(body)-trailer]
	b.counts = make([]int, n)
	sum, at := 0, len(body)-countSize
	for i := range b.counts {
		at -= countSize
		b.counts[i] = int(binary.LittleEndian.Uint16(body[at:]))
		sum += b.counts[i]
	}
	for _, c := range body[len(b.elements):at] {
		if c != filler&0xFF {
			return b, false
		}
	}
	return b, sum*element == len(b.elements)
}

// appendBatches appends the body of a multi-batch reply.
func appendBatches(to []byte, b batches, element int) []byte {
	to = append(to, b.elements...)
	trailer := trailerSize(len(b.counts), element)
	for range trailer - countSize*(len(b.counts)+1) {
		to = append(to, filler&0xFF)
	}
	for i := len(b.counts) - 1; i >= 0; i-- {
		to = binary.LittleEndian.AppendUint16(to, uint16(b.counts[i])) // at most 8,189 fit a reply
	}
	return binary.LittleEndian.AppendUint16(to, uint16(len(b.counts)))
}

// decodeBody reads the body of a request. It returns false for a body that the operation does not
// take, or whose results might not fit a reply.
func (r *rules) decodeBody(body []byte) (b batches, valid bool) {
	if r.multiBatch {
		b, valid = decodeBatches(body, r.event)
	} else {
		b, valid = batches{body, []int{len(body) / r.event}}, len(body)%r.event == 0
	}
	if !valid {
		return b, false
	}
	trailer := 0
	if r.multiBatch {
		trailer = trailerSize(len(b.counts), r.result)
	}
	results := len(b.elements) / r.event
	if r.limitAt != noFilter {
		results = 0
		most := bodyMax / r.result
		if r.multiBatch {
			most = (bodyMax - trailerSize(1, r.result)) / r.result
		}
		for i, n := range b.counts {
			if n != 1 {
				return b, false
			}
			limit := binary.LittleEndian.Uint32(b.elements[i*r.event+r.limitAt:])
			results += int(min(limit, uint32(most)))
		}
	}
	return b, results*r.result+trailer <= bodyMax
}
