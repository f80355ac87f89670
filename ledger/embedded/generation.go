package embedded

import (
	"iter"

	"github.com/peerledger/peerledger/internal/segment"
	"github.com/peerledger/peerledger/ledger"
)

// generation is the part of the books in memory between two freezes: the transfers from position
// first on, and all that happened in their time. The places in its lists count from 0.
type generation struct {
	number uint32 // marks the accounts touched in its time; 0 in memory
	first  position

	transfers rows[storedTransfer]
	ids       *idTable
	burnt     idSet // ids burnt by a transient refusal

	expired  rows[expiredHold]  // in order of timestamp
	starts   rows[accountStart] // of the accounts touched
	lateEnds []*lateHold        // holds that were not hot when they ended

	index   fieldIndex
	debits  rowIndex[accountKey] // transfers by debit account
	credits rowIndex[accountKey] // transfers by credit account
	history history

	// segment is set when the generation, frozen, is on disk. It belongs to the seal under way.
	segment *segment.Segment
}

// accountKey is the position of an account plus one, for an index, which leaves zero out.
type accountKey uint32

func keyOf(pos accountPosition) accountKey { return accountKey(pos) + 1 }

// accountStart is the state of an account before its first change in a generation.
type accountStart struct {
	account accountPosition
	state   accountState
}

func newGeneration(number uint32, first position) *generation {
	return &generation{number: number, first: first, ids: newIDTable(), burnt: idSet{places: newIDTable()}}
}

// hasRoom reports whether the lists of the generation take n more transfers, or as many burnt ids.
func (g *generation) hasRoom(n int) bool {
	return uint64(g.transfers.count)+uint64(n) <= maxPlaces && uint64(g.burnt.ids.count)+uint64(n) <= maxPlaces
}

// end returns the position behind the last transfer.
func (g *generation) end() position { return g.positionOf(g.transfers.count) }

func (g *generation) positionOf(p place) position { return g.first + position(p) }

// placeOf returns the place of a position of the generation.
func (g *generation) placeOf(pos position) place { return place(pos - g.first) }

// transferAt returns the transfer at a position of the generation.
func (g *generation) transferAt(pos position) *storedTransfer {
	return g.transfers.rowAt(g.placeOf(pos))
}

// findID returns the place of the transfer with the id.
func (g *generation) findID(id ledger.ID) (p place, ok bool) {
	return g.ids.findPlace(id, func(p place) bool { return g.transfers.rowAt(p).ID == id })
}

func (g *generation) transfersFrom(timestamp uint64) place {
	return g.transfers.searchFirst(func(t *storedTransfer) bool { return t.Timestamp >= timestamp })
}

func (g *generation) expiriesFrom(timestamp uint64) place {
	return g.expired.searchFirst(func(e *expiredHold) bool { return e.timestamp >= timestamp })
}

// generations are the generations in memory in the order of time, or reversed.
func (b *books) generations(reversed bool) iter.Seq[*generation] {
	return func(yield func(*generation) bool) {
		if reversed && !yield(b.hot) {
			return
		}
		for i := range b.frozen {
			if reversed {
				i = len(b.frozen) - 1 - i
			}
			if !yield(b.frozen[i]) {
				return
			}
		}
		if !reversed {
			yield(b.hot)
		}
	}
}

// keepStarts makes the generations keep the starts of accounts. It is called on empty books.
func (b *books) keepStarts() { b.hot.number = 1 }

// keepStart keeps the state of an account before its first change in the hot generation.
func (b *books) keepStart(pos accountPosition, a *ledger.Account) {
	mark := b.touched.rowAt(place(pos))
	if *mark == b.hot.number {
		return
	}
	*mark = b.hot.number
	*b.hot.starts.appendRow() = accountStart{pos, stateOf(a)}
}

// freeze ends the hot generation and begins a new one. No request is under way. Pending holds of the
// generation go into the table of holds, since a frozen row does not change.
func (b *books) freeze() {
	g := b.hot
	for p := range g.transfers.count {
		if t := g.transfers.rowAt(p); t.holdState == holdPending {
			b.holds.addHold(t, g.positionOf(p))
		}
	}
	b.frozen = append(b.frozen, g)
	b.hot = newGeneration(g.number+1, g.end())
	b.compactExpiries()
}

// dropFrozen drops the oldest n frozen generations, which are in the cold store by now.
func (b *books) dropFrozen(n int) {
	for _, g := range b.frozen[:n] {
		for _, h := range g.lateEnds {
			b.holds.removeHold(h)
		}
	}
	b.holds.shrinkMaps()
	b.frozen = append([]*generation(nil), b.frozen[n:]...)
}
