package wal

import (
	"encoding/binary"
	"hash/crc32"
)

const (
	headerSize = 512
	version    = 1

	logMagic        = "WAL LOG\n"
	checkpointMagic = "WAL CKP\n"

	sumOffset  = 48 // also the number of summed bytes
	markOffset = 64
	markSize   = 16
	markSlots  = 2
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is the beginning of a file; doc.go has the layout.
type header struct {
	magic        string
	recordFormat uint32 // the format of the owner's records, less 1
	folder       [16]byte
	number       uint64
	first        uint64
}

// encodeHeader also returns the sum, continued by the sums of marks and frames.
func (h header) encodeHeader() (b []byte, sum uint32) {
	b = make([]byte, headerSize)
	copy(b, h.magic)
	binary.LittleEndian.PutUint32(b[8:], version)
	binary.LittleEndian.PutUint32(b[12:], h.recordFormat)
	copy(b[16:], h.folder[:])
	binary.LittleEndian.PutUint64(b[32:], h.number)
	binary.LittleEndian.PutUint64(b[40:], h.first)
	sum = crc32.Checksum(b[:sumOffset], castagnoli)
	binary.LittleEndian.PutUint32(b[sumOffset:], sum)
	if h.magic == logMagic {
		for slot := range markSlots {
			at := markOffset + slot*markSize
			copy(b[at:], encodeMark(sum, headerSize))
		}
	}
	return b, sum
}

// headerSum returns the sum of the encoded header.
func (h header) headerSum() uint32 {
	_, sum := h.encodeHeader()
	return sum
}

// decodeHeader reads a header that must have the magic. The error is a damage, or a [VersionError]
// without a file.
func decodeHeader(b []byte, magic string) (header, error) {
	if len(b) < headerSize {
		return header{}, damage("the file is shorter than its header")
	}
	h := header{
		magic:        magic,
		recordFormat: binary.LittleEndian.Uint32(b[12:]),
		folder:       [16]byte(b[16:]),
		number:       binary.LittleEndian.Uint64(b[32:]),
		first:        binary.LittleEndian.Uint64(b[40:]),
	}
	sum := binary.LittleEndian.Uint32(b[sumOffset:])
	if string(b[:len(magic)]) != magic || crc32.Checksum(b[:sumOffset], castagnoli) != sum {
		return header{}, damage("the header is damaged, or not one of this kind of file")
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != version {
		return header{}, &VersionError{Content: "file", Format: v, Reads: version}
	}
	marks := b[markOffset : markOffset+markSlots*markSize]
	if magic == checkpointMagic && !isZero(marks) ||
		!isZero(b[sumOffset+4:markOffset]) || !isZero(b[markOffset+len(marks):headerSize]) {
		return header{}, damage("a byte of the header that must be zero is not")
	}
	return h, nil
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// encodeMark encodes a slot of the mark: all bytes below length are synced.
func encodeMark(sum uint32, length int64) []byte {
	b := make([]byte, markSize)
	binary.LittleEndian.PutUint64(b, uint64(length))
	binary.LittleEndian.PutUint32(b[8:], crc32.Update(sum, castagnoli, b[:8]))
	return b
}

// decodeMark reads the mark of a header: the larger valid slot, and its index. An invalid slot was
// being written at the time of a crash.
func decodeMark(b []byte, sum uint32) (length int64, slot int, ok bool) {
	for i := range markSlots {
		at := markOffset + i*markSize
		n := int64(binary.LittleEndian.Uint64(b[at:]))
		valid := n >= headerSize && string(b[at:at+markSize]) == string(encodeMark(sum, n))
		if valid && n > length {
			length, slot, ok = n, i, true
		}
	}
	return length, slot, ok
}
