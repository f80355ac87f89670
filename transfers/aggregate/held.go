package aggregate

import (
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// heldPacket is a packet that is prepared, or waits for it.
type heldPacket struct {
	id       ledger.ID
	charge   uint64        // taken from the sender's reservations
	end      int64         // of the hold, by the horizon's clock, ns since the Unix epoch
	until    time.Duration // reservations must outlive it, by the monotonic clock
	sender   uint32        // index of the party
	receiver uint32
	slot     uint32 // in the buckets
	next     uint32 // index + 1 in the list of its bucket, or of the free ones; 0: the last
	previous uint32 // index + 1
	waiting  bool   // not decided: machine.waiting has the rest, and the sender's held does not count it
	isRated  bool   // the sender's rates count it
}

// heldPackets are the held packets by index, in lists by the time at which their holds end. They
// have no pointers. Memory of resolved packets is used again.
type heldPackets struct {
	chunks  []*[heldChunk]heldPacket
	free    uint32 // index + 1 of the first free one
	count   int
	buckets []uint32 // index + 1 of the first packet of each; the bucket of a moment is moment / width, modulo their number
	swept   int64    // number of the first bucket whose holds may not have ended
}

const heldChunk = 1024

// bucketShift makes buckets of 67 ms. A hold ends up to so long after its time: until then a
// fulfill is in time.
const bucketShift = 26

// newHeldPackets returns room for holds that end at most life after the clock. clock is the
// horizon's.
func newHeldPackets(life time.Duration, clock int64) heldPackets {
	return heldPackets{buckets: make([]uint32, int64(life)>>bucketShift+3), swept: clock >> bucketShift}
}

func (h *heldPackets) at(i uint32) *heldPacket { return &h.chunks[i/heldChunk][i%heldChunk] }

// slotOf returns the bucket of a hold. One that has ended is in the first bucket that is looked at.
func (h *heldPackets) slotOf(end int64) uint32 {
	return uint32(max(end>>bucketShift, h.swept) % int64(len(h.buckets)))
}

// add adds a packet and returns its index.
func (h *heldPackets) add(k heldPacket) uint32 {
	if h.free == 0 {
		h.grow()
	}
	i := h.free - 1
	p := h.at(i)
	h.free = p.next
	k.slot, k.next, k.previous = h.slotOf(k.end), 0, 0
	*p = k
	first := &h.buckets[k.slot]
	if p.next = *first; p.next != 0 {
		h.at(p.next - 1).previous = i + 1
	}
	*first = i + 1
	h.count++
	return i
}

// grow adds free packets.
func (h *heldPackets) grow() {
	base := uint32(len(h.chunks) * heldChunk)
	h.chunks = append(h.chunks, new([heldChunk]heldPacket))
	for i := base + heldChunk; i > base; i-- {
		h.at(i - 1).next = h.free
		h.free = i
	}
}

// remove takes a packet out.
func (h *heldPackets) remove(i uint32) {
	p := h.at(i)
	if p.next != 0 {
		h.at(p.next - 1).previous = p.previous
	}
	if p.previous != 0 {
		h.at(p.previous - 1).next = p.next
	} else {
		h.buckets[p.slot] = p.next
	}
	*p = heldPacket{next: h.free}
	h.free = i + 1
	h.count--
}

// firstEnded returns the index of a packet in a bucket that lies before the clock.
func (h *heldPackets) firstEnded(clock int64) (uint32, bool) {
	now := clock >> bucketShift
	if now-h.swept > int64(len(h.buckets)) { // each bucket once is enough
		h.skipTo(now - int64(len(h.buckets)))
	}
	for ; h.swept < now; h.swept++ {
		if first := h.buckets[h.swept%int64(len(h.buckets))]; first != 0 {
			return first - 1, true
		}
	}
	return 0, false
}

// skipTo leaves out moments. Buckets keep their places, since places repeat.
func (h *heldPackets) skipTo(number int64) {
	n := int64(len(h.buckets))
	h.swept += (number - h.swept) / n * n
}
