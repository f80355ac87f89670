package embedded

import (
	"fmt"

	"github.com/peerledger/peerledger/internal/idindex"
	"github.com/peerledger/peerledger/ledger"
)

// fetchedRows are the cold rows that a request needs. They are read before the request changes
// anything, so a request that cannot read them has no effect.
type fetchedRows struct {
	transfers  map[ledger.ID]*storedTransfer // with the final states of holds
	burnt      map[ledger.ID]bool
	timestamps map[uint64]bool // of cold transfers

	ids     []ledger.ID // buffers of a request
	may     []bool
	entries []idindex.Entry
}

// clear forgets the rows of the request before.
func (f *fetchedRows) clear() {
	f.transfers, f.burnt, f.timestamps = nil, nil, nil
	f.ids = f.ids[:0]
}

// fetchTransfers fetches all cold rows that the rules may look at in a request: the transfers with the
// ids of the events, and the holds that the events post or void. Almost all ids are new or hot: ids made
// of the time are above all ids of the index, and of other ids the filters of the index say so.
func (b *books) fetchTransfers(events []ledger.Transfer) error {
	b.fetched.clear()
	if b.cold.isEmpty() {
		return nil
	}
	least, most := b.cold.index.Bounds()
	for i := range events {
		t := &events[i]
		if !isLess(t.ID, least) && !isLess(most, t.ID) {
			b.fetched.ids = append(b.fetched.ids, t.ID)
		}
		isResolution := t.Flags.Any(ledger.TransferPostPending | ledger.TransferVoidPending)
		if !isResolution || isLess(t.PendingID, least) || isLess(most, t.PendingID) {
			continue
		}
		if hold, _ := b.findHold(t.PendingID); hold == nil {
			b.fetched.ids = append(b.fetched.ids, t.PendingID)
		}
	}
	return b.fetchCandidates()
}

// fetchCandidates fetches what the id index may have of the ids in b.fetched.ids.
func (b *books) fetchCandidates() error {
	f := &b.fetched
	if cap(f.may) < len(f.ids) {
		f.may = make([]bool, 2*len(f.ids))
	}
	f.may = f.may[:len(f.ids)]
	if err := b.cold.index.MayHave(f.ids, f.may); err != nil {
		return err
	}
	for i, may := range f.may {
		if !may {
			continue
		}
		if err := b.fetchID(f.ids[i]); err != nil {
			return err
		}
	}
	return nil
}

// fetchID fetches what the id index has of an id.
func (b *books) fetchID(id ledger.ID) (err error) {
	f := &b.fetched
	if f.transfers[id] != nil {
		return nil
	}
	if f.entries, err = b.cold.index.FindEntries(f.entries[:0], id); err != nil {
		return err
	}
	for _, e := range f.entries {
		if e.Kind != idindex.KindBurnt {
			continue
		}
		if f.burnt == nil {
			f.burnt = make(map[ledger.ID]bool)
		}
		f.burnt[id] = true
	}
	row, pos, err := b.cold.transferOf(id, f.entries)
	if row == nil || err != nil {
		return err
	}
	t := fromRow(row)
	if err := b.finishState(&t, pos); err != nil {
		return err
	}
	if f.transfers == nil {
		f.transfers = make(map[ledger.ID]*storedTransfer)
	}
	f.transfers[id] = &t
	return nil
}

// finishState sets the state of a hold that was pending when its segment was written. The entries of
// its id are in b.fetched.entries.
func (b *books) finishState(t *storedTransfer, pos position) error {
	if t.holdState != holdPending {
		return nil
	}
	if h := b.holds.byPosition[pos]; h != nil {
		t.holdState = h.holdState
		return nil
	}
	for _, e := range b.fetched.entries {
		if state, ok := endedStates[e.Kind]; ok && position(e.Position) == pos {
			t.holdState = state
			return nil
		}
	}
	return fmt.Errorf("embedded: the id index has no end of hold %v, which is not pending: %w", t.ID, ErrCorrupt)
}

// endedStates are the states in the entries of holds that ended late.
var endedStates = map[idindex.Kind]holdState{
	idindex.KindPosted:  holdPosted,
	idindex.KindVoided:  holdVoided,
	idindex.KindExpired: holdExpired,
}

// endedKinds is the reverse of endedStates.
var endedKinds = map[holdState]idindex.Kind{
	holdPosted:  idindex.KindPosted,
	holdVoided:  idindex.KindVoided,
	holdExpired: idindex.KindExpired,
}

// fetchTimestamps fetches the timestamps of imported accounts that a cold transfer has too.
func (b *books) fetchTimestamps(accounts []ledger.Account) error {
	b.fetched.clear()
	for i := range accounts {
		a := &accounts[i]
		if !a.Flags.Has(ledger.AccountImported) || a.Timestamp > b.cold.newestTimestamp() {
			continue
		}
		taken, err := b.cold.hasTimestamp(a.Timestamp)
		if err != nil {
			return err
		}
		if taken && b.fetched.timestamps == nil {
			b.fetched.timestamps = make(map[uint64]bool)
		}
		if taken {
			b.fetched.timestamps[a.Timestamp] = true
		}
	}
	return nil
}
