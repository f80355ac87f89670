package idindex

import (
	"encoding/binary"
	"errors"
)

// Kind is the kind of an entry.
type Kind uint8

// The kinds.
const (
	KindTransfer Kind = iota // a transfer
	KindBurnt                // a burnt id
	KindPosted               // the hold with the id was posted
	KindVoided               // the hold was voided
	KindExpired              // the hold expired
	kindCount
)

// MaxPosition is the greatest position that an entry takes: positions have 40 bits.
const MaxPosition = 1<<40 - 1

// ErrPosition is matched by the error of entries beyond [MaxPosition], or of more burnt ids in a run.
var ErrPosition = errors.New("idindex: a position has more than 40 bits")

// Entry is an entry of an id. Position is the position of the transfer or the hold, up to
// [MaxPosition], and 0 for a burnt id.
type Entry struct {
	Kind     Kind
	Position uint64
}

// storedEntry is an entry in a run. Its position belongs to a transfer or a hold, or is the index of a burnt
// id in the run.
type storedEntry struct {
	key   uint64 // hash, kind, and the upper bits of the position
	value uint32 // the lower bits of the position
}

// The lower bits of a key.
const (
	highBits = 8 // of the position
	highMask = 1<<highBits - 1
	kindMask = 7
	hashMask = ^uint64(kindMask<<highBits | highMask)
)

func newStoredEntry(hash uint64, kind Kind, position uint64) storedEntry {
	return storedEntry{hash | uint64(kind)<<highBits | position>>32, uint32(position)}
}

func (e storedEntry) hash() uint64 { return e.key & hashMask }

func (e storedEntry) kind() Kind { return Kind(e.key >> highBits & kindMask) }

func (e storedEntry) position() uint64 { return e.key&highMask<<32 | uint64(e.value) }

// isBefore is the order of entries in a run. Entries of one hash and kind are in the order of their
// positions, so that a merge, which adds a number to the indexes of burnt ids, keeps the order.
func (e storedEntry) isBefore(other storedEntry) bool {
	return e.key < other.key || e.key == other.key && e.value < other.value
}

const entryBytes = 12

func putEntry(b []byte, e storedEntry) {
	_ = b[entryBytes-1]
	binary.LittleEndian.PutUint64(b, e.key)
	binary.LittleEndian.PutUint32(b[8:], e.value)
}

func getEntry(b []byte) storedEntry {
	return storedEntry{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint32(b[8:])}
}

// sortEntries sorts. Keys are uniform, so their upper bits nearly decide.
func sortEntries(entries []storedEntry) []storedEntry {
	const digitBits, mask, lowShift = 11, 1<<11 - 1, 64 - 2*11
	if len(entries) >= 1<<digitBits {
		var counts [2][1 << digitBits]uint32
		for i := range entries {
			counts[0][entries[i].key>>lowShift&mask]++
			counts[1][entries[i].key>>(lowShift+digitBits)]++
		}
		from, to := entries, make([]storedEntry, len(entries))
		for d := range counts {
			count, shift := &counts[d], lowShift+d*digitBits
			next := uint32(0)
			for i, n := range count {
				count[i] = next
				next += n
			}
			for i := range from {
				at := &count[from[i].key>>shift&mask]
				to[*at] = from[i]
				*at++
			}
			from, to = to, from
		}
		entries = from
	}
	insertEntries(entries)
	return entries
}

// insertEntries sorts a few entries, or many that are nearly sorted.
func insertEntries(entries []storedEntry) {
	for i := 1; i < len(entries); i++ {
		e, at := entries[i], i
		for ; at > 0 && e.isBefore(entries[at-1]); at-- {
			entries[at] = entries[at-1]
		}
		entries[at] = e
	}
}
