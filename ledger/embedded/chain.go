package embedded

import "github.com/peerledger/peerledger/ledger"

// createBatch is a create request as its loop sees it. Accounts and transfers differ in
// the rules for one event and in the numbers of the statuses.
type createBatch[S ~uint32] interface {
	eventCount() int
	headerOf(i int) eventHeader
	// applyRules puts event i through the rules of its kind. timestamp is the
	// answer's: the stored object's, or the event's own slot.
	applyRules(i int, slot uint64) (status S, timestamp uint64)
	setAnswer(i int, status S, timestamp uint64)
	// setLinkedFailed turns the answer of event i, a member of a broken chain, into
	// linked_event_failed. It keeps its timestamp.
	setLinkedFailed(i int)
	loopStatuses() *loopStatuses[S]
}

// eventHeader is what the loop needs to know of an event.
type eventHeader struct {
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

// createLoop is one create request under way.
type createLoop[S ~uint32] struct {
	books         *books
	events        createBatch[S]
	statuses      *loopStatuses[S]
	last          uint64 // the request's timestamp, which is the last event's slot
	firstImported bool   // whether the first event is; it decides for all

	chainStart int  // first event of the open chain, -1 if none is open
	broken     bool // the open chain has been taken back
}

// runEvents puts the events of a request through the rules one after another. The
// events own the timestamps that end at last. What comes out depends on the books
// and on the arguments only, so that a request can be run again from the log of a
// folder.
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

// checkEvent gives the answer to event i that does not depend on its kind, created if
// the event may go on to the rules of its kind.
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

// breakChain takes the open chain back. Event i, the breaker, keeps its answer.
func (l *createLoop[S]) breakChain(i int) {
	l.broken = true
	l.books.rollBackChain()
	for member := l.chainStart; member < i; member++ {
		l.events.setLinkedFailed(member)
	}
}

// undoLog is the log of an open chain: what to do to take the chain back.
type undoLog struct {
	active              bool
	accounts, transfers position       // how many there were
	accountStates       []savedAccount // oldest first
	resolvedHolds       []position     // holds that were posted or voided
}

type savedAccount struct {
	pos   position
	state accountState
}

func (b *books) beginChain() {
	b.undo = undoLog{
		active: true, accounts: b.accounts.count, transfers: b.transfers.count,
		accountStates: b.undo.accountStates[:0], resolvedHolds: b.undo.resolvedHolds[:0],
	}
}

// endChain stops the log: what the chain did, or what is left of it, stays.
func (b *books) endChain() { b.undo.active = false }

// changeAccount returns the account for a change of its balances or of its closed bit.
// All such changes go through here, so that a chain can be taken back.
func (b *books) changeAccount(pos position) *ledger.Account {
	a := b.accounts.rowAt(pos)
	if b.undo.active {
		b.undo.accountStates = append(b.undo.accountStates, savedAccount{pos, stateOf(a)})
	}
	return a
}

// endHold ends a hold. Posts and voids go through here, so that a chain can be
// taken back; an expiry is never part of one.
func (b *books) endHold(pos position, state holdState) {
	b.transfers.rowAt(pos).holdState = state
	if b.undo.active {
		b.undo.resolvedHolds = append(b.undo.resolvedHolds, pos)
	}
}

// rollBackChain takes the books back to where the chain began. Left in place are
// the slots and the spent ids, which stay used, and expiry entries, which count
// only as long as they name a hold (see schedule). The indexes need nothing: they
// never run ahead of a finished request.
func (b *books) rollBackChain() {
	for i := len(b.undo.accountStates) - 1; i >= 0; i-- {
		c := &b.undo.accountStates[i]
		a := b.accounts.rowAt(c.pos)
		a.DebitsPending, a.DebitsPosted = c.state.debitsPending, c.state.debitsPosted
		a.CreditsPending, a.CreditsPosted = c.state.creditsPending, c.state.creditsPosted
		a.Flags = c.state.flags
	}
	for _, pos := range b.undo.resolvedHolds {
		b.transfers.rowAt(pos).holdState = holdPending
	}
	for pos := b.undo.transfers; pos < b.transfers.count; pos++ {
		b.transferIDs.removePosition(b.transfers.rowAt(pos).ID, pos)
	}
	b.transfers.truncateTo(b.undo.transfers)
	for pos := b.undo.accounts; pos < b.accounts.count; pos++ {
		b.accountIDs.removePosition(b.accounts.rowAt(pos).ID, pos)
	}
	b.accounts.truncateTo(b.undo.accounts)
}
