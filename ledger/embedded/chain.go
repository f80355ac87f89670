package embedded

import "github.com/peerledger/peerledger/ledger"

// batch is a create request as its loop sees it. Accounts and transfers differ in
// the rules for one event and in the numbers of the statuses.
type batch[S ~uint32] interface {
	size() int
	head(i int) head
	// apply puts event i through the rules of its kind. timestamp is the
	// answer's: the stored object's, or the event's own slot.
	apply(i int, slot uint64) (status S, timestamp uint64)
	answer(i int, status S, timestamp uint64)
	// fail turns the answer of event i, a member of a broken chain, into
	// linked_event_failed. It keeps its timestamp.
	fail(i int)
	statuses() *loopStatuses[S]
}

// head is what the loop needs to know of an event.
type head struct {
	linked, imported bool
	timestamp        uint64
}

// loopStatuses are the answers that the loop itself gives.
type loopStatuses[S ~uint32] struct {
	created                 S
	linkedEventFailed       S
	linkedEventChainOpen    S
	importedExpected        S
	importedNotExpected     S
	timestampOutOfRange     S
	timestampMustNotAdvance S
	timestampMustBeZero     S
}

// loop is one create request under way.
type loop[S ~uint32] struct {
	books    *books
	events   batch[S]
	statuses *loopStatuses[S]
	last     uint64 // the request's timestamp, which is the last event's slot
	imported bool   // whether the first event is; it decides for all

	chain  int  // first event of the open chain, -1 if none is open
	broken bool // the open chain has been taken back
}

// runEvents puts the events of a request through the rules one after another. The
// events own the timestamps that end at last. What comes out depends on the books
// and on the arguments only, so that a request can be run again from the log of a
// folder.
func runEvents[S ~uint32](b *books, events batch[S], last uint64) {
	l := loop[S]{books: b, events: events, statuses: events.statuses(), last: last, chain: -1}
	for i := range events.size() {
		l.step(i, events.head(i))
	}
}

func (l *loop[S]) step(i int, event head) {
	if i == 0 {
		l.imported = event.imported
	}
	if event.linked && l.chain < 0 {
		l.chain, l.broken = i, false
		l.books.beginChain()
	}
	slot := l.last - uint64(l.events.size()-1-i)
	status, timestamp := l.admit(i, event), slot
	if status == l.statuses.created {
		status, timestamp = l.events.apply(i, slot)
	}
	l.events.answer(i, status, timestamp)
	if l.chain < 0 {
		return
	}
	if status != l.statuses.created && !l.broken {
		l.breakChain(i)
	}
	if !event.linked || l.isLast(i) {
		l.chain, l.broken = -1, false
		l.books.endChain()
	}
}

func (l *loop[S]) isLast(i int) bool { return i == l.events.size()-1 }

// admit gives the answer to event i that does not depend on its kind, created if
// the event may go on to the rules of its kind.
func (l *loop[S]) admit(i int, event head) S {
	switch {
	case event.linked && l.isLast(i):
		return l.statuses.linkedEventChainOpen
	case l.broken:
		return l.statuses.linkedEventFailed
	case event.imported && !l.imported:
		return l.statuses.importedNotExpected
	case !event.imported && l.imported:
		return l.statuses.importedExpected
	case !event.imported && event.timestamp != 0:
		return l.statuses.timestampMustBeZero
	case event.imported && (event.timestamp == 0 || event.timestamp > ledger.TimestampMax):
		return l.statuses.timestampOutOfRange
	case event.imported && event.timestamp >= l.last:
		return l.statuses.timestampMustNotAdvance
	default:
		return l.statuses.created
	}
}

// breakChain takes the open chain back. Event i, the breaker, keeps its answer.
func (l *loop[S]) breakChain(i int) {
	l.broken = true
	l.books.rollBackChain()
	for member := l.chain; member < i; member++ {
		l.events.fail(member)
	}
}

// undo is the log of an open chain: what to do to take the chain back.
type undo struct {
	open                bool
	accounts, transfers position      // how many there were
	changed             []accountThen // oldest first
	resolved            []position    // holds that were posted or voided
}

type accountThen struct {
	at   position
	then snapshot
}

func (b *books) beginChain() {
	b.chain = undo{
		open: true, accounts: b.accounts.len, transfers: b.transfers.len,
		changed: b.chain.changed[:0], resolved: b.chain.resolved[:0],
	}
}

// endChain stops the log: what the chain did, or what is left of it, stays.
func (b *books) endChain() { b.chain.open = false }

// change returns the account for a change of its balances or of its closed bit.
// All such changes go through here, so that a chain can be taken back.
func (b *books) change(at position) *ledger.Account {
	a := b.accounts.at(at)
	if b.chain.open {
		b.chain.changed = append(b.chain.changed, accountThen{at, snapshotOf(a)})
	}
	return a
}

// resolve ends a hold. Posts and voids go through here, so that a chain can be
// taken back; an expiry is never part of one.
func (b *books) resolve(at position, state holdState) {
	b.transfers.at(at).hold = state
	if b.chain.open {
		b.chain.resolved = append(b.chain.resolved, at)
	}
}

// rollBackChain takes the books back to where the chain began. Left in place are
// the slots and the spent ids, which stay used, and expiry entries, which count
// only as long as they name a hold (see schedule). The indexes need nothing: they
// never run ahead of a finished request.
func (b *books) rollBackChain() {
	for i := len(b.chain.changed) - 1; i >= 0; i-- {
		c := &b.chain.changed[i]
		a := b.accounts.at(c.at)
		a.DebitsPending, a.DebitsPosted = c.then.debitsPending, c.then.debitsPosted
		a.CreditsPending, a.CreditsPosted = c.then.creditsPending, c.then.creditsPosted
		a.Flags = c.then.flags
	}
	for _, at := range b.chain.resolved {
		b.transfers.at(at).hold = held
	}
	for at := b.chain.transfers; at < b.transfers.len; at++ {
		b.transferIDs.remove(b.transfers.at(at).ID, at)
	}
	b.transfers.cut(b.chain.transfers)
	for at := b.chain.accounts; at < b.accounts.len; at++ {
		b.accountIDs.remove(b.accounts.at(at).ID, at)
	}
	b.accounts.cut(b.chain.accounts)
}
