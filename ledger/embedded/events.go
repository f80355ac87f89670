package embedded

import (
	"sort"

	"github.com/peerledger/peerledger/ledger"
)

// eventQuery is a valid filter of change events.
type eventQuery struct {
	low, end uint64 // timestamps: from low on, before end
	limit    int    // at least 1

	// What the query may see: the transfers before a position, and the expiries before a timestamp.
	transferEnd position
	expiryEnd   uint64
}

// seeNow lets the query see the books as they are.
func (q *eventQuery) seeNow(b *books) {
	q.transferEnd, q.expiryEnd = b.transferEnd(), b.clock.newestTimestamp+1
}

// changeEvents returns transfers and expiries in the order of time. Both are in the order of time
// already. A moment has one event: a transfer imported at the moment of an expiry replaces the expiry
// (measured on TigerBeetle 0.17.9, which may crash afterwards).
//
// The states of the accounts come last, for the events of the answer only: cold ones are repeated
// from the beginning of their segment.
func (b *books) changeEvents(q *eventQuery) ([]ledger.ChangeEvent, error) {
	transfers, err := b.cold.transferEvents(q)
	if err != nil {
		return nil, err
	}
	transfers = b.transferEvents(q, transfers)
	expiries := q.beforeLast(transfers)
	found, err := b.cold.expiryEvents(&expiries)
	if err == nil {
		found, err = b.expiryEvents(&expiries, found)
	}
	if err != nil {
		return nil, err
	}
	events := mergeEvents(transfers, found, q.limit)
	if err := b.findStates(events); err != nil {
		return nil, err
	}
	if err := b.cold.findStates(events); err != nil {
		return nil, err
	}
	return b.newChangeEvents(events), nil
}

// coldEvents returns the events in the order of time if the cold store alone has a whole answer. It
// has none beyond its newest transfer: from there on, imported transfers of the books may come first.
func (c *coldStore) coldEvents(q eventQuery) (events []event, whole bool, err error) {
	// Transfers in memory are newer than the cold ones, and so are expiries in memory.
	isCold := q.end <= c.newestTimestamp()+1
	q.end = min(q.end, c.newestTimestamp()+1)
	transfers, err := c.transferEvents(&q)
	if err != nil {
		return nil, false, err
	}
	before := q.beforeLast(transfers)
	expiries, err := c.expiryEvents(&before)
	if err != nil {
		return nil, false, err
	}
	if events = mergeEvents(transfers, expiries, q.limit); len(events) < q.limit && !isCold {
		return nil, false, nil
	}
	return events, true, c.findStates(events)
}

// beforeLast returns a query for the expiries that can be among the first events, if those are the
// transfers.
func (q eventQuery) beforeLast(transfers []event) eventQuery {
	q.end = min(q.end, q.expiryEnd)
	if len(transfers) == q.limit {
		q.end = min(q.end, transfers[q.limit-1].timestamp+1)
	}
	return q
}

func (b *books) newChangeEvents(events []event) []ledger.ChangeEvent {
	answer := make([]ledger.ChangeEvent, len(events))
	for i := range events {
		answer[i] = b.newChangeEvent(&events[i])
	}
	return answer
}

// event is a transfer, or the expiry of a hold.
type event struct {
	transfer  storedTransfer // of the hold, for an expiry
	position  position       // of the transfer, or of the next one for an expiry
	isExpiry  bool
	timestamp uint64
	time      eventTime
	after     statePair
}

// eventTime is a generation or a segment. One of both is not nil.
type eventTime struct {
	generation *generation
	segment    int // the index of a segment, if generation is nil
}

// transferEvents returns the events of the first cold transfers.
func (c *coldStore) transferEvents(q *eventQuery) (events []event, err error) {
	for i := c.segmentFrom(q.low); i < len(c.segments); i++ {
		s := c.segments[i]
		if s.First == s.End {
			continue
		}
		first, err := s.FirstFrom(q.low)
		if err != nil {
			return nil, err
		}
		end := min(position(s.End), q.transferEnd)
		for row, err := range s.rowsIn(positionSpan{position(first), max(position(first), end)}, false) {
			if err != nil {
				return nil, err
			}
			if row.row.Timestamp >= q.end || len(events) == q.limit {
				return events, nil
			}
			events = append(events, event{
				transfer: fromRow(row.row), position: row.position, timestamp: row.row.Timestamp, time: eventTime{segment: i},
			})
		}
	}
	return events, nil
}

// transferEvents appends the events of the first transfers in memory.
func (b *books) transferEvents(q *eventQuery, events []event) []event {
	for g := range b.generations(false) {
		for p := g.transfersFrom(q.low); p < g.transfers.count; p++ {
			t := g.transfers.rowAt(p)
			if t.Timestamp >= q.end || len(events) == q.limit || g.positionOf(p) >= q.transferEnd {
				return events
			}
			events = append(events, event{
				transfer: *t, position: g.positionOf(p), timestamp: t.Timestamp, time: eventTime{generation: g},
			})
		}
	}
	return events
}

// expiryEvents returns the events of the first cold expiries.
func (c *coldStore) expiryEvents(q *eventQuery) (events []event, err error) {
	for i, s := range c.segments {
		if s.expiries.last < q.low || s.expiries.first >= q.end || s.expiries.last == 0 || len(events) == q.limit {
			continue
		}
		list, err := s.ReadExpiries()
		if err != nil {
			return nil, err
		}
		for j := sort.Search(len(list), func(j int) bool { return list[j].Timestamp >= q.low }); j < len(list); j++ {
			e := fromExpiry(&list[j])
			if len(events) == q.limit || e.timestamp >= q.end {
				return events, nil
			}
			row, err := c.readRow(e.hold)
			if err != nil {
				return nil, err
			}
			hold := fromRow(row)
			events = append(events, expiryEvent(&e, &hold, eventTime{segment: i}))
		}
	}
	return events, nil
}

// expiryEvents appends the events of the first expiries in memory.
func (b *books) expiryEvents(q *eventQuery, events []event) ([]event, error) {
	for g := range b.generations(false) {
		for p := g.expiriesFrom(q.low); p < g.expired.count; p++ {
			e := g.expired.rowAt(p)
			if len(events) == q.limit || e.timestamp >= q.end {
				return events, nil
			}
			hold, err := b.transferAt(e.hold)
			if err != nil {
				return nil, err
			}
			events = append(events, expiryEvent(e, hold, eventTime{generation: g}))
		}
	}
	return events, nil
}

func expiryEvent(e *expiredHold, hold *storedTransfer, time eventTime) event {
	return event{transfer: *hold, position: e.nextTransfer, isExpiry: true, timestamp: e.timestamp, time: time}
}

// mergeEvents merges transfers and expiries by their timestamps, at most limit.
func mergeEvents(transfers, expiries []event, limit int) []event {
	merged := make([]event, 0, min(limit, len(transfers)+len(expiries)))
	for len(merged) < limit {
		switch {
		case len(transfers) == 0 && len(expiries) == 0:
			return merged
		case len(transfers) == 0 || len(expiries) > 0 && expiries[0].timestamp < transfers[0].timestamp:
			merged, expiries = append(merged, expiries[0]), expiries[1:]
		default:
			if len(expiries) > 0 && expiries[0].timestamp == transfers[0].timestamp {
				expiries = expiries[1:]
			}
			merged, transfers = append(merged, transfers[0]), transfers[1:]
		}
	}
	return merged
}

// findStates sets the states of the accounts after each event in memory.
func (b *books) findStates(events []event) error {
	for i := range events {
		e := &events[i]
		g := e.time.generation
		if g == nil {
			continue
		}
		if err := b.catchUp(g); err != nil {
			return err
		}
		if e.isExpiry {
			e.after = *g.history.expiryStates.rowAt(g.expiriesFrom(e.timestamp))
		} else {
			e.after = *g.history.transferStates.rowAt(g.placeOf(e.position))
		}
	}
	return nil
}

// findStates sets the states of the accounts after each cold event.
func (c *coldStore) findStates(events []event) error {
	bySegment := make(map[int]map[uint64]*event)
	for i := range events {
		e := &events[i]
		if e.time.generation != nil {
			continue
		}
		if bySegment[e.time.segment] == nil {
			bySegment[e.time.segment] = make(map[uint64]*event)
		}
		bySegment[e.time.segment][e.timestamp] = e
	}
	for i, wanted := range bySegment {
		if err := c.repeatUntil(c.segments[i], wanted); err != nil {
			return err
		}
	}
	return nil
}

// repeatUntil repeats the events of a segment up to the last of the wanted ones, which are found by
// their timestamps, and sets the states after them.
func (c *coldStore) repeatUntil(of coldSegment, wanted map[uint64]*event) error {
	r, err := c.newRepetition(of)
	if err != nil {
		return err
	}
	left := len(wanted)
	note := func(timestamp uint64, isExpiry bool, after statePair) {
		if e := wanted[timestamp]; e != nil && e.isExpiry == isExpiry {
			e.after = after
			left--
		}
	}
	repeatExpiries := func(before position) error {
		for r.expiryIsNext(before) {
			timestamp := r.expiries[0].Timestamp
			after, err := r.repeatExpiry()
			if err != nil {
				return err
			}
			note(timestamp, true, after)
		}
		return nil
	}
	for row, err := range of.rowsIn(positionSpan{position(of.First), position(of.End)}, false) {
		if err != nil {
			return err
		}
		if err := repeatExpiries(row.position); err != nil {
			return err
		}
		if left == 0 {
			return nil
		}
		after, err := r.repeatRow(row.position, row.row)
		if err != nil {
			return err
		}
		note(row.row.Timestamp, false, after)
	}
	return repeatExpiries(noPosition)
}

func (e *event) changeType() ledger.ChangeEventType {
	switch t := &e.transfer; {
	case e.isExpiry:
		return ledger.ChangeEventTwoPhaseExpired
	case t.Flags.Has(ledger.TransferPending):
		return ledger.ChangeEventTwoPhasePending
	case t.Flags.Has(ledger.TransferPostPending):
		return ledger.ChangeEventTwoPhasePosted
	case t.Flags.Has(ledger.TransferVoidPending):
		return ledger.ChangeEventTwoPhaseVoided
	default:
		return ledger.ChangeEventSinglePhase
	}
}

func (b *books) newChangeEvent(e *event) ledger.ChangeEvent {
	t, after := &e.transfer, &e.after
	debit, credit := b.accountAt(t.debit), b.accountAt(t.credit)
	return ledger.ChangeEvent{
		Timestamp: e.timestamp,
		Type:      e.changeType(),
		Ledger:    t.Ledger,

		TransferID:          t.ID,
		TransferAmount:      t.Amount,
		TransferPendingID:   t.PendingID,
		TransferUserData128: t.UserData128,
		TransferUserData64:  t.UserData64,
		TransferUserData32:  t.UserData32,
		TransferTimeout:     t.Timeout,
		TransferCode:        t.Code,
		TransferFlags:       t.Flags,
		TransferTimestamp:   t.Timestamp,

		DebitAccountID:             debit.ID,
		DebitAccountDebitsPending:  after.debit.debitsPending,
		DebitAccountDebitsPosted:   after.debit.debitsPosted,
		DebitAccountCreditsPending: after.debit.creditsPending,
		DebitAccountCreditsPosted:  after.debit.creditsPosted,
		DebitAccountUserData128:    debit.UserData128,
		DebitAccountUserData64:     debit.UserData64,
		DebitAccountUserData32:     debit.UserData32,
		DebitAccountCode:           debit.Code,
		DebitAccountFlags:          after.debit.flags,
		DebitAccountTimestamp:      debit.Timestamp,

		CreditAccountID:             credit.ID,
		CreditAccountDebitsPending:  after.credit.debitsPending,
		CreditAccountDebitsPosted:   after.credit.debitsPosted,
		CreditAccountCreditsPending: after.credit.creditsPending,
		CreditAccountCreditsPosted:  after.credit.creditsPosted,
		CreditAccountUserData128:    credit.UserData128,
		CreditAccountUserData64:     credit.UserData64,
		CreditAccountUserData32:     credit.UserData32,
		CreditAccountCode:           credit.Code,
		CreditAccountFlags:          after.credit.flags,
		CreditAccountTimestamp:      credit.Timestamp,
	}
}
