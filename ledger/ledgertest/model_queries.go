package ledgertest

import (
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
)

// The queries below search everything in the model.

// queryFields are the fields by which both accounts and transfers can be queried. In a filter zero
// matches any value.
type queryFields struct {
	userData128 uint128.Uint128
	userData64  uint64
	userData32  uint32
	ledger      uint32
	code        uint16
}

func (want *queryFields) matchFields(have *queryFields) bool {
	return (want.userData128.IsZero() || want.userData128 == have.userData128) &&
		(want.userData64 == 0 || want.userData64 == have.userData64) &&
		(want.userData32 == 0 || want.userData32 == have.userData32) &&
		(want.ledger == 0 || want.ledger == have.ledger) &&
		(want.code == 0 || want.code == have.code)
}

// selection is a part of a list: the first rows from either end.
type selection struct {
	low, high uint64 // timestamps, both inclusive; no upper bound if high is 0
	limit     uint32
	reversed  bool
}

// selectRows returns the matching rows. The rows given are sorted by timestamp.
func selectRows[T any](s selection, rows []T, timestamp func(*T) uint64, match func(*T) bool) []T {
	var picked []T
	for i := range rows {
		row := &rows[i]
		if s.reversed {
			row = &rows[len(rows)-1-i]
		}
		at := timestamp(row)
		if len(picked) < int(s.limit) && at >= s.low && (s.high == 0 || at <= s.high) && match(row) {
			picked = append(picked, *row)
		}
	}
	return picked
}

func (m *model) queryAccounts(f *ledger.QueryFilter) []ledger.Account {
	if !f.Valid() {
		return nil
	}
	want := queryFields{f.UserData128, f.UserData64, f.UserData32, f.Ledger, f.Code}
	return selectRows(newSelection(f), m.copyAccounts(), accountTimestamp, func(a *ledger.Account) bool {
		return want.matchFields(&queryFields{a.UserData128, a.UserData64, a.UserData32, a.Ledger, a.Code})
	})
}

func (m *model) queryTransfers(f *ledger.QueryFilter) []ledger.Transfer {
	if !f.Valid() {
		return nil
	}
	want := queryFields{f.UserData128, f.UserData64, f.UserData32, f.Ledger, f.Code}
	return selectRows(newSelection(f), m.transfers, transferTimestamp, func(t *ledger.Transfer) bool {
		return want.matchFields(&queryFields{t.UserData128, t.UserData64, t.UserData32, t.Ledger, t.Code})
	})
}

func newSelection(f *ledger.QueryFilter) selection {
	return selection{f.TimestampMin, f.TimestampMax, f.Limit, f.Flags&ledger.QueryFilterReversed != 0}
}

func (m *model) getAccountTransfers(f *ledger.AccountFilter) []ledger.Transfer {
	if !f.Valid() {
		return nil
	}
	s := selection{f.TimestampMin, f.TimestampMax, f.Limit, f.Flags&ledger.AccountFilterReversed != 0}
	want := queryFields{f.UserData128, f.UserData64, f.UserData32, 0, f.Code}
	return selectRows(s, m.transfers, transferTimestamp, func(t *ledger.Transfer) bool {
		side := (f.Flags&ledger.AccountFilterDebits != 0 && t.DebitAccountID == f.AccountID) ||
			(f.Flags&ledger.AccountFilterCredits != 0 && t.CreditAccountID == f.AccountID)
		return side && want.matchFields(&queryFields{t.UserData128, t.UserData64, t.UserData32, t.Ledger, t.Code})
	})
}

func (m *model) getAccountBalances(f *ledger.AccountFilter) []ledger.AccountBalance {
	a := m.accountsByID[f.AccountID]
	if a == nil || !a.Flags.Has(ledger.AccountHistory) {
		return nil
	}
	history := m.buildBalanceHistory(f.AccountID)
	var rows []ledger.AccountBalance
	for _, t := range m.getAccountTransfers(f) {
		rows = append(rows, history[t.Timestamp])
	}
	return rows
}

func (m *model) getChangeEvents(f *ledger.ChangeEventsFilter) []ledger.ChangeEvent {
	if !f.Valid() {
		return nil
	}
	s := selection{f.TimestampMin, f.TimestampMax, f.Limit, false}
	return selectRows(s, m.selectChangesFrom(f.TimestampMin), changeTimestamp, func(*ledger.ChangeEvent) bool { return true })
}

func (m *model) lookupAccounts(ids []ledger.ID) (found []ledger.Account) {
	for _, id := range ids {
		if a := m.accountsByID[id]; a != nil {
			found = append(found, *a)
		}
	}
	return found
}

func (m *model) lookupTransfers(ids []ledger.ID) (found []ledger.Transfer) {
	for _, id := range ids {
		if t, ok := m.findTransfer(id); ok {
			found = append(found, t)
		}
	}
	return found
}

func (m *model) copyAccounts() []ledger.Account {
	accounts := make([]ledger.Account, len(m.accounts))
	for i, a := range m.accounts {
		accounts[i] = *a
	}
	return accounts
}

func accountTimestamp(a *ledger.Account) uint64    { return a.Timestamp }
func transferTimestamp(t *ledger.Transfer) uint64  { return t.Timestamp }
func changeTimestamp(e *ledger.ChangeEvent) uint64 { return e.Timestamp }
