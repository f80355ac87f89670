package sealed

import (
	"encoding/binary"
	"hash/crc32"
)

const (
	// HeaderBytes is the size of a file's header: a page, so that blocks of a page are aligned.
	HeaderBytes = 4096
	// HeaderDataBytes is the size of the owner's data in the header.
	HeaderDataBytes = headerSumAt - headerDataAt
	// SumBytes is the size of the sum behind each block.
	SumBytes = 4

	headerDataAt = 32
	headerSumAt  = HeaderBytes - SumBytes
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Format is a kind of file. Magic has 8 bytes.
type Format struct {
	Magic   string
	Version uint32
}

// encodeHeader also returns the sum.
func (f Format) encodeHeader(random [16]byte, data []byte) (b []byte, sum uint32) {
	b = make([]byte, HeaderBytes)
	copy(b, f.Magic)
	binary.LittleEndian.PutUint32(b[8:], f.Version)
	copy(b[16:], random[:])
	copy(b[headerDataAt:headerSumAt], data)
	sum = crc32.Checksum(b[:headerSumAt], castagnoli)
	binary.LittleEndian.PutUint32(b[headerSumAt:], sum)
	return b, sum
}

// blockSum returns the sum of a block at an offset of the file with a header's sum.
func blockSum(headerSum uint32, offset int64, block []byte) uint32 {
	place := uint32(offset) ^ uint32(offset>>32)*0x9E3779B9
	return crc32.Update(headerSum^place, castagnoli, block)
}
