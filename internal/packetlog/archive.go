package packetlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/bits"
	"path/filepath"
	"strings"

	"github.com/peerledger/peerledger/ledger"
)

// ArchiveFolder is the name of the folder of archive files in the folder of a journal.
const ArchiveFolder = "archive"

// An archive file has the packets and rounds of a part of a journal. Its name is "packets-" and its
// number, 16 hexadecimal digits. While it is written it has the suffix ".tmp" as well.
//
//	header   magic "PKT ARC\n", version u32, journal u64, number u64, sum u32
//	chunks   blocks of packets, tables of parties and rounds, pages and directories of indexes
//	footer   a chunk: counts, where the other chunks are, and the range of times and numbers of each block
//	trailer  offset of the footer u64, its length u64, magic "PKT END\n", sum u32
//
// Fixed integers are big endian, all others are varints of encoding/binary. A sum is a CRC-32C. That
// of the header is over the bytes before it. The others continue it: the trailer's with the bytes
// before it, and a chunk's, the first 4 bytes of a chunk, with the chunk's offset (u64) and its data.
// So a chunk of another file, or from another place, does not pass. Version and sum of the header
// stay at their places in every later format.
//
// Blocks and tables are compressed (Zstandard). A block has up to [packetsPerBlock] packets, and in version 2
// the ids and the conditions in frames of their own; in version 1 each condition is behind its id. After at
// most [blocksPerGroup] blocks come the indexes of these blocks (postings.go): by id, by condition and by party.
const (
	archiveMagic  = "PKT ARC\n"
	trailerMagic  = "PKT END\n"
	formatVersion = 2
	oldestVersion = 1

	headerSize  = 8 + 4 + 8 + 8 + sumSize
	trailerSize = 8 + 8 + 8 + sumSize
	sumSize     = 4

	archivePrefix = "packets-"
	tmpSuffix     = ".tmp"

	packetsPerBlock = 2048
	blocksPerGroup  = 256
	tableChunk      = 64 << 10 // bytes of a table, before compression, after which a chunk ends
	maxPeerSize     = 64 << 10 // of a peer's id
	maxRawChunk     = 512 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	// ErrArchiveCorrupt is returned when an archive file does not have the content written to it. An
	// [ArchiveError] names file and offset.
	ErrArchiveCorrupt = errors.New("packetlog: archive is corrupt")
	// ErrArchiveVersion is returned for an archive file written by a newer program, in an unknown format.
	ErrArchiveVersion = errors.New("packetlog: unknown version of an archive")
)

// ArchiveError names a damaged archive file. It matches [ErrArchiveCorrupt].
type ArchiveError struct {
	File   string // the path
	Offset int64  // of the damaged part, in bytes from the start of the file
	Reason string
}

func (e *ArchiveError) Error() string {
	return fmt.Sprintf("packetlog: %s is corrupt at byte %d: %s", e.File, e.Offset, e.Reason)
}

// Is reports whether target is [ErrArchiveCorrupt].
func (e *ArchiveError) Is(target error) bool { return target == ErrArchiveCorrupt }

// ArchivePath returns the path of the archive file with a number in a folder.
func ArchivePath(folder string, number uint64) string {
	return filepath.Join(folder, archiveName(number))
}

func archiveName(number uint64) string { return fmt.Sprintf("%s%016x", archivePrefix, number) }

// parseArchiveName is the reverse of archiveName.
func parseArchiveName(name string) (number uint64, ok bool) {
	digits, ok := strings.CutPrefix(name, archivePrefix)
	if !ok {
		return 0, false
	}
	if _, err := fmt.Sscanf(digits, "%x", &number); err != nil {
		return 0, false
	}
	return number, name == archiveName(number)
}

// encodeHeader also returns the header's sum.
func encodeHeader(journal, number uint64) ([]byte, uint32) {
	b := append(make([]byte, 0, headerSize), archiveMagic...)
	b = binary.BigEndian.AppendUint32(b, formatVersion)
	b = binary.BigEndian.AppendUint64(b, journal)
	b = binary.BigEndian.AppendUint64(b, number)
	sum := crc32.Checksum(b, castagnoli)
	return binary.BigEndian.AppendUint32(b, sum), sum
}

func encodeTrailer(headerSum uint32, footer chunk) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, trailerSize), uint64(footer.offset))
	b = binary.BigEndian.AppendUint64(b, uint64(footer.length))
	b = append(b, trailerMagic...)
	return binary.BigEndian.AppendUint32(b, crc32.Update(headerSum, castagnoli, b))
}

// chunk is the place of a chunk in a file; length includes the sum.
type chunk struct{ offset, length int64 }

func chunkSum(headerSum uint32, offset int64, data []byte) uint32 {
	var at [8]byte
	binary.BigEndian.PutUint64(at[:], uint64(offset))
	return crc32.Update(crc32.Update(headerSum, castagnoli, at[:]), castagnoli, data)
}

// span is a range of values, both ends included. The zero span with seen false is empty.
type span struct {
	low, high int64
	seen      bool
}

func (s *span) add(v int64) {
	if !s.seen {
		*s = span{v, v, true}
		return
	}
	s.low, s.high = min(s.low, v), max(s.high, v)
}

// addSpan adds all values of another span.
func (s *span) addSpan(other span) {
	if other.seen {
		s.add(other.low)
		s.add(other.high)
	}
}

// idKey is the key of a packet's id in the index of ids.
func idKey(id ledger.ID) uint32 { return mixKey(id.Hi, id.Lo) }

// conditionKey is the key of a condition, by its first 8 bytes, in the index of conditions.
func conditionKey(first8 uint64) uint32 { return mixKey(0, first8) }

// mixKey spreads ids that differ in a few bits only over all keys.
func mixKey(hi, lo uint64) uint32 {
	const a, b = 0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f // odd, with bits of either kind everywhere
	h := lo*a ^ bits.RotateLeft64(hi*b, 32)
	h ^= h >> 29
	return uint32(h * b >> 32)
}

// cursor reads the integers of a chunk. After the first that is not there, all are 0.
type cursor struct {
	rest []byte
	bad  bool
}

func (c *cursor) uint() uint64 {
	n, size := binary.Uvarint(c.rest)
	if size <= 0 {
		c.bad, c.rest = true, nil
		return 0
	}
	c.rest = c.rest[size:]
	return n
}

func (c *cursor) int() int64 {
	n := c.uint()
	return int64(n>>1) ^ -int64(n&1)
}

// atMost reads an integer with a bound.
func (c *cursor) atMost(bound uint64) int {
	n := c.uint()
	if n > bound {
		c.bad, c.rest = true, nil
		return 0
	}
	return int(n)
}

// count reads a number of parts that follow, each of at least one byte.
func (c *cursor) count() int { return c.atMost(uint64(len(c.rest))) }

func (c *cursor) bytes(n int) []byte {
	if n > len(c.rest) {
		c.bad, c.rest = true, nil
		return nil
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	return b
}

// isRead reports whether all was read, and all was there.
func (c *cursor) isRead() bool { return !c.bad && len(c.rest) == 0 }
