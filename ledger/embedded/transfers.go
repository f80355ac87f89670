package embedded

import (
	"errors"

	"github.com/peerledger/peerledger/internal/tbexists"
	"github.com/peerledger/peerledger/ledger"
)

// maxTransfers is the largest number of transfers in a ledger: positions have 40 bits.
const maxTransfers = noPosition

// ErrLedgerFull is matched by the error of a request with more transfers or accounts than there is room
// for. A ledger in a folder takes 2^40-1 transfers, one in memory 2^32-1; both take 2^32-1 accounts. The
// request has changed nothing. Reads go on, and holds expire; no hold can be posted or voided any more.
// The command peerledger migrate copies a folder to a cluster with all its rows, also a full one. It cannot
// copy a ledger in memory.
var ErrLedgerFull = errors.New("embedded: the ledger is full: copy its folder to a cluster with peerledger migrate; reads go on")

// hasRoom reports whether the ledger, and its hot generation, take n more transfers.
func (b *books) hasRoom(n int) bool {
	return uint64(b.transferEnd())+uint64(n) <= uint64(maxTransfers) && b.hot.hasRoom(n)
}

// transferBatch is a CreateTransfers request under way.
type transferBatch struct {
	books   *books
	events  []ledger.Transfer
	results []ledger.CreateTransferResult
}

var transferLoopStatuses = loopStatuses[ledger.CreateTransferStatus]{
	created:                 ledger.TransferCreated,
	linkedEventFailed:       ledger.TransferLinkedEventFailed,
	linkedEventChainOpen:    ledger.TransferLinkedEventChainOpen,
	importedExpected:        ledger.TransferImportedEventExpected,
	importedNotExpected:     ledger.TransferImportedEventNotExpected,
	timestampOutOfRange:     ledger.TransferImportedEventTimestampOutOfRange,
	timestampMustNotAdvance: ledger.TransferImportedEventTimestampMustNotAdvance,
	timestampMustBeZero:     ledger.TransferTimestampMustBeZero,
}

// createTransfers runs a request whose last event has the timestamp last. With an error, of a file,
// nothing has changed.
func (b *books) createTransfers(transfers []ledger.Transfer, last uint64) ([]ledger.CreateTransferResult, error) {
	if !b.hasRoom(len(transfers)) {
		return nil, ErrLedgerFull
	}
	if err := b.fetchTransfers(transfers); err != nil {
		return nil, err
	}
	r := &transferBatch{b, transfers, make([]ledger.CreateTransferResult, len(transfers))}
	runEvents(b, r, last)
	return r.results, nil
}

func (r *transferBatch) eventCount() int { return len(r.events) }

func (r *transferBatch) headerOf(i int) eventHeader {
	t := &r.events[i]
	return eventHeader{t.Flags.Has(ledger.TransferLinked), t.Flags.Has(ledger.TransferImported), t.Timestamp}
}

// applyRules also burns the id of a transfer refused for a transient reason. The rollback of a
// chain keeps burnt ids.
func (r *transferBatch) applyRules(i int, slot uint64) (ledger.CreateTransferStatus, uint64) {
	status, timestamp := r.books.createTransfer(&r.events[i], slot)
	if status != ledger.TransferCreated && status.Transient() {
		r.books.hot.burnt.addID(r.events[i].ID)
	}
	return status, timestamp
}

func (r *transferBatch) setAnswer(i int, status ledger.CreateTransferStatus, timestamp uint64) {
	r.results[i] = ledger.CreateTransferResult{Status: status, Timestamp: timestamp}
}

func (r *transferBatch) setLinkedFailed(i int) {
	r.results[i].Status = ledger.TransferLinkedEventFailed
}

func (r *transferBatch) loopStatuses() *loopStatuses[ledger.CreateTransferStatus] {
	return &transferLoopStatuses
}

// createTransfer checks the rules common to all transfers, and then the rules of its kind.
func (b *books) createTransfer(t *ledger.Transfer, slot uint64) (ledger.CreateTransferStatus, uint64) {
	switch {
	case t.Flags&^ledger.TransferFlagsMask != 0:
		return ledger.TransferReservedFlag, slot
	case t.ID.IsZero():
		return ledger.TransferIDMustNotBeZero, slot
	case t.ID == ledger.IDMax:
		return ledger.TransferIDMustNotBeIntMax, slot
	}
	if stored := b.findTransfer(t.ID); stored != nil {
		whole := stored.wholeTransfer(&b.accounts)
		status := tbexists.CompareTransfer(t, &whole, b.findStoredHold)
		if status == ledger.TransferExists {
			return status, stored.Timestamp
		}
		return status, slot
	}
	if b.isBurnt(t.ID) {
		return ledger.TransferIDAlreadyFailed, slot
	}
	var status ledger.CreateTransferStatus
	if t.Flags.Any(ledger.TransferPostPending | ledger.TransferVoidPending) {
		status = b.createResolution(t, slot)
	} else {
		status = b.createMovement(t, slot)
	}
	if status == ledger.TransferCreated && t.Flags.Has(ledger.TransferImported) {
		return status, t.Timestamp
	}
	return status, slot
}

// createMovement checks a single-phase or pending transfer and stores it if all rules hold.
func (b *books) createMovement(t *ledger.Transfer, slot uint64) ledger.CreateTransferStatus {
	if status := checkMovement(t); status != ledger.TransferCreated {
		return status
	}
	debitPos, ok := b.accountPosition(t.DebitAccountID)
	if !ok {
		return ledger.TransferDebitAccountNotFound
	}
	creditPos, ok := b.accountPosition(t.CreditAccountID)
	if !ok {
		return ledger.TransferCreditAccountNotFound
	}
	debit, credit := b.accountAt(debitPos), b.accountAt(creditPos)
	if status := b.checkAccounts(t, debit, credit); status != ledger.TransferCreated {
		return status
	}
	amount := balancedAmount(t, debit, credit)
	if status := checkOverflows(t, amount, debit, credit, slot); status != ledger.TransferCreated {
		return status
	}
	if status := checkLimits(amount, debit, credit); status != ledger.TransferCreated {
		return status
	}
	stored := b.addTransfer(t, debitPos, creditPos, slot)
	stored.Amount = amount
	if t.Flags.Has(ledger.TransferPending) {
		stored.holdState = holdPending
	}
	if t.Timeout != 0 {
		b.expiries.addEntry(stored.expiry(), b.transferEnd()-1)
	}
	applyMovement(stored.effect(), b.changeAccount(debitPos), b.changeAccount(creditPos))
	return ledger.TransferCreated
}

// checkMovement checks a single-phase or pending transfer on its own.
func checkMovement(t *ledger.Transfer) ledger.CreateTransferStatus {
	pending := t.Flags.Has(ledger.TransferPending)
	switch {
	case t.DebitAccountID.IsZero():
		return ledger.TransferDebitAccountIDMustNotBeZero
	case t.DebitAccountID == ledger.IDMax:
		return ledger.TransferDebitAccountIDMustNotBeIntMax
	case t.CreditAccountID.IsZero():
		return ledger.TransferCreditAccountIDMustNotBeZero
	case t.CreditAccountID == ledger.IDMax:
		return ledger.TransferCreditAccountIDMustNotBeIntMax
	case t.DebitAccountID == t.CreditAccountID:
		return ledger.TransferAccountsMustBeDifferent
	case !t.PendingID.IsZero():
		return ledger.TransferPendingIDMustBeZero
	case t.Timeout != 0 && !pending:
		return ledger.TransferTimeoutReservedForPendingTransfer
	case t.Flags.Any(ledger.TransferClosingDebit|ledger.TransferClosingCredit) && !pending:
		return ledger.TransferClosingTransferMustBePending
	case t.Ledger == 0:
		return ledger.TransferLedgerMustNotBeZero
	case t.Code == 0:
		return ledger.TransferCodeMustNotBeZero
	default:
		return ledger.TransferCreated
	}
}

// checkAccounts checks the transfer against its two accounts, except for amounts.
func (b *books) checkAccounts(t *ledger.Transfer, debit, credit *ledger.Account) ledger.CreateTransferStatus {
	imported := t.Flags.Has(ledger.TransferImported)
	switch {
	case debit.Ledger != credit.Ledger:
		return ledger.TransferAccountsMustHaveTheSameLedger
	case t.Ledger != debit.Ledger:
		return ledger.TransferTransferMustHaveTheSameLedgerAsAccounts
	case imported && b.transferRegresses(t.Timestamp):
		return ledger.TransferImportedEventTimestampMustNotRegress
	case imported && t.Timestamp <= debit.Timestamp:
		return ledger.TransferImportedEventTimestampMustPostdateDebitAccount
	case imported && t.Timestamp <= credit.Timestamp:
		return ledger.TransferImportedEventTimestampMustPostdateCreditAccount
	case imported && t.Timeout != 0:
		return ledger.TransferImportedEventTimeoutMustBeZero
	case debit.Closed():
		return ledger.TransferDebitAccountAlreadyClosed
	case credit.Closed():
		return ledger.TransferCreditAccountAlreadyClosed
	default:
		return ledger.TransferCreated
	}
}

// addTransfer stores a transfer with its timestamp. The caller sets the other fields decided by the
// ledger.
func (b *books) addTransfer(t *ledger.Transfer, debitPos, creditPos accountPosition, slot uint64) *storedTransfer {
	stored := b.hot.transfers.appendRow()
	*stored = newStoredTransfer(t, debitPos, creditPos)
	if !t.Flags.Has(ledger.TransferImported) {
		stored.Timestamp = slot
	}
	b.hot.ids.addPlace(t.ID, b.hot.transfers.count-1)
	return stored
}
