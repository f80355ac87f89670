package embedded

import "github.com/peerledger/peerledger/ledger"

// changeEvents returns transfers and expiries in the order of time, at most maxEvents. Both lists
// are in the order of time already. A moment has one event: a transfer imported at the moment of an
// expiry replaces the expiry (measured on TigerBeetle 0.17.9, which may crash afterwards).
func (b *books) changeEvents(filter *ledger.ChangeEventsFilter, maxEvents int) []ledger.ChangeEvent {
	answer := []ledger.ChangeEvent{}
	if !filter.Valid() {
		return answer
	}
	transfers := spanOf(filter.TimestampMin, filter.TimestampMax, b.transfers.count, b.transfersFrom)
	expiries := spanOf(filter.TimestampMin, filter.TimestampMax, b.expired.count, b.expiriesFrom)
	b.history.catchUp(b)
	for range min(int(filter.Limit), maxEvents) {
		switch {
		case transfers.first == transfers.end && expiries.first == expiries.end:
			return answer
		case b.expiryIsNext(transfers, expiries):
			answer = append(answer, b.expiryEvent(expiries.first))
			expiries.first++
		default:
			if b.sameMoment(transfers, expiries) {
				expiries.first++
			}
			answer = append(answer, b.transferEvent(transfers.first))
			transfers.first++
		}
	}
	return answer
}

func (b *books) expiriesFrom(timestamp uint64) position {
	return b.expired.searchFirst(func(e *expiredHold) bool { return e.timestamp >= timestamp })
}

func (b *books) expiryIsNext(transfers, expiries rowSpan) bool {
	if transfers.first == transfers.end || expiries.first == expiries.end {
		return expiries.first < expiries.end
	}
	return b.expired.rowAt(expiries.first).timestamp < b.transfers.rowAt(transfers.first).Timestamp
}

// sameMoment reports whether the first transfer, which must exist, has the timestamp of the first
// expiry.
func (b *books) sameMoment(transfers, expiries rowSpan) bool {
	return expiries.first < expiries.end &&
		b.expired.rowAt(expiries.first).timestamp == b.transfers.rowAt(transfers.first).Timestamp
}

func (b *books) transferEvent(pos position) ledger.ChangeEvent {
	t, kind := b.transfers.rowAt(pos), ledger.ChangeEventSinglePhase
	switch {
	case t.Flags.Has(ledger.TransferPending):
		kind = ledger.ChangeEventTwoPhasePending
	case t.Flags.Has(ledger.TransferPostPending):
		kind = ledger.ChangeEventTwoPhasePosted
	case t.Flags.Has(ledger.TransferVoidPending):
		kind = ledger.ChangeEventTwoPhaseVoided
	}
	return b.newChangeEvent(t, kind, t.Timestamp, b.history.transferStates.rowAt(pos))
}

func (b *books) expiryEvent(pos position) ledger.ChangeEvent {
	e := b.expired.rowAt(pos)
	return b.newChangeEvent(b.transfers.rowAt(e.hold), ledger.ChangeEventTwoPhaseExpired, e.timestamp, b.history.expiryStates.rowAt(pos))
}

func (b *books) newChangeEvent(
	t *storedTransfer, kind ledger.ChangeEventType, timestamp uint64, after *statePair,
) ledger.ChangeEvent {
	debit, credit := b.accounts.rowAt(t.debit), b.accounts.rowAt(t.credit)
	return ledger.ChangeEvent{
		Timestamp: timestamp,
		Type:      kind,
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
