package segment

import (
	"encoding/binary"
	"fmt"

	"github.com/peerledger/peerledger/internal/sealed"
)

const filePrefix = "segment-"

// Entry names a sealed segment in a manifest: the rows First to End-1 with their first and last
// timestamps, and number, size and sum of the file. There are at most [MaxRows], and End is at most
// [NoPosition].
type Entry struct {
	First, End                    uint64 // positions
	FirstTimestamp, LastTimestamp uint64 // of the rows; nanoseconds since the Unix epoch; 0 without rows
	Number                        uint64 // of the file, random
	Size                          int64  // of the file, in bytes
	Sum                           uint32 // CRC-32C of the file's header
}

// FileName returns the name of the entry's file in the folder.
func (e Entry) FileName() string { return sealed.FileName(filePrefix, e.Number) }

const entryBytes = 52

// AppendManifest appends the encoded entries to a slice. The caller stores them with a checksum.
func AppendManifest(to []byte, entries []Entry) []byte {
	for _, e := range entries {
		to = binary.LittleEndian.AppendUint64(to, e.First)
		to = binary.LittleEndian.AppendUint64(to, e.End)
		to = binary.LittleEndian.AppendUint64(to, e.FirstTimestamp)
		to = binary.LittleEndian.AppendUint64(to, e.LastTimestamp)
		to = binary.LittleEndian.AppendUint64(to, e.Number)
		to = binary.LittleEndian.AppendUint64(to, uint64(e.Size))
		to = binary.LittleEndian.AppendUint32(to, e.Sum)
	}
	return to
}

// DecodeManifest is the reverse of [AppendManifest]. Each segment must begin at the end of the
// segment before it.
func DecodeManifest(b []byte) ([]Entry, error) {
	if len(b)%entryBytes != 0 {
		return nil, fmt.Errorf("segment: a manifest of %d bytes", len(b))
	}
	var entries []Entry
	var end uint64
	for ; len(b) > 0; b = b[entryBytes:] {
		e := Entry{
			First:          binary.LittleEndian.Uint64(b),
			End:            binary.LittleEndian.Uint64(b[8:]),
			FirstTimestamp: binary.LittleEndian.Uint64(b[16:]),
			LastTimestamp:  binary.LittleEndian.Uint64(b[24:]),
			Number:         binary.LittleEndian.Uint64(b[32:]),
			Size:           int64(binary.LittleEndian.Uint64(b[40:])),
			Sum:            binary.LittleEndian.Uint32(b[48:]),
		}
		if e.End < e.First || e.End-e.First > MaxRows || e.End > NoPosition || len(entries) > 0 && e.First != end || e.FirstTimestamp > e.LastTimestamp {
			return nil, fmt.Errorf("segment: a manifest with a segment of the rows %d to %d behind row %d", e.First, e.End, end)
		}
		end = e.End
		entries = append(entries, e)
	}
	return entries, nil
}

// RemoveUnnamed removes the segments in the folder that no entry names, and unfinished ones.
func RemoveUnnamed(folder sealed.Folder, entries []Entry) error {
	keep := make([]string, len(entries))
	for i, e := range entries {
		keep[i] = e.FileName()
	}
	return sealed.RemoveOthers(folder, filePrefix, keep)
}
