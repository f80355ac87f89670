package segment

import (
	"encoding/binary"

	"github.com/peerledger/peerledger/internal/sealed"
)

const (
	// inlineBytes is the size of a list, less its first row, from which on it is a long list.
	inlineBytes = 1024
	// directoryHead is the size of the number of used bytes of a block.
	directoryHead = 2
)

// directoryWriter writes the long lists, and collects the directory.
type directoryWriter struct {
	lists  *sealed.Section
	start  int64    // of the lists in the file
	blocks []byte   // of the directory, blockBytes each, the last one in use
	used   int      // bytes of the last block
	fences []uint32 // the first hash of each block
	body   []byte
}

// addList adds a list with rows. Hashes ascend.
func (d *directoryWriter) addList(hash uint32, rows []uint32) {
	body := binary.AppendUvarint(d.body[:0], uint64(len(rows))*2)
	body = appendRows(body, rows)
	if len(body) > inlineBytes {
		offset := d.lists.Offset()
		d.writeLongList(rows)
		body = binary.AppendUvarint(body[:0], uint64(len(rows))*2+1)
		body = binary.AppendUvarint(body, uint64(offset-d.start))
		body = binary.AppendUvarint(body, uint64(d.lists.Offset()-offset))
	}
	d.body = body
	d.addEntry(hash, body)
}

// appendRows appends the first row and the distances.
func appendRows(to []byte, rows []uint32) []byte {
	last := uint32(0)
	for _, row := range rows {
		distance := row - last
		if distance < 1<<7 {
			to = append(to, byte(distance))
		} else {
			to = binary.AppendUvarint(to, uint64(distance))
		}
		last = row
	}
	return to
}

func (d *directoryWriter) addEntry(hash uint32, body []byte) {
	var head [4 + binary.MaxVarintLen64]byte
	binary.LittleEndian.PutUint32(head[:], hash)
	n := 4 + binary.PutUvarint(head[4:], uint64(len(body)))
	if len(d.fences) == 0 || d.used+n+len(body) > blockBytes {
		d.endBlock()
		d.fences = append(d.fences, hash)
	}
	d.blocks = append(append(d.blocks, head[:n]...), body...)
	d.used += n + len(body)
}

// endBlock fills the last block with zeros, and begins another one.
func (d *directoryWriter) endBlock() {
	d.finishBlock()
	d.blocks = append(d.blocks, 0, 0)
	d.used = directoryHead
}

func (d *directoryWriter) finishBlock() {
	if len(d.fences) == 0 {
		return
	}
	start := len(d.blocks) - d.used
	binary.LittleEndian.PutUint16(d.blocks[start:], uint16(d.used))
	d.blocks = append(d.blocks, make([]byte, blockBytes-d.used)...)
}

// writeLongList writes a list in blocks. All blocks except for the last one have blockBytes.
func (d *directoryWriter) writeLongList(rows []uint32) {
	block := make([]byte, 0, blockBytes+binary.MaxVarintLen32)
	for i, row := range rows {
		if len(block) > 0 {
			whole := len(block)
			block = binary.AppendUvarint(block, uint64(row-rows[i-1]))
			if len(block) <= blockBytes {
				continue
			}
			// Distances of zero fill the block: no list has a row twice.
			block = block[:whole]
			block = append(block, make([]byte, blockBytes-whole)...)
			d.lists.AppendBlock(block)
		}
		block = binary.LittleEndian.AppendUint32(block[:0], row)
	}
	d.lists.AppendBlock(block)
}

// writeTo writes the directory and its fences behind the lists.
func (d *directoryWriter) writeTo(s *sealed.Section) {
	d.finishBlock()
	for b := d.blocks; len(b) > 0; b = b[blockBytes:] {
		s.AppendBlock(b[:blockBytes])
	}
	fenceRecords.writeAll(s, d.fences)
}
