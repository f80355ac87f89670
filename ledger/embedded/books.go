package embedded

import (
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// books are the accounts and transfers of a ledger. One request at a time uses them.
//
// Invariants: accounts and transfers are each in strictly ascending order of timestamp (imported
// ones too, since imported timestamps must not regress); only the rollback of a chain removes rows;
// posted plus pending fits 128 bits on either side of every account.
type books struct {
	clock clock

	accounts   rows[ledger.Account]
	accountIDs *idTable

	transfers   rows[storedTransfer]
	transferIDs *idTable
	// burntIDs are the transfer ids burnt by a transient refusal.
	burntIDs idSet

	expiries expirySchedule    // of holds with a timeout
	expired  rows[expiredHold] // in order of timestamp

	undo undoLog

	accountIndex  fieldIndex
	transferIndex fieldIndex
	debits        rowIndex[ledger.ID] // transfers by debit account
	credits       rowIndex[ledger.ID] // transfers by credit account
	history       history
}

// storedTransfer is a stored transfer with its accounts and the state of its hold.
type storedTransfer struct {
	ledger.Transfer
	debit, credit position // positions of its accounts
	holdState     holdState
}

// holdState is the state of a pending transfer. Every other transfer has the state notHold.
type holdState uint8

const (
	notHold holdState = iota
	holdPending
	holdPosted
	holdVoided
	holdExpired
)

// accountState is the variable part of an account at one moment.
type accountState struct {
	debitsPending, debitsPosted, creditsPending, creditsPosted ledger.Amount

	flags ledger.AccountFlags
}

func stateOf(a *ledger.Account) accountState {
	return accountState{a.DebitsPending, a.DebitsPosted, a.CreditsPending, a.CreditsPosted, a.Flags}
}

func newBooks() books {
	return books{
		clock:       clock{now: time.Now},
		accountIDs:  newIDTable(),
		transferIDs: newIDTable(),
		burntIDs:    idSet{positions: newIDTable()},
	}
}

// accountPosition returns the position of the account with the id.
func (b *books) accountPosition(id ledger.ID) (position, bool) {
	return b.accountIDs.findPosition(id, func(pos position) bool { return b.accounts.rowAt(pos).ID == id })
}

// transferPosition returns the position of the transfer with the id.
func (b *books) transferPosition(id ledger.ID) (position, bool) {
	return b.transferIDs.findPosition(id, func(pos position) bool { return b.transfers.rowAt(pos).ID == id })
}

// findAccount returns the account with the id, nil if there is none.
func (b *books) findAccount(id ledger.ID) *ledger.Account {
	if pos, ok := b.accountPosition(id); ok {
		return b.accounts.rowAt(pos)
	}
	return nil
}

// findTransfer returns the transfer with the id, nil if there is none.
func (b *books) findTransfer(id ledger.ID) *storedTransfer {
	if pos, ok := b.transferPosition(id); ok {
		return b.transfers.rowAt(pos)
	}
	return nil
}

// findHold returns the transfer of a hold known to be stored.
func (b *books) findHold(id ledger.ID) *ledger.Transfer { return &b.findTransfer(id).Transfer }

func (b *books) lookupAccounts(ids []ledger.ID) []ledger.Account {
	found := make([]ledger.Account, 0, len(ids))
	for _, id := range ids {
		if a := b.findAccount(id); a != nil {
			found = append(found, *a)
		}
	}
	return found
}

func (b *books) lookupTransfers(ids []ledger.ID) []ledger.Transfer {
	found := make([]ledger.Transfer, 0, len(ids))
	for _, id := range ids {
		if t := b.findTransfer(id); t != nil {
			found = append(found, t.Transfer)
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
	if b.transfers.count == 0 {
		return 0
	}
	return b.transfers.rowAt(b.transfers.count - 1).Timestamp
}

func (b *books) accountsFrom(timestamp uint64) position {
	return b.accounts.searchFirst(func(a *ledger.Account) bool { return a.Timestamp >= timestamp })
}

func (b *books) transfersFrom(timestamp uint64) position {
	return b.transfers.searchFirst(func(t *storedTransfer) bool { return t.Timestamp >= timestamp })
}

// accountRegresses reports whether no account may be imported with the timestamp: an account has it
// or a later one, or a transfer has it.
func (b *books) accountRegresses(timestamp uint64) bool {
	if timestamp <= b.newestAccount() {
		return true
	}
	pos := b.transfersFrom(timestamp)
	return pos < b.transfers.count && b.transfers.rowAt(pos).Timestamp == timestamp
}

// transferRegresses reports whether no transfer may be imported with the timestamp: a transfer has
// it or a later one, or an account has it.
func (b *books) transferRegresses(timestamp uint64) bool {
	if timestamp <= b.newestTransfer() {
		return true
	}
	pos := b.accountsFrom(timestamp)
	return pos < b.accounts.count && b.accounts.rowAt(pos).Timestamp == timestamp
}
