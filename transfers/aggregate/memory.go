package aggregate

import (
	"math/bits"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// packetState is what a machine remembers of a packet. 0 is no packet.
type packetState uint8

const (
	stateHeld      packetState = iota + 1 // prepared, or waiting for it: an openPacket has the rest
	stateExpired                          // the hold has ended
	stateFulfilled                        // journaled
	stateRejected                         // journaled
)

// memory remembers packets by id, until their horizon has passed. It has no pointers, so the garbage
// collector does not look into it. Ids spread over shards. Packets beyond the horizon go when their
// place is needed, or in a sweep, so a packet may stay longer than its horizon.
type memory struct {
	seed   [2]uint64
	shards []memoryShard
	live   int // in all shards, with those beyond the horizon
	filled int // shards with entries
	swept  int // shard to sweep next
}

type memoryShard struct {
	entries []memoryEntry
	used    int
}

// memoryEntry is a packet in 32 bytes.
type memoryEntry struct {
	id    ledger.ID
	seal  uint64 // a hash of the packet's fields: see [machine.seal]
	state uint64 // stateBits of packetState, then the index of the openPacket, or the end of the hold in ms since the Unix epoch
}

const (
	shardBits = 12
	stateBits = 3
	stateMask = 1<<stateBits - 1
	leastSize = 8 // entries of a shard that is not empty
	groupSize = 4 // slots side by side; a power of two that divides the entries of a shard
)

func newMemory(seed [2]uint64) memory {
	return memory{seed: seed, shards: make([]memoryShard, 1<<shardBits)}
}

func (e *memoryEntry) kind() packetState { return packetState(e.state & stateMask) }

// open returns the index of the openPacket of a packet that is held.
func (e *memoryEntry) open() uint32 { return uint32(e.state >> stateBits) }

func (e *memoryEntry) setHeld(open uint32) { e.state = uint64(open)<<stateBits | uint64(stateHeld) }

// setEnded notes that a packet is no longer held. end is the end of its hold, ns since the Unix epoch.
func (e *memoryEntry) setEnded(state packetState, end int64) {
	e.state = uint64(ceilMillis(end))<<stateBits | uint64(state)
}

// isBeyond reports whether the packet may be forgotten at a moment: its hold ended before.
func (e *memoryEntry) isBeyond(ms int64) bool {
	return e.kind() != stateHeld && int64(e.state>>stateBits) < ms
}

const nanosPerMilli = 1_000_000

func ceilMillis(ns int64) int64 { return (max(ns, 0) + nanosPerMilli - 1) / nanosPerMilli }

// Factors of hashes: odd, with bits all over.
const (
	firstOdd  = 0xa0761d6478bd642f
	secondOdd = 0xe7037ed1a0b428db
)

// mixWords returns a hash of two words: the halves of their product, folded.
func mixWords(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// shardOf returns the shard of an id, and the hash for its slots. Ids that differ in the low 20 bits
// alone, as those that [chart.PacketIDs] makes one after another, have the same shard: packets of a moment are close
// together in memory, and the processor finds their pages without a walk. Groups of such ids have slots side
// by side, and so share cache lines.
func (t *memory) shardOf(id ledger.ID) (*memoryShard, uint64) {
	const block = 20
	h := mixWords(mixWords((id.Lo>>block)^t.seed[0], firstOdd)^id.Hi, t.seed[1]^secondOdd)
	number := id.Lo >> 8 // the low 8 bits of ids are 0
	return &t.shards[h>>(64-shardBits)], mixWords(h^number/groupSize, firstOdd)&^(groupSize-1) | number%groupSize
}

// slot returns the first slot to look at.
func (s *memoryShard) slot(h uint64) int {
	group, _ := bits.Mul64(h, uint64(len(s.entries)/groupSize))
	return int(group*groupSize | h%groupSize)
}

// find returns the entry of an id, or nil. The entry is valid until the next insert or remove.
func (t *memory) find(id ledger.ID) *memoryEntry {
	s, h := t.shardOf(id)
	if s.used == 0 {
		return nil
	}
	i := s.slot(h)
	for {
		e := &s.entries[i]
		switch {
		case e.state == 0:
			return nil
		case e.id == id:
			return e
		}
		if i++; i == len(s.entries) {
			i = 0
		}
	}
}

// insert adds an id that is not there, and returns its entry, which the caller fills. forgetBefore
// is the moment before which ended holds may be forgotten, ms since the Unix epoch: the place of such
// a packet is used again, so a busy shard is seldom built again.
func (t *memory) insert(id ledger.ID, forgetBefore int64) *memoryEntry {
	s, h := t.shardOf(id)
	e := s.place(h, forgetBefore)
	if e == nil {
		for range sweptPerRebuild {
			t.sweepNext(forgetBefore)
		}
		t.rebuild(s, forgetBefore)
		e = s.place(h, forgetBefore)
	}
	if e.state == 0 {
		s.used++
		t.live++
	}
	*e = memoryEntry{id: id, state: uint64(stateHeld)}
	return e
}

// place returns the entry for a new packet; nil if the shard is full.
func (s *memoryShard) place(h uint64, forgetBefore int64) *memoryEntry {
	if len(s.entries) == 0 {
		return nil
	}
	for i := s.slot(h); ; {
		e := &s.entries[i]
		switch {
		case e.state == 0 && (s.used+1)*5 > len(s.entries)*4:
			return nil
		case e.state == 0 || e.isBeyond(forgetBefore):
			return e
		}
		if i++; i == len(s.entries) {
			i = 0
		}
	}
}

// rebuild makes room in a shard: without what may be forgotten, it is at most half full.
func (t *memory) rebuild(s *memoryShard, forgetBefore int64) {
	old, kept := s.entries, 0
	for i := range old {
		if old[i].state != 0 && !old[i].isBeyond(forgetBefore) {
			kept++
		}
	}
	t.live -= s.used - kept
	s.used = kept
	if kept == 0 && len(old) <= leastSize {
		clear(old)
		if len(old) == 0 {
			t.filled++
			s.entries = make([]memoryEntry, leastSize)
		}
		return
	}
	s.entries = make([]memoryEntry, t.sizeFor(kept))
	for i := range old {
		if old[i].state == 0 || old[i].isBeyond(forgetBefore) {
			continue
		}
		_, h := t.shardOf(old[i].id)
		j := s.slot(h)
		for s.entries[j].state != 0 {
			if j++; j == len(s.entries) {
				j = 0
			}
		}
		s.entries[j] = old[i]
	}
}

// sweptPerRebuild is the number of shards that are swept for each that is built again. So memory is bounded by
// what the horizon has, also where packets come faster than the sweeps of the clock.
const sweptPerRebuild = 4

// sizeFor returns the number of entries of a shard that is built again with n packets: twice as many. Packets
// of a moment go to one shard, so a shard that has begun to grow soon has as many as others. Its
// size is then right at once, and each packet moves once or twice and not with every doubling.
func (t *memory) sizeFor(n int) int {
	const begun = 32
	size := max(leastSize, n*2+2)
	if n >= begun {
		size = max(size, t.live/t.filled*3/2)
	}
	return (size + groupSize - 1) / groupSize * groupSize
}

// sweepNext forgets what may be forgotten of the next shard, gives memory back, and returns the number of its entries.
func (t *memory) sweepNext(forgetBefore int64) int {
	i := t.swept
	t.swept = (i + 1) % len(t.shards)
	entries := len(t.shards[i].entries)
	t.sweepShard(i, forgetBefore)
	return entries
}

// sweepShard is sweepNext for a shard.
func (t *memory) sweepShard(i int, forgetBefore int64) {
	s := &t.shards[i]
	beyond := 0
	for j := range s.entries {
		if s.entries[j].state != 0 && s.entries[j].isBeyond(forgetBefore) {
			beyond++
		}
	}
	switch {
	case beyond == s.used:
		t.live -= s.used
		if len(s.entries) > 0 {
			t.filled--
		}
		*s = memoryShard{}
	case beyond*2 > s.used:
		t.rebuild(s, forgetBefore)
	}
}

// remove forgets an id that is there. The entries behind it move up, so that no search ends early.
func (t *memory) remove(id ledger.ID) {
	e := t.find(id)
	s, h := t.shardOf(id)
	n := len(s.entries)
	hole := s.slot(h)
	for &s.entries[hole] != e {
		if hole++; hole == n {
			hole = 0
		}
	}
	for i := hole; ; {
		if i++; i == n {
			i = 0
		}
		if s.entries[i].state == 0 {
			break
		}
		_, h := t.shardOf(s.entries[i].id)
		// The entry may fill the hole if its first slot is not between the hole and the entry.
		if first := s.slot(h); (i-first+n)%n >= (i-hole+n)%n {
			s.entries[hole] = s.entries[i]
			hole = i
		}
	}
	s.entries[hole] = memoryEntry{}
	s.used--
	t.live--
}

// bytes returns the memory's size.
func (t *memory) bytes() (sum int) {
	const entrySize, shardSize = 32, 32
	for i := range t.shards {
		sum += shardSize + entrySize*cap(t.shards[i].entries)
	}
	return sum
}

// sweepInterval is the least time between sweeps.
const sweepInterval = 20 * time.Millisecond

// sweepMemory looks at a part of the memory, so that memory shrinks when traffic does.
func (m *machine) sweepMemory() {
	if m.mono-m.sweptAt < sweepInterval {
		return
	}
	m.sweptAt = m.mono
	const least, part = 1 << 16, 1024
	entries := max(least, m.memory.live/part)
	for n := 0; n < len(m.memory.shards) && entries > 0; n++ {
		entries -= m.memory.sweepNext(m.forgetBefore())
	}
}
