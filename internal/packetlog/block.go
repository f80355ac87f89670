package packetlog

import (
	"encoding/binary"

	"github.com/peerledger/peerledger/ledger"
)

// keySize is the size of a packet's id and condition.
const keySize = 16 + 32

// block collects the packets of a block. Encoded, a block is the number of packets, the size of the
// rows, the rows, and the ids and conditions. A row has differences to the row before it: they are
// small, and Zstandard finds the repeated ones. Ids and conditions do not compress, and stand apart.
type block struct {
	rows, keys   []byte
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
	k.keys = binary.BigEndian.AppendUint64(k.keys, p.ID.Hi)
	k.keys = binary.BigEndian.AppendUint64(k.keys, p.ID.Lo)
	k.keys = append(k.keys, p.Condition[:]...)
	k.lastResolved = p.ResolvedAt
	k.packets++
	k.resolved.add(p.ResolvedAt)
	k.expiry.add(p.Expiry)
}

func (k *block) appendTo(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(k.packets))
	b = binary.AppendUvarint(b, uint64(len(k.rows)))
	b = append(b, k.rows...)
	return append(b, k.keys...)
}

// reset empties the block and keeps its memory.
func (k *block) reset() { *k = block{rows: k.rows[:0], keys: k.keys[:0]} }

func zigzag(n int64) uint64 { return uint64(n)<<1 ^ uint64(n>>63) }

// blockReader reads the packets of an encoded block.
type blockReader struct {
	rows, keys   cursor
	left         int
	parties      []Party
	lastNumber   uint64
	lastResolved int64
}

// newBlockReader returns nil if the data is no block.
func newBlockReader(data []byte, parties []Party) *blockReader {
	c := cursor{rest: data}
	packets := c.count()
	rows := c.bytes(c.count())
	if c.bad || packets > packetsPerBlock || len(c.rest) != packets*keySize {
		return nil
	}
	return &blockReader{rows: cursor{rest: rows}, keys: c, left: packets, parties: parties}
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
	keys := r.keys.bytes(keySize)
	p.ID = ledger.ID{Hi: binary.BigEndian.Uint64(keys), Lo: binary.BigEndian.Uint64(keys[8:])}
	p.Condition = [32]byte(keys[16:])
	r.left--
	return true
}

// isRead reports whether the block was read to its end, and had nothing else.
func (r *blockReader) isRead() bool { return r.left == 0 && r.rows.isRead() && r.keys.isRead() }
