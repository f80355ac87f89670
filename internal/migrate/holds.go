package migrate

import (
	"container/heap"
	"crypto/sha256"
	"slices"

	"github.com/peerledger/peerledger/ledger"
)

// openHolds are the unresolved pending transfers with a timeout.
type openHolds struct {
	byExpiry expiries
	rows     map[ledger.ID]ledger.Transfer
}

// expiry is the id of a hold with the time of its timeout. Resolved holds stay in the heap until
// they come first.
type expiry struct {
	at uint64
	id ledger.ID
}

func newOpenHolds() openHolds { return openHolds{rows: map[ledger.ID]ledger.Transfer{}} }

func (h *openHolds) addHold(t *ledger.Transfer) {
	h.rows[t.ID] = *t
	heap.Push(&h.byExpiry, expiry{t.Timestamp + uint64(t.Timeout)*1e9, t.ID})
}

func (h *openHolds) removeHold(id ledger.ID) { delete(h.rows, id) }

func (h *openHolds) countOpen() int { return len(h.rows) }

// nextExpiry returns the earliest expiry of an open hold; false if none is open.
func (h *openHolds) nextExpiry() (at uint64, open bool) {
	for len(h.byExpiry) > 0 {
		next := h.byExpiry[0]
		if _, open := h.rows[next.id]; open {
			return next.at, true
		}
		heap.Pop(&h.byExpiry)
	}
	return 0, false
}

// voidNext removes the first hold and returns the row that voids it at a time. The row's id follows
// from the hold's id, so every run makes the same row.
func (h *openHolds) voidNext(moment uint64) ledger.Transfer {
	next := heap.Pop(&h.byExpiry).(expiry)
	t := h.rows[next.id]
	delete(h.rows, next.id)
	id := t.ID.Bytes()
	sum := sha256.Sum256(append([]byte("peerledger migrate: expired\x00"), id[:]...))
	return ledger.Transfer{
		ID: ledger.IDFromBytes([16]byte(sum[:16])), DebitAccountID: t.DebitAccountID, CreditAccountID: t.CreditAccountID,
		Amount: t.Amount, PendingID: t.ID, UserData128: t.UserData128, UserData64: t.UserData64, UserData32: t.UserData32,
		Ledger: t.Ledger, Code: t.Code, Flags: ledger.TransferVoidPending | ledger.TransferImported, Timestamp: moment,
	}
}

// expiries is a heap ordered by time.
type expiries []expiry

func (e expiries) Len() int           { return len(e) }
func (e expiries) Less(i, j int) bool { return e[i].at < e[j].at }
func (e expiries) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }

// Push implements heap.Interface.
func (e *expiries) Push(x any) { *e = append(*e, x.(expiry)) }

// Pop implements heap.Interface.
func (e *expiries) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// containsTime reports whether a sorted list contains a time.
func containsTime(sorted []uint64, at uint64) bool {
	_, found := slices.BinarySearch(sorted, at)
	return found
}
