package embedded

import "github.com/peerledger/peerledger/ledger"

// transferExists compares a transfer with the stored one of the same id. The
// present state of holds and accounts plays no part, and timestamps are not
// compared.
func (b *books) transferExists(t *ledger.Transfer, stored *transfer, slot uint64) (ledger.CreateTransferStatus, uint64) {
	status := compareRequests(t, &stored.Transfer)
	switch {
	case status != ledger.TransferExists:
	case t.Flags.Any(ledger.TransferPostPending | ledger.TransferVoidPending):
		status = compareResolutions(t, &stored.Transfer, &b.findTransfer(t.PendingID).Transfer)
	default:
		status = compareMovements(t, &stored.Transfer)
	}
	if status == ledger.TransferExists {
		return status, stored.Timestamp
	}
	return status, slot
}

// compareRequests compares what every transfer is compared by first.
func compareRequests(t, stored *ledger.Transfer) ledger.CreateTransferStatus {
	switch {
	case t.Flags != stored.Flags:
		return ledger.TransferExistsWithDifferentFlags
	case t.PendingID != stored.PendingID:
		return ledger.TransferExistsWithDifferentPendingID
	case t.Timeout != stored.Timeout:
		return ledger.TransferExistsWithDifferentTimeout
	default:
		return ledger.TransferExists
	}
}

// compareMovements compares the rest of a single-phase or pending transfer.
func compareMovements(t, stored *ledger.Transfer) ledger.CreateTransferStatus {
	amount := t.Amount
	if t.Flags.Any(ledger.TransferBalancingDebit | ledger.TransferBalancingCredit) {
		// What was asked for is not kept; any request for at least what was
		// moved could have been it.
		amount = amount.Min(stored.Amount)
	}
	switch {
	case t.DebitAccountID != stored.DebitAccountID:
		return ledger.TransferExistsWithDifferentDebitAccountID
	case t.CreditAccountID != stored.CreditAccountID:
		return ledger.TransferExistsWithDifferentCreditAccountID
	case amount != stored.Amount:
		return ledger.TransferExistsWithDifferentAmount
	}
	if status := compareUserData(t, stored); status != ledger.TransferExists {
		return status
	}
	switch {
	case t.Ledger != stored.Ledger:
		return ledger.TransferExistsWithDifferentLedger
	case t.Code != stored.Code:
		return ledger.TransferExistsWithDifferentCode
	default:
		return ledger.TransferExists
	}
}

// compareResolutions compares the rest of a post or void: what it leaves out
// would again be the hold's.
func compareResolutions(t, stored, hold *ledger.Transfer) ledger.CreateTransferStatus {
	switch {
	case !t.DebitAccountID.IsZero() && t.DebitAccountID != stored.DebitAccountID:
		return ledger.TransferExistsWithDifferentDebitAccountID
	case !t.CreditAccountID.IsZero() && t.CreditAccountID != stored.CreditAccountID:
		return ledger.TransferExistsWithDifferentCreditAccountID
	case resolvedAmount(t, hold.Amount) != stored.Amount:
		return ledger.TransferExistsWithDifferentAmount
	}
	inherited := *t
	inheritUserData(&inherited, hold)
	if status := compareUserData(&inherited, stored); status != ledger.TransferExists {
		return status
	}
	switch {
	case t.Ledger != 0 && t.Ledger != stored.Ledger:
		return ledger.TransferExistsWithDifferentLedger
	case t.Code != 0 && t.Code != stored.Code:
		return ledger.TransferExistsWithDifferentCode
	default:
		return ledger.TransferExists
	}
}

func compareUserData(t, stored *ledger.Transfer) ledger.CreateTransferStatus {
	switch {
	case t.UserData128 != stored.UserData128:
		return ledger.TransferExistsWithDifferentUserData128
	case t.UserData64 != stored.UserData64:
		return ledger.TransferExistsWithDifferentUserData64
	case t.UserData32 != stored.UserData32:
		return ledger.TransferExistsWithDifferentUserData32
	default:
		return ledger.TransferExists
	}
}
