// Package tbexists holds TigerBeetle's rules for an event with a taken id: whether the event is the
// stored one, sent again, or else the first field with a different value.
//
// The rules are TigerBeetle 0.17.9's (section "exists" of
// https://docs.tigerbeetle.com/reference/requests/create_transfers/, and measured).
package tbexists

import "github.com/peerledger/peerledger/ledger"

// CompareTransfer compares a transfer with the stored one of the same id. Timestamps and the
// present state of holds and accounts are not compared. findHold returns the hold of a post or
// void; a stored post or void has a stored hold.
func CompareTransfer(
	t, stored *ledger.Transfer, findHold func(ledger.ID) *ledger.Transfer,
) ledger.CreateTransferStatus {
	if status := compareRequests(t, stored); status != ledger.TransferExists {
		return status
	}
	if t.Flags.Any(ledger.TransferPostPending | ledger.TransferVoidPending) {
		return compareResolutions(t, stored, findHold(t.PendingID))
	}
	return compareMovements(t, stored)
}

// compareRequests compares the fields that TigerBeetle compares first in every transfer.
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
		// The requested amount is not stored. Any request for at least the moved amount could have
		// been the stored one.
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

// compareResolutions compares the rest of a post or void. Fields left out are inherited from the
// hold.
func compareResolutions(t, stored, hold *ledger.Transfer) ledger.CreateTransferStatus {
	switch {
	case !t.DebitAccountID.IsZero() && t.DebitAccountID != stored.DebitAccountID:
		return ledger.TransferExistsWithDifferentDebitAccountID
	case !t.CreditAccountID.IsZero() && t.CreditAccountID != stored.CreditAccountID:
		return ledger.TransferExistsWithDifferentCreditAccountID
	case ResolvedAmount(t, hold.Amount) != stored.Amount:
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

// ResolvedAmount returns the amount meant by a post or void of a hold of the given amount.
func ResolvedAmount(t *ledger.Transfer, held ledger.Amount) ledger.Amount {
	switch {
	case t.Flags.Has(ledger.TransferPostPending) && t.Amount == ledger.AmountMax,
		t.Flags.Has(ledger.TransferVoidPending) && t.Amount.IsZero():
		return held
	default:
		return t.Amount
	}
}

// inheritUserData fills each zero user data field from the hold.
func inheritUserData(t, hold *ledger.Transfer) {
	if t.UserData128.IsZero() {
		t.UserData128 = hold.UserData128
	}
	if t.UserData64 == 0 {
		t.UserData64 = hold.UserData64
	}
	if t.UserData32 == 0 {
		t.UserData32 = hold.UserData32
	}
}
