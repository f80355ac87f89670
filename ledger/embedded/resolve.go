package embedded

import (
	"cmp"

	"github.com/peerledger/peerledger/internal/tbexists"
	"github.com/peerledger/peerledger/ledger"
)

// createResolution checks a post or a void and stores it if all rules hold.
func (b *books) createResolution(t *ledger.Transfer, slot uint64) ledger.CreateTransferStatus {
	if status := checkResolution(t); status != ledger.TransferCreated {
		return status
	}
	hold, pos := b.findHold(t.PendingID)
	if hold == nil {
		return ledger.TransferPendingTransferNotFound
	}
	amount := tbexists.ResolvedAmount(t, hold.Amount)
	if status := b.checkHold(t, hold, amount); status != ledger.TransferCreated {
		return status
	}
	if status := b.checkHoldState(t, hold, slot); status != ledger.TransferCreated {
		return status
	}
	stored := b.addResolution(t, hold, amount, slot)
	stored.hold = shortenPosition(pos)
	b.endHold(pos, resolvedState(t))
	applyResolution(stored.effect(), hold.effect(), b.changeAccount(hold.debit), b.changeAccount(hold.credit))
	return ledger.TransferCreated
}

// checkResolution checks a post or void on its own.
func checkResolution(t *ledger.Transfer) ledger.CreateTransferStatus {
	const (
		both  = ledger.TransferPostPending | ledger.TransferVoidPending
		never = ledger.TransferPending |
			ledger.TransferBalancingDebit | ledger.TransferBalancingCredit |
			ledger.TransferClosingDebit | ledger.TransferClosingCredit
	)
	switch {
	case t.Flags.Has(both), t.Flags.Any(never):
		return ledger.TransferFlagsAreMutuallyExclusive
	case t.PendingID.IsZero():
		return ledger.TransferPendingIDMustNotBeZero
	case t.PendingID == ledger.IDMax:
		return ledger.TransferPendingIDMustNotBeIntMax
	case t.PendingID == t.ID:
		return ledger.TransferPendingIDMustBeDifferent
	case t.Timeout != 0:
		return ledger.TransferTimeoutReservedForPendingTransfer
	default:
		return ledger.TransferCreated
	}
}

// checkHold compares a post or void with its hold. Zero fields are not compared.
func (b *books) checkHold(t *ledger.Transfer, hold *storedTransfer, amount ledger.Amount) ledger.CreateTransferStatus {
	void := t.Flags.Has(ledger.TransferVoidPending)
	switch {
	case hold.holdState == notHold:
		return ledger.TransferPendingTransferNotPending
	case !t.DebitAccountID.IsZero() && t.DebitAccountID != b.accountAt(hold.debit).ID:
		return ledger.TransferPendingTransferHasDifferentDebitAccountID
	case !t.CreditAccountID.IsZero() && t.CreditAccountID != b.accountAt(hold.credit).ID:
		return ledger.TransferPendingTransferHasDifferentCreditAccountID
	case t.Ledger != 0 && t.Ledger != hold.Ledger:
		return ledger.TransferPendingTransferHasDifferentLedger
	case t.Code != 0 && t.Code != hold.Code:
		return ledger.TransferPendingTransferHasDifferentCode
	case hold.Amount.Less(amount):
		return ledger.TransferExceedsPendingTransferAmount
	case void && amount.Less(hold.Amount):
		return ledger.TransferPendingTransferHasDifferentAmount
	default:
		return ledger.TransferCreated
	}
}

// checkHoldState checks whether the hold may still be resolved. A closed account stops posts only.
func (b *books) checkHoldState(t *ledger.Transfer, hold *storedTransfer, slot uint64) ledger.CreateTransferStatus {
	post := t.Flags.Has(ledger.TransferPostPending)
	switch {
	case hold.holdState == holdPosted:
		return ledger.TransferPendingTransferAlreadyPosted
	case hold.holdState == holdVoided:
		return ledger.TransferPendingTransferAlreadyVoided
	case hold.holdState == holdExpired, hold.Timeout != 0 && hold.expiry() <= slot:
		return ledger.TransferPendingTransferExpired
	case t.Flags.Has(ledger.TransferImported) && b.transferRegresses(t.Timestamp):
		return ledger.TransferImportedEventTimestampMustNotRegress
	case post && b.accountAt(hold.debit).Closed():
		return ledger.TransferDebitAccountAlreadyClosed
	case post && b.accountAt(hold.credit).Closed():
		return ledger.TransferCreditAccountAlreadyClosed
	default:
		return ledger.TransferCreated
	}
}

// addResolution stores a post or a void. Its zero fields are filled from the hold.
func (b *books) addResolution(t *ledger.Transfer, hold *storedTransfer, amount ledger.Amount, slot uint64) *storedTransfer {
	stored := b.addTransfer(t, hold.debit, hold.credit, slot)
	stored.Amount, stored.Ledger, stored.Code = amount, hold.Ledger, hold.Code
	stored.UserData128 = cmp.Or(stored.UserData128, hold.UserData128)
	stored.UserData64 = cmp.Or(stored.UserData64, hold.UserData64)
	stored.UserData32 = cmp.Or(stored.UserData32, hold.UserData32)
	return stored
}

// resolvedState returns the state of the hold after the post or void.
func resolvedState(t *ledger.Transfer) holdState {
	if t.Flags.Has(ledger.TransferPostPending) {
		return holdPosted
	}
	return holdVoided
}
