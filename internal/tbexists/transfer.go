// Package tbexists holds TigerBeetle's rules for an event whose id is taken: whether it
// is the one that is stored, sent again, or else the first field that differs.
//
// The rules are those of TigerBeetle 0.17.9 (section "exists" of
// https://docs.tigerbeetle.com/reference/requests/create_transfers/, and measured).
package tbexists

import "github.com/peerledger/peerledger/ledger"

// CompareTransfer compares a transfer with the stored one of the same id. The present state
// of holds and accounts plays no part, and timestamps are not compared. find returns
// the transfer that a post or a void resolved, which is stored then.
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
	case ResolvedAmount(t, hold.Amount) != stored.Amount:
		return ledger.TransferExistsWithDifferentAmount
	}
	inherited := *t
	InheritUserData(&inherited, hold)
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

// ResolvedAmount is the amount that the post or void means, for a hold of the
// given amount.
func ResolvedAmount(t *ledger.Transfer, held ledger.Amount) ledger.Amount {
	switch {
	case t.Flags.Has(ledger.TransferPostPending) && t.Amount == ledger.AmountMax,
		t.Flags.Has(ledger.TransferVoidPending) && t.Amount.IsZero():
		return held
	default:
		return t.Amount
	}
}

// InheritUserData fills each user data field that is zero from the hold.
func InheritUserData(t, hold *ledger.Transfer) {
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
