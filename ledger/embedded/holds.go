package embedded

import (
	"maps"

	"github.com/peerledger/peerledger/ledger"
)

// holdTable has the holds that were pending when their generation was frozen: those that are still
// pending, and those that ended in a generation that is still in memory. The state of every other
// hold that is not hot is in its row, or in the id index.
type holdTable struct {
	byID       map[ledger.ID]*lateHold
	byPosition map[position]*lateHold
	pending    int // how many are pending
	most       int // holds since the maps were made; maps do not shrink by themselves
}

// lateHold is a hold whose row is frozen or cold. Only its state changes.
type lateHold struct {
	storedTransfer
	position position
}

func (t *holdTable) addHold(hold *storedTransfer, pos position) {
	if t.byID == nil {
		t.byID, t.byPosition = make(map[ledger.ID]*lateHold), make(map[position]*lateHold)
	}
	h := &lateHold{*hold, pos}
	t.byID[h.ID], t.byPosition[pos] = h, h
	t.pending++
	t.most = max(t.most, len(t.byID))
}

// shrinkMaps gives back the memory of maps that once had far more holds.
func (t *holdTable) shrinkMaps() {
	const worthIt = 10_000 // holds, some 100 bytes each
	if t.most < worthIt || len(t.byID) > t.most/4 {
		return
	}
	byID, byPosition := t.byID, t.byPosition
	t.byID, t.byPosition, t.most = make(map[ledger.ID]*lateHold), make(map[position]*lateHold), len(byID)
	maps.Copy(t.byID, byID)
	maps.Copy(t.byPosition, byPosition)
}

func (t *holdTable) removeHold(h *lateHold) {
	delete(t.byID, h.ID)
	delete(t.byPosition, h.position)
}

// pendingHolds returns the pending holds in any order. Their rows do not change.
func (t *holdTable) pendingHolds() []*lateHold {
	list := make([]*lateHold, 0, t.pending)
	for _, h := range t.byPosition {
		if h.holdState == holdPending {
			list = append(list, h)
		}
	}
	return list
}

// pendingAt returns the pending hold at a position, nil if there is none.
func (b *books) pendingAt(pos position) *storedTransfer {
	var hold *storedTransfer
	switch {
	case pos >= b.transferEnd():
		return nil
	case pos >= b.hot.first:
		hold = b.hot.transferAt(pos)
	default:
		h := b.holds.byPosition[pos]
		if h == nil {
			return nil
		}
		hold = &h.storedTransfer
	}
	if hold.holdState != holdPending {
		return nil
	}
	return hold
}

// endHold sets the final state of a pending hold. Posts and voids call it, so that a chain can be
// rolled back; an expiry is never part of a chain.
func (b *books) endHold(pos position, state holdState) {
	if b.undo.active {
		b.undo.resolvedHolds = append(b.undo.resolvedHolds, pos)
	}
	if pos >= b.hot.first {
		b.hot.transferAt(pos).holdState = state
		return
	}
	h := b.holds.byPosition[pos]
	h.holdState = state
	b.holds.pending--
	b.hot.lateEnds = append(b.hot.lateEnds, h)
}

// reopenHold undoes endHold, except for the list of late ends.
func (b *books) reopenHold(pos position) {
	if pos >= b.hot.first {
		b.hot.transferAt(pos).holdState = holdPending
		return
	}
	b.holds.byPosition[pos].holdState = holdPending
	b.holds.pending++
}
