package wal

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
)

// MaxData is the largest number of bytes of data in a record. No file makes [Open] allocate much
// more.
const MaxData = 64 << 20

const (
	frameHeader  = 24
	numberOffset = 8 // of the record's number in a frame

	// Kinds of no record. A frame of zeros is no frame.
	kindNone = 0
	kindEnd  = 255
)

// Record is a record read by [Open]. Data is valid only during the call of restore.
type Record struct {
	Kind uint8 // 1 to 254
	Data []byte
}

// checkRecord panics if a record cannot have this kind or size: only a bug asks for one.
func checkRecord(kind uint8, bytes int) {
	if kind == kindNone || kind == kindEnd || bytes > MaxData {
		panic(fmt.Sprintf("wal: no record can be of kind %d and have %d bytes", kind, bytes))
	}
}

// putFrameHeader encodes the header of a frame with the data. sum is the sum of the file's header.
func putFrameHeader(b []byte, sum uint32, number uint64, kind uint8, data []byte) {
	b = b[:frameHeader]
	binary.LittleEndian.PutUint32(b[4:], uint32(len(data)))
	binary.LittleEndian.PutUint64(b[numberOffset:], number)
	b[16] = kind
	clear(b[17:])
	sum = crc32.Update(sum, castagnoli, b[4:])
	binary.LittleEndian.PutUint32(b, crc32.Update(sum, castagnoli, data))
}

// resumFrames moves encoded frames to another file, whose header has the sum.
func resumFrames(frames []byte, sum uint32) {
	for len(frames) > 0 {
		end := frameHeader + int(binary.LittleEndian.Uint32(frames[4:]))
		binary.LittleEndian.PutUint32(frames, crc32.Update(sum, castagnoli, frames[4:end]))
		frames = frames[end:]
	}
}

func endFrame(sum uint32, number uint64) []byte {
	b := make([]byte, frameHeader)
	putFrameHeader(b, sum, number, kindEnd, nil)
	return b
}

// damage is the reason why bytes are not the written ones. The caller knows the place, and turns
// the damage into a [CorruptError] or a [Torn].
type damage string

func (d damage) Error() string { return string(d) }

// frameReader reads the frames of a file.
type frameReader struct {
	source     *bufio.Reader
	sum        uint32 // of the file's header
	size       int64  // of the file
	offset     int64  // of the next frame
	nextNumber uint64 // that it must have
	buf        []byte
}

func newFrameReader(f file, sum uint32, size int64) *frameReader {
	return newFrameReaderAt(f, sum, headerSize, size)
}

// newFrameReaderAt reads the frames from an offset on.
func newFrameReaderAt(f file, sum uint32, offset, size int64) *frameReader {
	return &frameReader{
		source: bufio.NewReaderSize(io.NewSectionReader(f, offset, size-offset), int(min(size, 256<<10))),
		sum:    sum, size: size, offset: offset,
		buf: make([]byte, frameHeader),
	}
}

// readFrame reads a frame, or returns io.EOF at the end of the file. The error is a damage if the
// bytes are no frame, else the file system's. After an error the offset is still the frame's.
func (r *frameReader) readFrame() (Record, error) {
	left := r.size - r.offset - frameHeader
	switch {
	case left == -frameHeader:
		return Record{}, io.EOF
	case left < 0:
		return Record{}, damage("the file ends within the header of a frame")
	}
	head := r.buf[:frameHeader]
	if err := r.readFully(head); err != nil {
		return Record{}, err
	}
	length := int64(binary.LittleEndian.Uint32(head[4:]))
	if length > MaxData || length > left {
		return Record{}, damage(fmt.Sprintf("a frame with %d bytes of data, where the file has %d", length, left))
	}
	r.buf = slices.Grow(head, int(length))[:frameHeader+length]
	if err := r.readFully(r.buf[frameHeader:]); err != nil {
		return Record{}, err
	}
	record, err := r.decodeFrame()
	if err != nil {
		return Record{}, err
	}
	r.offset += int64(len(r.buf))
	if record.Kind != kindEnd {
		r.nextNumber++
	}
	return record, nil
}

// readFully reads bytes that are within the size of the file. If they are missing, the file became
// shorter just now; this is neither a torn frame nor the end.
func (r *frameReader) readFully(b []byte) error {
	_, err := io.ReadFull(r.source, b)
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// decodeFrame checks the frame in the buffer.
func (r *frameReader) decodeFrame() (Record, error) {
	head, data := r.buf[:frameHeader], r.buf[frameHeader:]
	if binary.LittleEndian.Uint32(head) != crc32.Update(r.sum, castagnoli, r.buf[4:]) {
		return Record{}, damage("the checksum of the frame does not match")
	}
	kind := head[16]
	if number := binary.LittleEndian.Uint64(head[numberOffset:]); number != r.nextNumber {
		return Record{}, damage(fmt.Sprintf("record %d where record %d should be", number, r.nextNumber))
	}
	if kind == kindNone || kind == kindEnd && len(data) > 0 || !isZero(head[17:]) {
		return Record{}, damage("a frame that no writer makes")
	}
	return Record{Kind: kind, Data: data}, nil
}
