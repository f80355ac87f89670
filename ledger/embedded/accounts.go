package embedded

import (
	"github.com/peerledger/peerledger/internal/tbexists"
	"github.com/peerledger/peerledger/ledger"
)

// accountBatch is a CreateAccounts request under way.
type accountBatch struct {
	books   *books
	events  []ledger.Account
	results []ledger.CreateAccountResult
}

var accountLoopStatuses = loopStatuses[ledger.CreateAccountStatus]{
	created:                 ledger.AccountCreated,
	linkedEventFailed:       ledger.AccountLinkedEventFailed,
	linkedEventChainOpen:    ledger.AccountLinkedEventChainOpen,
	importedExpected:        ledger.AccountImportedEventExpected,
	importedNotExpected:     ledger.AccountImportedEventNotExpected,
	timestampOutOfRange:     ledger.AccountImportedEventTimestampOutOfRange,
	timestampMustNotAdvance: ledger.AccountImportedEventTimestampMustNotAdvance,
	timestampMustBeZero:     ledger.AccountTimestampMustBeZero,
}

// createAccounts runs a request whose last event has the timestamp last. With an error, of a file,
// nothing has changed.
func (b *books) createAccounts(accounts []ledger.Account, last uint64) ([]ledger.CreateAccountResult, error) {
	if uint64(b.accounts.count)+uint64(len(accounts)) > maxPlaces {
		return nil, ErrLedgerFull
	}
	if err := b.fetchTimestamps(accounts); err != nil {
		return nil, err
	}
	r := &accountBatch{b, accounts, make([]ledger.CreateAccountResult, len(accounts))}
	runEvents(b, r, last)
	return r.results, nil
}

func (r *accountBatch) eventCount() int { return len(r.events) }

func (r *accountBatch) headerOf(i int) eventHeader {
	a := &r.events[i]
	return eventHeader{a.Flags.Has(ledger.AccountLinked), a.Flags.Has(ledger.AccountImported), a.Timestamp}
}

func (r *accountBatch) applyRules(i int, slot uint64) (ledger.CreateAccountStatus, uint64) {
	return r.books.createAccount(&r.events[i], slot)
}

func (r *accountBatch) setAnswer(i int, status ledger.CreateAccountStatus, timestamp uint64) {
	r.results[i] = ledger.CreateAccountResult{Status: status, Timestamp: timestamp}
}

func (r *accountBatch) setLinkedFailed(i int) { r.results[i].Status = ledger.AccountLinkedEventFailed }

func (r *accountBatch) loopStatuses() *loopStatuses[ledger.CreateAccountStatus] {
	return &accountLoopStatuses
}

// createAccount checks one account and stores it if all rules hold. The first broken rule is the
// status.
func (b *books) createAccount(a *ledger.Account, slot uint64) (ledger.CreateAccountStatus, uint64) {
	switch {
	case a.Reserved != 0:
		return ledger.AccountReservedField, slot
	case a.Flags&^ledger.AccountFlagsMask != 0:
		return ledger.AccountReservedFlag, slot
	case a.ID.IsZero():
		return ledger.AccountIDMustNotBeZero, slot
	case a.ID == ledger.IDMax:
		return ledger.AccountIDMustNotBeIntMax, slot
	}
	if stored := b.findAccount(a.ID); stored != nil {
		if status := tbexists.CompareAccount(a, stored); status != ledger.AccountExists {
			return status, slot
		}
		return ledger.AccountExists, stored.Timestamp
	}
	if status := checkAccount(a); status != ledger.AccountCreated {
		return status, slot
	}
	timestamp := slot
	if a.Flags.Has(ledger.AccountImported) {
		if b.accountRegresses(a.Timestamp) {
			return ledger.AccountImportedEventTimestampMustNotRegress, slot
		}
		timestamp = a.Timestamp
	}
	b.addAccount(a, timestamp)
	return ledger.AccountCreated, timestamp
}

func (b *books) addAccount(a *ledger.Account, timestamp uint64) {
	stored := b.accounts.appendRow()
	*stored = *a
	stored.Timestamp = timestamp
	b.accountIDs.addPlace(a.ID, b.accounts.count-1)
	if b.hot.number > 0 {
		*b.touched.appendRow() = 0
	}
}

// checkAccount checks a new account on its own.
func checkAccount(a *ledger.Account) ledger.CreateAccountStatus {
	bothLimits := ledger.AccountDebitsMustNotExceedCredits | ledger.AccountCreditsMustNotExceedDebits
	switch {
	case a.Flags.Has(bothLimits):
		return ledger.AccountFlagsAreMutuallyExclusive
	case !a.DebitsPending.IsZero():
		return ledger.AccountDebitsPendingMustBeZero
	case !a.DebitsPosted.IsZero():
		return ledger.AccountDebitsPostedMustBeZero
	case !a.CreditsPending.IsZero():
		return ledger.AccountCreditsPendingMustBeZero
	case !a.CreditsPosted.IsZero():
		return ledger.AccountCreditsPostedMustBeZero
	case a.Ledger == 0:
		return ledger.AccountLedgerMustNotBeZero
	case a.Code == 0:
		return ledger.AccountCodeMustNotBeZero
	default:
		return ledger.AccountCreated
	}
}
