package embedded

import (
	"sort"

	"github.com/peerledger/peerledger/ledger"
)

// changeEvents returns transfers and expiries in the order of time, at most maxEvents. Both are in
// the order of time already. A moment has one event: a transfer imported at the moment of an expiry
// replaces the expiry (measured on TigerBeetle 0.17.9, which may crash afterwards).
//
// The states of the accounts come last, for the events of the answer only: cold ones are repeated
// from the beginning of their segment.
func (b *books) changeEvents(filter *ledger.ChangeEventsFilter, maxEvents int) ([]ledger.ChangeEvent, error) {
	if !filter.Valid() {
		return []ledger.ChangeEvent{}, nil
	}
	limit := min(int(filter.Limit), maxEvents)
	transfers, err := b.transfersBetween(filter.TimestampMin, filter.TimestampMax, limit)
	if err != nil {
		return nil, err
	}
	before := timestampAfter(filter.TimestampMax)
	if len(transfers) == limit && limit > 0 {
		before = transfers[limit-1].transfer.Timestamp + 1
	}
	expiries, err := b.expiriesBetween(filter.TimestampMin, before, limit)
	if err != nil {
		return nil, err
	}
	events := mergeEvents(transfers, expiries, limit)
	if err := b.findStates(events); err != nil {
		return nil, err
	}
	answer := make([]ledger.ChangeEvent, len(events))
	for i := range events {
		answer[i] = b.newChangeEvent(&events[i])
	}
	return answer, nil
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

// transfersBetween returns the events of the first transfers of a time, both ends inclusive, where 0
// is no bound.
func (b *books) transfersBetween(low, high uint64, limit int) (events []event, err error) {
	end := timestampAfter(high)
	for i := b.cold.segmentFrom(low); i < len(b.cold.segments) && len(events) < limit; i++ {
		c := b.cold.segments[i]
		if c.First == c.End {
			continue
		}
		first, err := c.FirstFrom(low)
		if err != nil {
			return nil, err
		}
		for row, err := range c.rowsIn(rowSpan{position(first), position(c.End)}, false) {
			if err != nil {
				return nil, err
			}
			if row.row.Timestamp >= end || len(events) == limit {
				return events, nil
			}
			events = append(events, event{
				transfer: fromRow(row.row), position: row.position, timestamp: row.row.Timestamp, time: eventTime{segment: i},
			})
		}
	}
	for g := range b.generations(false) {
		span := spanOf(low, high, g.transfers.count, g.transfersFrom)
		for pos := span.first; pos < span.end && len(events) < limit; pos++ {
			t := g.transfers.rowAt(pos)
			events = append(events, event{
				transfer: *t, position: g.first + pos, timestamp: t.Timestamp, time: eventTime{generation: g},
			})
		}
	}
	return events, nil
}

// expiriesBetween returns the events of the first expiries from low on and before end.
func (b *books) expiriesBetween(low, end uint64, limit int) (events []event, err error) {
	add := func(e *expiredHold, time eventTime) (more bool, err error) {
		if len(events) == limit || e.timestamp >= end {
			return false, nil
		}
		hold, err := b.transferAt(e.hold)
		if err != nil {
			return false, err
		}
		events = append(events, event{
			transfer: *hold, position: e.nextTransfer, isExpiry: true, timestamp: e.timestamp, time: time,
		})
		return true, nil
	}
	for i, c := range b.cold.segments {
		if c.expiries.last < low || c.expiries.first >= end || c.expiries.last == 0 || len(events) == limit {
			continue
		}
		list, err := c.ReadExpiries()
		if err != nil {
			return nil, err
		}
		for j := sort.Search(len(list), func(j int) bool { return list[j].Timestamp >= low }); j < len(list); j++ {
			e := fromExpiry(&list[j])
			if more, err := add(&e, eventTime{segment: i}); err != nil || !more {
				return events, err
			}
		}
	}
	for g := range b.generations(false) {
		for pos := g.expiriesFrom(low); pos < g.expired.count; pos++ {
			if more, err := add(g.expired.rowAt(pos), eventTime{generation: g}); err != nil || !more {
				return events, err
			}
		}
	}
	return events, nil
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

// findStates sets the states of the accounts after each event.
func (b *books) findStates(events []event) error {
	sealed := make(map[int][]*event)
	for i := range events {
		e := &events[i]
		g := e.time.generation
		if g == nil {
			sealed[e.time.segment] = append(sealed[e.time.segment], e)
			continue
		}
		if err := b.catchUp(g); err != nil {
			return err
		}
		if e.isExpiry {
			e.after = *g.history.expiryStates.rowAt(g.expiriesFrom(e.timestamp))
		} else {
			e.after = *g.history.transferStates.rowAt(e.position - g.first)
		}
	}
	for i, list := range sealed {
		if err := b.findSealedStates(b.cold.segments[i], list); err != nil {
			return err
		}
	}
	return nil
}

// findSealedStates sets the states after events of a segment. They repeat the segment up to the last
// of them.
func (b *books) findSealedStates(c coldSegment, events []*event) error {
	r, err := b.newRepetition(c)
	if err != nil {
		return err
	}
	wanted := make(map[uint64]*event, len(events))
	for _, e := range events {
		wanted[e.timestamp] = e
	}
	left := len(events)
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
	for row, err := range c.rowsIn(rowSpan{position(c.First), position(c.End)}, false) {
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
	debit, credit := b.accounts.rowAt(t.debit), b.accounts.rowAt(t.credit)
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
