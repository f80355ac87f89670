package packetlog

import (
	"encoding/binary"

	"github.com/peerledger/peerledger/ledger"
)

const (
	idSize        = 16
	conditionSize = 32
	keySize       = idSize + conditionSize
)

// block collects the packets of a block. Encoded, a block is the number of packets, the size of the
// rows, the rows, the ids, and the conditions. A row has differences to the row before it: they are
// small, and Zstandard finds the repeated ones. Conditions do not compress, and Zstandard finds that out in a
// quarter of the time if nothing else is in their frame.
type block struct {
	rows, ids    []byte
	conditions   []byte
	packets      int
	lastNumber   uint64
	lastResolved int64

	resolved, expiry, number span
}

// add adds a packet whose parties have these indexes in the table of parties.
func (k *block) add(p *Packet, from, to uint32) {
	b := k.rows
	if p.IsRejected() {
		b = append(b, 0)
	} else {
		// 1 is added, so that 0 means a rejected packet; a difference of 2^63 is no difference of numbers.
		b = binary.AppendUvarint(b, zigzag(int64(p.Number-k.lastNumber))+1)
		k.lastNumber = p.Number
		k.number.add(int64(p.Number))
	}
	b = binary.AppendUvarint(b, zigzag(p.ResolvedAt-k.lastResolved))
	b = binary.AppendUvarint(b, zigzag(p.Expiry-p.ResolvedAt))
	b = binary.AppendUvarint(b, uint64(from))
	b = binary.AppendUvarint(b, uint64(to))
	b = binary.AppendUvarint(b, p.In)
	b = binary.AppendUvarint(b, p.Out)
	k.rows = binary.AppendUvarint(b, p.Dust)
	k.ids = binary.BigEndian.AppendUint64(k.ids, p.ID.Hi)
	k.ids = binary.BigEndian.AppendUint64(k.ids, p.ID.Lo)
	k.conditions = append(k.conditions, p.Condition[:]...)
	k.lastResolved = p.ResolvedAt
	k.packets++
	k.resolved.add(p.ResolvedAt)
	k.expiry.add(p.Expiry)
}

// appendRows encodes all that is before the ids.
func (k *block) appendRows(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(k.packets))
	b = binary.AppendUvarint(b, uint64(len(k.rows)))
	return append(b, k.rows...)
}

// reset empties the block and keeps its memory.
func (k *block) reset() { *k = block{rows: k.rows[:0], ids: k.ids[:0], conditions: k.conditions[:0]} }

func zigzag(n int64) uint64 { return uint64(n)<<1 ^ uint64(n>>63) }

// blockReader reads the packets of an encoded block.
type blockReader struct {
	rows         cursor
	ids          cursor
	conditions   cursor
	left         int
	parties      []Party
	lastNumber   uint64
	lastResolved int64
}

// newBlockReader returns nil if the data is no block.
func newBlockReader(data []byte, version uint32, parties []Party) *blockReader {
	c := cursor{rest: data}
	packets := c.count()
	rows := c.bytes(c.count())
	if c.bad || packets > packetsPerBlock || len(c.rest) != packets*keySize {
		return nil
	}
	r := &blockReader{rows: cursor{rest: rows}, ids: cursor{rest: c.bytes(packets * idSize)}, conditions: c, left: packets, parties: parties}
	if version == oldestVersion {
		r.ids.rest, r.conditions.rest = splitKeys(data[len(data)-packets*keySize:])
	}
	return r
}

// splitKeys returns the ids and the conditions of a block of version 1.
func splitKeys(keys []byte) (ids, conditions []byte) {
	for ; len(keys) > 0; keys = keys[keySize:] {
		ids = append(ids, keys[:idSize]...)
		conditions = append(conditions, keys[idSize:keySize]...)
	}
	return ids, conditions
}

// next reads the next packet. It returns false at the end, or at bytes that are no packet: ask isRead.
func (r *blockReader) next(p *Packet) bool {
	if r.left == 0 {
		return false
	}
	p.Number = 0
	if n := r.rows.uint(); n > 0 {
		n--
		r.lastNumber += uint64(int64(n>>1) ^ -int64(n&1))
		p.Number = r.lastNumber
		r.rows.bad = r.rows.bad || p.Number == 0
	}
	r.lastResolved += r.rows.int()
	p.ResolvedAt = r.lastResolved
	p.Expiry = p.ResolvedAt + r.rows.int()
	from, to := r.rows.uint(), r.rows.uint()
	p.In, p.Out, p.Dust = r.rows.uint(), r.rows.uint(), r.rows.uint()
	if r.rows.bad || from >= uint64(len(r.parties)) || to >= uint64(len(r.parties)) {
		r.rows.bad = true
		return false
	}
	p.From, p.To = r.parties[from], r.parties[to]
	p.ID = ledger.IDFromBytes([idSize]byte(r.ids.bytes(idSize)))
	p.Condition = [conditionSize]byte(r.conditions.bytes(conditionSize))
	r.left--
	return true
}

// isRead reports whether the block was read to its end, and had nothing else.
func (r *blockReader) isRead() bool { return r.left == 0 && r.rows.isRead() }
