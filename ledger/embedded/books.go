package embedded

import (
	"slices"
	"time"

	"github.com/peerledger/peerledger/internal/sealed"
	"github.com/peerledger/peerledger/internal/segment"
	"github.com/peerledger/peerledger/ledger"
)

// books are the accounts and transfers of a ledger. One request at a time uses them.
//
// Transfers are numbered by their positions. The newest are in memory, in the hot generation. In a
// folder the books are frozen from time to time: the hot generation becomes a frozen one, which no
// longer changes, and a new one begins. When the frozen generation is on disk, in a segment, its
// rows are cold: they are dropped from memory and read when a request needs them.
//
// Invariants: accounts and transfers are each in strictly ascending order of timestamp (imported
// ones too, since imported timestamps must not regress); only the rollback of a chain removes rows,
// and only hot ones; posted plus pending fits 128 bits on either side of every account; every
// pending hold is in the hot generation or in holds.
type books struct {
	clock clock

	accounts     rows[ledger.Account]
	accountIDs   *idTable
	accountIndex fieldIndex
	// touched has, for each account, the number of the generation that keeps its start. It is empty
	// in memory, where every account starts empty.
	touched rows[uint32]

	hot    *generation
	frozen []*generation // oldest first
	cold   coldStore     // empty in memory
	holds  holdTable     // of holds that are not hot

	expiries expirySchedule // of holds with a timeout

	undo    undoLog
	fetched fetchedRows // of the request under way
}

// position is the number of a transfer in the ledger: from 0 on, in the order of time, 40 bits.
type position uint64

// noPosition stands for no transfer. All positions are less.
const noPosition position = segment.NoPosition

// accountPosition is the number of an account: its place in the list of accounts.
type accountPosition uint32

// accountState is the variable part of an account at one moment.
type accountState struct {
	debitsPending, debitsPosted, creditsPending, creditsPosted ledger.Amount

	flags ledger.AccountFlags
}

func stateOf(a *ledger.Account) accountState {
	return accountState{a.DebitsPending, a.DebitsPosted, a.CreditsPending, a.CreditsPosted, a.Flags}
}

// setOn sets the variable part of an account.
func (s *accountState) setOn(a *ledger.Account) {
	a.DebitsPending, a.DebitsPosted = s.debitsPending, s.debitsPosted
	a.CreditsPending, a.CreditsPosted = s.creditsPending, s.creditsPosted
	a.Flags = s.flags
}

func newBooks() books {
	return books{
		clock:      clock{now: time.Now},
		accountIDs: newIDTable(),
		hot:        newGeneration(0, 0),
		cold:       coldStore{files: sealed.NewFileCache(0)},
	}
}

// transferEnd returns the position behind the newest transfer.
func (b *books) transferEnd() position { return b.hot.end() }

// accountPosition returns the position of the account with the id.
func (b *books) accountPosition(id ledger.ID) (accountPosition, bool) {
	p, ok := b.accountIDs.findPlace(id, func(p place) bool { return b.accounts.rowAt(p).ID == id })
	return accountPosition(p), ok
}

// accountAt returns the account at a position.
func (b *books) accountAt(pos accountPosition) *ledger.Account { return b.accounts.rowAt(place(pos)) }

// findAccount returns the account with the id, nil if there is none.
func (b *books) findAccount(id ledger.ID) *ledger.Account {
	if pos, ok := b.accountPosition(id); ok {
		return b.accountAt(pos)
	}
	return nil
}

// findTransfer returns the transfer with the id, nil if there is none. A cold one is found if the
// request has fetched it.
func (b *books) findTransfer(id ledger.ID) *storedTransfer {
	if t, _ := b.findInMemory(id); t != nil {
		return t
	}
	return b.fetched.transfers[id]
}

// findInMemory returns the hot or frozen transfer with the id, and its position; nil if there is
// none.
func (b *books) findInMemory(id ledger.ID) (*storedTransfer, position) {
	if p, ok := b.hot.findID(id); ok {
		return b.hot.transfers.rowAt(p), b.hot.positionOf(p)
	}
	for _, g := range slices.Backward(b.frozen) {
		if p, ok := g.findID(id); ok {
			return g.transfers.rowAt(p), g.positionOf(p)
		}
	}
	return nil, noPosition
}

// findHold returns the transfer with the id, its position if it is in memory, and the state of the
// hold; nil if there is none. A hold that has ended before its segment was written, or is cold, may
// not be changed any more, so its position is not needed.
func (b *books) findHold(id ledger.ID) (*storedTransfer, position) {
	if p, ok := b.hot.findID(id); ok {
		return b.hot.transfers.rowAt(p), b.hot.positionOf(p)
	}
	if h := b.holds.byID[id]; h != nil {
		return &h.storedTransfer, h.position
	}
	if t, pos := b.findInMemory(id); t != nil {
		return t, pos
	}
	return b.fetched.transfers[id], noPosition
}

// findStoredHold returns the transfer of a hold known to be stored, and found or fetched.
func (b *books) findStoredHold(id ledger.ID) *ledger.Transfer {
	hold, _ := b.findHold(id)
	whole := hold.wholeTransfer(&b.accounts)
	return &whole
}

// isBurnt reports whether the id is burnt by a transient refusal. Cold ids are found if the request
// has fetched them.
func (b *books) isBurnt(id ledger.ID) bool {
	if b.hot.burnt.hasID(id) {
		return true
	}
	for _, g := range b.frozen {
		if g.burnt.hasID(id) {
			return true
		}
	}
	return b.fetched.burnt[id]
}

// transferAt returns the transfer at a position. Only a cold one can have an error. Its hold's state
// is the one of the time of its segment, or later.
func (b *books) transferAt(pos position) (*storedTransfer, error) {
	if pos >= b.hot.first {
		return b.hot.transferAt(pos), nil
	}
	if h := b.holds.byPosition[pos]; h != nil {
		return &h.storedTransfer, nil
	}
	for _, g := range slices.Backward(b.frozen) {
		if pos >= g.first {
			return g.transferAt(pos), nil
		}
	}
	row, err := b.cold.readRow(pos)
	if err != nil {
		return nil, err
	}
	t := fromRow(row)
	return &t, nil
}

func (b *books) lookupAccounts(ids []ledger.ID) []ledger.Account {
	found := make([]ledger.Account, 0, len(ids))
	for _, id := range ids {
		if a := b.findAccount(id); a != nil {
			found = append(found, *a)
		}
	}
	return found
}

// newestAccount returns the greatest timestamp of an account, 0 if there is none.
func (b *books) newestAccount() uint64 {
	if b.accounts.count == 0 {
		return 0
	}
	return b.accounts.rowAt(b.accounts.count - 1).Timestamp
}

// newestTransfer returns the greatest timestamp of a transfer, 0 if there is none.
func (b *books) newestTransfer() uint64 {
	for g := range b.generations(true) {
		if n := g.transfers.count; n > 0 {
			return g.transfers.rowAt(n - 1).Timestamp
		}
	}
	return b.cold.newestTimestamp()
}

func (b *books) accountsFrom(timestamp uint64) place {
	return b.accounts.searchFirst(func(a *ledger.Account) bool { return a.Timestamp >= timestamp })
}

// accountRegresses reports whether no account may be imported with the timestamp: an account has it
// or a later one, or a transfer has it. Timestamps of cold transfers are found if the request has
// fetched them.
func (b *books) accountRegresses(timestamp uint64) bool {
	if timestamp <= b.newestAccount() || b.fetched.timestamps[timestamp] {
		return true
	}
	for g := range b.generations(true) {
		p := g.transfersFrom(timestamp)
		if p < g.transfers.count && g.transfers.rowAt(p).Timestamp == timestamp {
			return true
		}
	}
	return false
}

// transferRegresses reports whether no transfer may be imported with the timestamp: a transfer has
// it or a later one, or an account has it.
func (b *books) transferRegresses(timestamp uint64) bool {
	if timestamp <= b.newestTransfer() {
		return true
	}
	p := b.accountsFrom(timestamp)
	return p < b.accounts.count && b.accounts.rowAt(p).Timestamp == timestamp
}
