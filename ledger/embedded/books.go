package embedded

import (
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// books is all that the ledger knows. It is used by one request at a time.
//
// Invariants: accounts and transfers are each in strictly ascending order of
// timestamp (imported ones too, by the rule that they must not regress), nothing
// is ever removed but by the rollback of a chain, and for every account posted
// plus pending fits 128 bits on either side.
type books struct {
	clock clock

	accounts   rows[ledger.Account]
	accountIDs *directory

	transfers   rows[transfer]
	transferIDs *directory
	// failed holds the ids that a transient refusal has spent.
	failed idSet

	expiries schedule      // of holds with a timeout
	expired  rows[expired] // in order of timestamp

	chain undo

	accountIndex  fieldIndex
	transferIndex fieldIndex
	debits        index[ledger.ID] // transfers by debit account
	credits       index[ledger.ID] // transfers by credit account
	history       history
}

// transfer is a stored transfer with what is kept beside it.
type transfer struct {
	ledger.Transfer
	debit, credit position // its accounts
	hold          holdState
}

// holdState is what became of a pending transfer; of no other transfer it is
// anything but notHold.
type holdState uint8

const (
	notHold holdState = iota
	held
	posted
	voided
	lapsed
)

// snapshot is what can change of an account, as it was at some moment.
type snapshot struct {
	debitsPending, debitsPosted, creditsPending, creditsPosted ledger.Amount

	flags ledger.AccountFlags
}

func snapshotOf(a *ledger.Account) snapshot {
	return snapshot{a.DebitsPending, a.DebitsPosted, a.CreditsPending, a.CreditsPosted, a.Flags}
}

func newBooks() books {
	return books{
		clock:       clock{now: time.Now},
		accountIDs:  newDirectory(),
		transferIDs: newDirectory(),
		failed:      idSet{places: newDirectory()},
	}
}

// accountAt returns the place of the account with the id.
func (b *books) accountAt(id ledger.ID) (position, bool) {
	return b.accountIDs.find(id, func(at position) bool { return b.accounts.at(at).ID == id })
}

// transferAt returns the place of the transfer with the id.
func (b *books) transferAt(id ledger.ID) (position, bool) {
	return b.transferIDs.find(id, func(at position) bool { return b.transfers.at(at).ID == id })
}

// findAccount returns the account with the id, nil if there is none.
func (b *books) findAccount(id ledger.ID) *ledger.Account {
	if at, ok := b.accountAt(id); ok {
		return b.accounts.at(at)
	}
	return nil
}

// findTransfer returns the transfer with the id, nil if there is none.
func (b *books) findTransfer(id ledger.ID) *transfer {
	if at, ok := b.transferAt(id); ok {
		return b.transfers.at(at)
	}
	return nil
}

// holdOf is findTransfer for a hold that is known to be there.
func (b *books) holdOf(id ledger.ID) *ledger.Transfer { return &b.findTransfer(id).Transfer }

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

// newestAccount is the greatest timestamp of an account, 0 if there is none.
func (b *books) newestAccount() uint64 {
	if b.accounts.len == 0 {
		return 0
	}
	return b.accounts.at(b.accounts.len - 1).Timestamp
}

// newestTransfer is the greatest timestamp of a transfer, 0 if there is none.
func (b *books) newestTransfer() uint64 {
	if b.transfers.len == 0 {
		return 0
	}
	return b.transfers.at(b.transfers.len - 1).Timestamp
}

func (b *books) accountsFrom(timestamp uint64) position {
	return b.accounts.search(func(a *ledger.Account) bool { return a.Timestamp >= timestamp })
}

func (b *books) transfersFrom(timestamp uint64) position {
	return b.transfers.search(func(t *transfer) bool { return t.Timestamp >= timestamp })
}

// accountRegresses reports whether no account may be imported at the timestamp:
// it is not after every other account's, or a transfer has it.
func (b *books) accountRegresses(timestamp uint64) bool {
	if timestamp <= b.newestAccount() {
		return true
	}
	at := b.transfersFrom(timestamp)
	return at < b.transfers.len && b.transfers.at(at).Timestamp == timestamp
}

// transferRegresses is accountRegresses for a transfer.
func (b *books) transferRegresses(timestamp uint64) bool {
	if timestamp <= b.newestTransfer() {
		return true
	}
	at := b.accountsFrom(timestamp)
	return at < b.accounts.len && b.accounts.at(at).Timestamp == timestamp
}
