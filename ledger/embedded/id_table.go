package embedded

import (
	"math/bits"
	"math/rand/v2"

	"github.com/peerledger/peerledger/ledger"
)

// idTable finds the place of an id in a list. It is a hash table of places and half of each
// hash, without the ids, in about half the memory of a map. A look-up of a new id mostly waits for
// memory, so the size of this table decides how many transfers a second the ledger takes.
type idTable struct {
	seed [2]uint64 // random, so that a client cannot choose colliding ids
	// All ids are from least to most. Ids made of the time are mostly new where they are above most: such a
	// look-up reads no slot.
	least, most ledger.ID
	// The table is split by the hash, so that no growth stops the ledger for long.
	parts [256]idTablePart
}

func newIDTable() *idTable {
	return &idTable{seed: [2]uint64{rand.Uint64(), rand.Uint64()}, least: ledger.IDMax}
}

// hashID returns the half of the hash kept in an entry. Its upper bits choose the part, its lower
// bits the slot. Ids that differ in three bits only have slots next to each other, in one line of the
// cache: a recorder's packet has its hold and its post, or void, of two legs in such ids.
func (t *idTable) hashID(id ledger.ID) uint32 {
	const near = 1<<4 | 1<<1 | 1 // the bits of the leg, the void and the post
	hi, lo := bits.Mul64(id.Lo&^near^t.seed[0], id.Hi^t.seed[1])
	hash := uint32(((hi ^ lo) * 0x9E3779B97F4A7C15) >> 32)
	return hash&^7 | uint32(id.Lo&3|id.Lo>>2&4)
}

func (t *idTable) partOf(hash uint32) *idTablePart { return &t.parts[hash>>24] }

// findPlace returns the place of the id. hasID reports whether the row at a place has the
// id.
func (t *idTable) findPlace(id ledger.ID, hasID func(place) bool) (p place, ok bool) {
	if isLess(id, t.least) || isLess(t.most, id) {
		return 0, false
	}
	hash := t.hashID(id)
	return t.partOf(hash).findEntry(hash, hasID)
}

// addPlace adds a place. The id must be new.
func (t *idTable) addPlace(id ledger.ID, p place) {
	if isLess(id, t.least) {
		t.least = id
	}
	if isLess(t.most, id) {
		t.most = id
	}
	hash := t.hashID(id)
	t.partOf(hash).addEntry(newIDTableEntry(hash, p))
}

// isLess is ID.Compare in a form that the compiler inlines.
func isLess(a, b ledger.ID) bool { return a.Hi < b.Hi || a.Hi == b.Hi && a.Lo < b.Lo }

// removePlace removes an added place. The id stays between least and most.
func (t *idTable) removePlace(id ledger.ID, p place) {
	hash := t.hashID(id)
	t.partOf(hash).removeEntry(newIDTableEntry(hash, p))
}

// idSet is a set of ids in the order of insertion.
type idSet struct {
	ids    rows[ledger.ID]
	places *idTable
}

func (s *idSet) hasID(id ledger.ID) bool {
	_, ok := s.places.findPlace(id, func(p place) bool { return *s.ids.rowAt(p) == id })
	return ok
}

// addID adds a new id.
func (s *idSet) addID(id ledger.ID) {
	*s.ids.appendRow() = id
	s.places.addPlace(id, s.ids.count-1)
}

// idTableEntry is half a hash and a place plus one; 0 is a free slot.
type idTableEntry uint64

func newIDTableEntry(hash uint32, p place) idTableEntry {
	return idTableEntry(hash)<<32 | idTableEntry(p+1)
}

func (e idTableEntry) hashHalf() uint32 { return uint32(e >> 32) }
func (e idTableEntry) rowPlace() place  { return place(e) - 1 }

// idTablePart is a table with linear probing: an entry is in the first slot that was free,
// starting at the slot of its hash.
type idTablePart struct {
	slots []idTableEntry // their number is a power of two
	used  int
}

func (t *idTablePart) slotMask() uint32 { return uint32(len(t.slots) - 1) }

func (t *idTablePart) findEntry(hash uint32, hasID func(place) bool) (p place, ok bool) {
	if t.used == 0 {
		return 0, false
	}
	for i := hash & t.slotMask(); t.slots[i] != 0; i = (i + 1) & t.slotMask() {
		if e := t.slots[i]; e.hashHalf() == hash && hasID(e.rowPlace()) {
			return e.rowPlace(), true
		}
	}
	return 0, false
}

func (t *idTablePart) addEntry(e idTableEntry) {
	if 3*t.used >= 2*len(t.slots) {
		t.growTable()
	}
	t.placeEntry(e)
	t.used++
}

func (t *idTablePart) placeEntry(e idTableEntry) {
	i := e.hashHalf() & t.slotMask()
	for t.slots[i] != 0 {
		i = (i + 1) & t.slotMask()
	}
	t.slots[i] = e
}

func (t *idTablePart) growTable() {
	old := t.slots
	t.slots = make([]idTableEntry, max(8, 2*len(old)))
	for _, e := range old {
		if e != 0 {
			t.placeEntry(e)
		}
	}
}

// removeEntry frees the entry's slot, and moves up later entries that a search would no longer
// reach across a free slot.
func (t *idTablePart) removeEntry(e idTableEntry) {
	free := e.hashHalf() & t.slotMask()
	for t.slots[free] != e {
		free = (free + 1) & t.slotMask()
	}
	for i := (free + 1) & t.slotMask(); t.slots[i] != 0; i = (i + 1) & t.slotMask() {
		fromHome := (i - t.slots[i].hashHalf()) & t.slotMask()
		if fromHome >= (i-free)&t.slotMask() {
			t.slots[free] = t.slots[i]
			free = i
		}
	}
	t.slots[free] = 0
	t.used--
}
