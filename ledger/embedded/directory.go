package embedded

import (
	"math/bits"
	"math/rand/v2"

	"github.com/peerledger/peerledger/ledger"
)

// directory finds the place of an id in a list. It is a hash table that does not
// hold the ids, only places and half of each hash, which is about half the memory
// of a map. Looking for an id that is new mostly waits for memory, so the size of
// this table decides how many transfers a second the ledger takes.
type directory struct {
	seed [2]uint64 // random, so that nobody can choose ids that collide
	// The table is split by the hash, so that growing never stops the ledger for
	// long.
	parts [256]directoryPart
}

func newDirectory() *directory { return &directory{seed: [2]uint64{rand.Uint64(), rand.Uint64()}} }

// hash is the half of the hash that an entry keeps: its upper bits choose the
// part, its lower bits the slot.
func (d *directory) hash(id ledger.ID) uint32 {
	hi, lo := bits.Mul64(id.Lo^d.seed[0], id.Hi^d.seed[1])
	return uint32(((hi ^ lo) * 0x9E3779B97F4A7C15) >> 32)
}

func (d *directory) part(hash uint32) *directoryPart { return &d.parts[hash>>24] }

// find returns the place for which is reports that it has the id.
func (d *directory) find(id ledger.ID, is func(position) bool) (at position, ok bool) {
	hash := d.hash(id)
	return d.part(hash).find(hash, is)
}

// add enters a place. The id must not be there.
func (d *directory) add(id ledger.ID, at position) {
	hash := d.hash(id)
	d.part(hash).add(newEntry(hash, at))
}

// remove takes out a place that was added.
func (d *directory) remove(id ledger.ID, at position) {
	hash := d.hash(id)
	d.part(hash).remove(newEntry(hash, at))
}

// idSet is a set of ids in the order in which they came.
type idSet struct {
	ids    rows[ledger.ID]
	places *directory
}

func (s *idSet) has(id ledger.ID) bool {
	_, ok := s.places.find(id, func(at position) bool { return *s.ids.at(at) == id })
	return ok
}

// add enters an id, which must not be there.
func (s *idSet) add(id ledger.ID) {
	*s.ids.add() = id
	s.places.add(id, s.ids.len-1)
}

// entry is a hash and a place plus one; 0 is a free slot.
type entry uint64

func newEntry(hash uint32, at position) entry { return entry(hash)<<32 | entry(at+1) }

func (e entry) hash() uint32       { return uint32(e >> 32) }
func (e entry) position() position { return position(e) - 1 }

// directoryPart is a table with linear probing: an entry stands in the first slot
// that was free from the slot of its hash on.
type directoryPart struct {
	slots []entry // a power of two of them
	used  int
}

func (d *directoryPart) mask() uint32 { return uint32(len(d.slots) - 1) }

func (d *directoryPart) find(hash uint32, is func(position) bool) (at position, ok bool) {
	if d.used == 0 {
		return 0, false
	}
	for i := hash & d.mask(); d.slots[i] != 0; i = (i + 1) & d.mask() {
		if e := d.slots[i]; e.hash() == hash && is(e.position()) {
			return e.position(), true
		}
	}
	return 0, false
}

func (d *directoryPart) add(e entry) {
	if 3*d.used >= 2*len(d.slots) {
		d.grow()
	}
	d.put(e)
	d.used++
}

func (d *directoryPart) put(e entry) {
	i := e.hash() & d.mask()
	for d.slots[i] != 0 {
		i = (i + 1) & d.mask()
	}
	d.slots[i] = e
}

func (d *directoryPart) grow() {
	old := d.slots
	d.slots = make([]entry, max(8, 2*len(old)))
	for _, e := range old {
		if e != 0 {
			d.put(e)
		}
	}
}

// remove frees the entry's slot, and moves up the entries behind it that would
// not be found across a free slot.
func (d *directoryPart) remove(e entry) {
	free := e.hash() & d.mask()
	for d.slots[free] != e {
		free = (free + 1) & d.mask()
	}
	for i := (free + 1) & d.mask(); d.slots[i] != 0; i = (i + 1) & d.mask() {
		fromHome := (i - d.slots[i].hash()) & d.mask()
		if fromHome >= (i-free)&d.mask() {
			d.slots[free] = d.slots[i]
			free = i
		}
	}
	d.slots[free] = 0
	d.used--
}
