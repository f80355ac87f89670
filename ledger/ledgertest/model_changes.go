package ledgertest

import (
	"cmp"
	"slices"

	"github.com/peerledger/peerledger/ledger"
)

// recordChange adds the change event of a transfer that was just applied.
func (m *model) recordChange(t *ledger.Transfer, kind ledger.ChangeEventType, timestamp uint64) {
	debit, credit := m.accountsByID[t.DebitAccountID], m.accountsByID[t.CreditAccountID]
	m.changes = append(m.changes, ledger.ChangeEvent{
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
		DebitAccountDebitsPending:  debit.DebitsPending,
		DebitAccountDebitsPosted:   debit.DebitsPosted,
		DebitAccountCreditsPending: debit.CreditsPending,
		DebitAccountCreditsPosted:  debit.CreditsPosted,
		DebitAccountUserData128:    debit.UserData128,
		DebitAccountUserData64:     debit.UserData64,
		DebitAccountUserData32:     debit.UserData32,
		DebitAccountCode:           debit.Code,
		DebitAccountFlags:          debit.Flags,
		DebitAccountTimestamp:      debit.Timestamp,

		CreditAccountID:             credit.ID,
		CreditAccountDebitsPending:  credit.DebitsPending,
		CreditAccountDebitsPosted:   credit.DebitsPosted,
		CreditAccountCreditsPending: credit.CreditsPending,
		CreditAccountCreditsPosted:  credit.CreditsPosted,
		CreditAccountUserData128:    credit.UserData128,
		CreditAccountUserData64:     credit.UserData64,
		CreditAccountUserData32:     credit.UserData32,
		CreditAccountCode:           credit.Code,
		CreditAccountFlags:          credit.Flags,
		CreditAccountTimestamp:      credit.Timestamp,
	})
}

// selectChangesFrom returns the change events from the timestamp on, sorted by timestamp. (Imports
// happen later than their timestamps.)
func (m *model) selectChangesFrom(timestamp uint64) []ledger.ChangeEvent {
	var from []ledger.ChangeEvent
	for i := range m.changes {
		if m.changes[i].Timestamp >= timestamp {
			from = append(from, m.changes[i])
		}
	}
	slices.SortFunc(from, func(a, b ledger.ChangeEvent) int { return cmp.Compare(a.Timestamp, b.Timestamp) })
	return from
}

// buildBalanceHistory returns the balances of the account after each of its transfers.
func (m *model) buildBalanceHistory(id ledger.ID) map[uint64]ledger.AccountBalance {
	rows := make(map[uint64]ledger.AccountBalance)
	for i := range m.changes {
		e := &m.changes[i]
		switch {
		case e.Type == ledger.ChangeEventTwoPhaseExpired: // has no row
		case e.DebitAccountID == id:
			rows[e.Timestamp] = ledger.AccountBalance{
				DebitsPending: e.DebitAccountDebitsPending, DebitsPosted: e.DebitAccountDebitsPosted,
				CreditsPending: e.DebitAccountCreditsPending, CreditsPosted: e.DebitAccountCreditsPosted,
				Timestamp: e.Timestamp,
			}
		case e.CreditAccountID == id:
			rows[e.Timestamp] = ledger.AccountBalance{
				DebitsPending: e.CreditAccountDebitsPending, DebitsPosted: e.CreditAccountDebitsPosted,
				CreditsPending: e.CreditAccountCreditsPending, CreditsPosted: e.CreditAccountCreditsPosted,
				Timestamp: e.Timestamp,
			}
		}
	}
	return rows
}
