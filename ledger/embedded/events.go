package embedded

import "github.com/peerledger/peerledger/ledger"

// changeEvents answers with transfers and expiries in the order of time, at most
// most of them. Both lists are in that order by themselves. There is one event for a
// moment: a transfer that was imported at the moment of an expiry takes its place
// (measured on TigerBeetle 0.17.9, which may crash afterwards).
func (b *books) changeEvents(filter *ledger.ChangeEventsFilter, most int) []ledger.ChangeEvent {
	answer := []ledger.ChangeEvent{}
	if !filter.Valid() {
		return answer
	}
	transfers := spanOf(filter.TimestampMin, filter.TimestampMax, b.transfers.len, b.transfersFrom)
	expiries := spanOf(filter.TimestampMin, filter.TimestampMax, b.expired.len, b.expiriesFrom)
	b.history.catchUp(b)
	for range min(int(filter.Limit), most) {
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
	return b.expired.search(func(e *expired) bool { return e.timestamp >= timestamp })
}

func (b *books) expiryIsNext(transfers, expiries span) bool {
	if transfers.first == transfers.end || expiries.first == expiries.end {
		return expiries.first < expiries.end
	}
	return b.expired.at(expiries.first).timestamp < b.transfers.at(transfers.first).Timestamp
}

// sameMoment reports whether the first transfer, which is there, has the timestamp of
// the first expiry.
func (b *books) sameMoment(transfers, expiries span) bool {
	return expiries.first < expiries.end &&
		b.expired.at(expiries.first).timestamp == b.transfers.at(transfers.first).Timestamp
}

func (b *books) transferEvent(at position) ledger.ChangeEvent {
	t, kind := b.transfers.at(at), ledger.ChangeEventSinglePhase
	switch {
	case t.Flags.Has(ledger.TransferPending):
		kind = ledger.ChangeEventTwoPhasePending
	case t.Flags.Has(ledger.TransferPostPending):
		kind = ledger.ChangeEventTwoPhasePosted
	case t.Flags.Has(ledger.TransferVoidPending):
		kind = ledger.ChangeEventTwoPhaseVoided
	}
	return b.changeEvent(t, kind, t.Timestamp, b.history.moments.at(at))
}

func (b *books) expiryEvent(at position) ledger.ChangeEvent {
	e := b.expired.at(at)
	return b.changeEvent(b.transfers.at(e.hold), ledger.ChangeEventTwoPhaseExpired, e.timestamp, b.history.expired.at(at))
}

func (b *books) changeEvent(
	t *transfer, kind ledger.ChangeEventType, timestamp uint64, after *moment,
) ledger.ChangeEvent {
	debit, credit := b.accounts.at(t.debit), b.accounts.at(t.credit)
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
