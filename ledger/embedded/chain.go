package embedded

import "github.com/peerledger/peerledger/ledger"

// createBatch is a create request for the loop over its events. Accounts and transfers differ in
// the rules for one event and in the numbers of the statuses.
type createBatch[S ~uint32] interface {
	eventCount() int
	headerOf(i int) eventHeader
	// applyRules applies the rules of its kind to event i. timestamp is the timestamp of the
	// answer: the stored object's, or the event's own slot.
	applyRules(i int, slot uint64) (status S, timestamp uint64)
	setAnswer(i int, status S, timestamp uint64)
	// setLinkedFailed changes the status of event i, a member of a broken chain, to
	// linked_event_failed. The timestamp of the answer stays.
	setLinkedFailed(i int)
	loopStatuses() *loopStatuses[S]
}

// eventHeader is the part of an event that the loop reads.
type eventHeader struct {
	linked, imported bool
	timestamp        uint64
}

// loopStatuses are the statuses set by the loop itself.
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

// createLoop is one create request under way.
type createLoop[S ~uint32] struct {
	books         *books
	events        createBatch[S]
	statuses      *loopStatuses[S]
	last          uint64 // the request's timestamp, the slot of the last event
	firstImported bool   // whether the first event is imported; the others must agree

	chainStart int  // first event of the open chain, -1 if none is open
	broken     bool // the open chain has been rolled back
}

// runEvents applies the rules to the events of a request in order. The events own the timestamps up
// to last. The answers depend only on the books and the arguments, so a request in the log of a
// folder can be repeated.
func runEvents[S ~uint32](b *books, events createBatch[S], last uint64) {
	l := createLoop[S]{books: b, events: events, statuses: events.loopStatuses(), last: last, chainStart: -1}
	for i := range events.eventCount() {
		l.processEvent(i, events.headerOf(i))
	}
}

func (l *createLoop[S]) processEvent(i int, event eventHeader) {
	if i == 0 {
		l.firstImported = event.imported
	}
	if event.linked && l.chainStart < 0 {
		l.chainStart, l.broken = i, false
		l.books.beginChain()
	}
	slot := l.last - uint64(l.events.eventCount()-1-i)
	status, timestamp := l.checkEvent(i, event), slot
	if status == l.statuses.created {
		status, timestamp = l.events.applyRules(i, slot)
	}
	l.events.setAnswer(i, status, timestamp)
	if l.chainStart < 0 {
		return
	}
	if status != l.statuses.created && !l.broken {
		l.breakChain(i)
	}
	if !event.linked || l.isLast(i) {
		l.chainStart, l.broken = -1, false
		l.books.endChain()
	}
}

func (l *createLoop[S]) isLast(i int) bool { return i == l.events.eventCount()-1 }

// checkEvent returns the status of event i from the rules common to accounts and transfers, or
// created if the rules of its kind come next.
func (l *createLoop[S]) checkEvent(i int, event eventHeader) S {
	switch {
	case event.linked && l.isLast(i):
		return l.statuses.linkedEventChainOpen
	case l.broken:
		return l.statuses.linkedEventFailed
	case event.imported && !l.firstImported:
		return l.statuses.importedNotExpected
	case !event.imported && l.firstImported:
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

// breakChain rolls the open chain back. Event i, the breaker, keeps its answer.
func (l *createLoop[S]) breakChain(i int) {
	l.broken = true
	l.books.rollBackChain()
	for member := l.chainStart; member < i; member++ {
		l.events.setLinkedFailed(member)
	}
}

// undoLog records the changes of an open chain for a rollback.
type undoLog struct {
	active              bool
	accounts, transfers place          // the numbers of accounts and of hot transfers before the chain
	accountStates       []savedAccount // oldest first
	resolvedHolds       []position     // holds posted or voided by the chain
	lateEnds            int            // the number of late ends before the chain
}

type savedAccount struct {
	pos   accountPosition
	state accountState
}

func (b *books) beginChain() {
	b.undo = undoLog{
		active: true, accounts: b.accounts.count, transfers: b.hot.transfers.count, lateEnds: len(b.hot.lateEnds),
		accountStates: b.undo.accountStates[:0], resolvedHolds: b.undo.resolvedHolds[:0],
	}
}

// endChain stops the undo log. The changes of the chain stay.
func (b *books) endChain() { b.undo.active = false }

// changeAccount returns the account for a change of its balances or its closed flag. Every such
// change calls it, so that a chain can be rolled back, and history knows the states before.
func (b *books) changeAccount(pos accountPosition) *ledger.Account {
	a := b.accountAt(pos)
	if b.hot.number > 0 {
		b.keepStart(pos, a)
	}
	if b.undo.active {
		b.undo.accountStates = append(b.undo.accountStates, savedAccount{pos, stateOf(a)})
	}
	return a
}

// rollBackChain restores the books to the start of the chain. Slots and burnt ids stay used. Expiry
// entries stay too, because an entry counts only while it names a hold (see expirySchedule). The
// indexes need no rollback: they never read rows of an unfinished request. Nor do the starts of accounts: a rolled-back
// chain leaves an account as it started, and no account made by a chain has changed.
func (b *books) rollBackChain() {
	for i := len(b.undo.accountStates) - 1; i >= 0; i-- {
		c := &b.undo.accountStates[i]
		c.state.setOn(b.accountAt(c.pos))
	}
	for _, pos := range b.undo.resolvedHolds {
		b.reopenHold(pos)
	}
	g := b.hot
	g.lateEnds = g.lateEnds[:b.undo.lateEnds]
	for p := b.undo.transfers; p < g.transfers.count; p++ {
		g.ids.removePlace(g.transfers.rowAt(p).ID, p)
	}
	g.transfers.truncateTo(b.undo.transfers)
	for p := b.undo.accounts; p < b.accounts.count; p++ {
		b.accountIDs.removePlace(b.accounts.rowAt(p).ID, p)
	}
	b.accounts.truncateTo(b.undo.accounts)
	b.touched.truncateTo(min(b.touched.count, b.undo.accounts))
}
