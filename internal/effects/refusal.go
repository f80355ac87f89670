package effects

import (
	"errors"
	"slices"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// refusals are the errors after which the books are as before the change.
var refusals = []error{
	accounts.ErrInvalid, accounts.ErrUnknownAsset, accounts.ErrNotProvisioned, accounts.ErrLineConflict, accounts.ErrLineInUse,
	accounts.ErrSuspended, accounts.ErrPeerClosed, accounts.ErrHeld, accounts.ErrOwed, accounts.ErrKeyReused, accounts.ErrKeyBurnt, accounts.ErrNoArrears,
	accounts.ErrNotCovered, settlement.ErrNoOrder, settlement.ErrNoRail, settlement.ErrPaused, settlement.ErrPayoutLimit, settlement.ErrNotAwaitingApproval,
	settlement.ErrNoPrepayment, settlement.ErrNoPayment, settlement.ErrAlreadyReceived, settlement.ErrNoAnnouncement, settlement.ErrUnbookable,
	settlement.ErrReturnedTooMuch, settlement.ErrOrderConflict, settlement.ErrDeclined, settlement.ErrTooSmall, settlement.ErrCheckFailed,
	settlement.ErrPrefundLine, settlement.ErrEngineClosed, ledger.ErrRefused, ledger.ErrIDBurnt, ledger.ErrIDConflict,
}

// IsRefusal reports whether an error of a change by hand means that the books are as before. An error that matches
// [ledger.ErrOutcomeUnknown] is none. A drift is none either: the other peers of a request are provisioned.
func IsRefusal(err error) bool {
	return !errors.Is(err, ledger.ErrOutcomeUnknown) && slices.ContainsFunc(refusals, func(refusal error) bool { return errors.Is(err, refusal) })
}
