package idindex

import "encoding/binary"

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

// Entry is an entry of an id. Position is the position of the transfer or the hold, and 0 for a
// burnt id.
type Entry struct {
	Kind     Kind
	Position uint32
}

// storedEntry is an entry in a run.
type storedEntry struct {
	key   uint64 // hash and kind
	value uint32
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

// sortEntries sorts by the key. Keys are uniform, so their upper bits nearly decide.
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
		for ; at > 0 && entries[at-1].key > e.key; at-- {
			entries[at] = entries[at-1]
		}
		entries[at] = e
	}
}
