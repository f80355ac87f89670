package embedded

import (
	"math/bits"
	"math/rand/v2"

	"github.com/peerledger/peerledger/ledger"
)

// directory finds the position of an id in a list. It is a hash table of positions and half of each
// hash, without the ids, in about half the memory of a map. A look-up of a new id mostly waits for
// memory, so the size of this table decides how many transfers a second the ledger takes.
type directory struct {
	seed [2]uint64 // random, so that a client cannot choose colliding ids
	// The table is split by the hash, so that no growth stops the ledger for long.
	parts [256]directoryPart
}

func newDirectory() *directory { return &directory{seed: [2]uint64{rand.Uint64(), rand.Uint64()}} }

// hashID returns the half of the hash kept in an entry. Its upper bits choose the part, its lower
// bits the slot.
func (d *directory) hashID(id ledger.ID) uint32 {
	hi, lo := bits.Mul64(id.Lo^d.seed[0], id.Hi^d.seed[1])
	return uint32(((hi ^ lo) * 0x9E3779B97F4A7C15) >> 32)
}

func (d *directory) partOf(hash uint32) *directoryPart { return &d.parts[hash>>24] }

// findPosition returns the position of the id. hasID reports whether the row at a position has the
// id.
func (d *directory) findPosition(id ledger.ID, hasID func(position) bool) (pos position, ok bool) {
	hash := d.hashID(id)
	return d.partOf(hash).findEntry(hash, hasID)
}

// addPosition adds a position. The id must be new.
func (d *directory) addPosition(id ledger.ID, pos position) {
	hash := d.hashID(id)
	d.partOf(hash).addEntry(newDirectoryEntry(hash, pos))
}

// removePosition removes an added position.
func (d *directory) removePosition(id ledger.ID, pos position) {
	hash := d.hashID(id)
	d.partOf(hash).removeEntry(newDirectoryEntry(hash, pos))
}

// idSet is a set of ids in the order of insertion.
type idSet struct {
	ids       rows[ledger.ID]
	positions *directory
}

func (s *idSet) hasID(id ledger.ID) bool {
	_, ok := s.positions.findPosition(id, func(pos position) bool { return *s.ids.rowAt(pos) == id })
	return ok
}

// addID adds a new id.
func (s *idSet) addID(id ledger.ID) {
	*s.ids.appendRow() = id
	s.positions.addPosition(id, s.ids.count-1)
}

// directoryEntry is half a hash and a position plus one; 0 is a free slot.
type directoryEntry uint64

func newDirectoryEntry(hash uint32, pos position) directoryEntry {
	return directoryEntry(hash)<<32 | directoryEntry(pos+1)
}

func (e directoryEntry) hashHalf() uint32      { return uint32(e >> 32) }
func (e directoryEntry) rowPosition() position { return position(e) - 1 }

// directoryPart is a table with linear probing: an entry is in the first slot that was free,
// starting at the slot of its hash.
type directoryPart struct {
	slots []directoryEntry // their number is a power of two
	used  int
}

func (d *directoryPart) slotMask() uint32 { return uint32(len(d.slots) - 1) }

func (d *directoryPart) findEntry(hash uint32, hasID func(position) bool) (pos position, ok bool) {
	if d.used == 0 {
		return 0, false
	}
	for i := hash & d.slotMask(); d.slots[i] != 0; i = (i + 1) & d.slotMask() {
		if e := d.slots[i]; e.hashHalf() == hash && hasID(e.rowPosition()) {
			return e.rowPosition(), true
		}
	}
	return 0, false
}

func (d *directoryPart) addEntry(e directoryEntry) {
	if 3*d.used >= 2*len(d.slots) {
		d.growTable()
	}
	d.placeEntry(e)
	d.used++
}

func (d *directoryPart) placeEntry(e directoryEntry) {
	i := e.hashHalf() & d.slotMask()
	for d.slots[i] != 0 {
		i = (i + 1) & d.slotMask()
	}
	d.slots[i] = e
}

func (d *directoryPart) growTable() {
	old := d.slots
	d.slots = make([]directoryEntry, max(8, 2*len(old)))
	for _, e := range old {
		if e != 0 {
			d.placeEntry(e)
		}
	}
}

// removeEntry frees the entry's slot, and moves up later entries that a search would no longer
// reach across a free slot.
func (d *directoryPart) removeEntry(e directoryEntry) {
	free := e.hashHalf() & d.slotMask()
	for d.slots[free] != e {
		free = (free + 1) & d.slotMask()
	}
	for i := (free + 1) & d.slotMask(); d.slots[i] != 0; i = (i + 1) & d.slotMask() {
		fromHome := (i - d.slots[i].hashHalf()) & d.slotMask()
		if fromHome >= (i-free)&d.slotMask() {
			d.slots[free] = d.slots[i]
			free = i
		}
	}
	d.slots[free] = 0
	d.used--
}
