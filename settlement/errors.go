package settlement

import (
	"errors"
	"fmt"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

var (
	// ErrEngineClosed says that the Engine was closed. Nothing was done.
	ErrEngineClosed = errors.New("settlement: engine closed")
	// ErrPanic says that the Settler panicked. The order stays open and is tried
	// again.
	ErrPanic = errors.New("settlement: settler panicked")
	// ErrRailDown says that the rail had so many errors in a row (Rail.BreakerThreshold) that
	// it is left alone for a while. Nothing was asked of it.
	ErrRailDown = errors.New("settlement: rail is down")
	// ErrNoRail says that the order was placed for a rail that this Engine does not
	// have. It stays open: another rail may not know that its key was paid. Give the
	// Engine the rail again, or close the order with Resolve or Cancel.
	ErrNoRail = errors.New("settlement: the order is for a rail that is not configured")
	// ErrNoOrder says that the account has no order with the id.
	ErrNoOrder = errors.New("settlement: no such order of the account")
	// ErrCancelled is told with an order that Cancel gave back.
	ErrCancelled = errors.New("settlement: order cancelled")
	// ErrTooSmall says that less than the policy's minimum was left when the
	// order was placed. The order was voided, and the Settler not called.
	ErrTooSmall = errors.New("settlement: order below the minimum")
	// ErrWithdrawn says that an order was for more than may be paid when its own moment came:
	// packets or payments were booked since it was decided on. It was voided, and the Settler
	// not called. What is still due gets another order.
	ErrWithdrawn = errors.New("settlement: order was for more than was due at its moment")
	// ErrPaused is matched by a PauseError.
	ErrPaused = errors.New("settlement: payments are paused")
	// ErrPayoutLimit is matched by a PayoutLimitError.
	ErrPayoutLimit = errors.New("settlement: a limit is reached")
	// ErrAwaitsApproval says that the order waits for Engine.Approve or Engine.Cancel, since its amount is
	// above Limit.ApproveAbove. No rail was asked for it.
	ErrAwaitsApproval = errors.New("settlement: order waits to be approved")
	// ErrNotAwaitingApproval says that the order is not one that waits to be approved: it needs no approval.
	ErrNotAwaitingApproval = errors.New("settlement: order needs no approval")
	// ErrOldEngine says that an engine of a version without the check of orders works on the
	// ledger. That engine can pay prepayments back: stop it.
	ErrOldEngine = errors.New("settlement: an engine of an older version places orders")
	// ErrOrderVersion says that an engine of a later version placed the order. This Engine
	// cannot check the order, so it neither claims, pays nor voids it.
	ErrOrderVersion = errors.New("settlement: the order's version is unknown")
	// ErrPrefundLine is matched by a PrefundError.
	ErrPrefundLine = errors.New("settlement: paying ahead needs a credit line")
	// ErrNoPrepayment says that the peer has no prepayment that could be paid back.
	ErrNoPrepayment = errors.New("settlement: the peer has prepaid nothing")
	// ErrNoPayment says that no payment was booked under the key.
	ErrNoPayment = errors.New("settlement: no such payment was booked")
	// ErrAlreadyReceived says that a payment is booked, so that it cannot fail any more. If it came
	// back, see RecordReturned.
	ErrAlreadyReceived = errors.New("settlement: the payment was received")
	// ErrNoAnnouncement says that the account has no announcement with the id, or that nothing is
	// known of a payment under the key.
	ErrNoAnnouncement = errors.New("settlement: no such announcement of the account")
	// ErrReturnedTooMuch is matched by a ReturnedError.
	ErrReturnedTooMuch = errors.New("settlement: more is returned than was paid")
	// ErrInvalidSettledAmount says that the Settler's answer cannot be: ledger.AmountMax, which
	// means "all" elsewhere, is no amount that was paid. The order stays open and
	// is tried again.
	ErrInvalidSettledAmount = errors.New("settlement: impossible answer of the settler")
	// ErrOrderConflict says that the order was closed in the ledger with
	// another amount than the Settler says was paid. The books stay as they are,
	// and the Engine places no more orders for the account until it is made anew:
	// somebody has to find out who is right.
	ErrOrderConflict = errors.New("settlement: order was resolved otherwise")
	// ErrOrdersOpen is matched by an OpenOrdersError.
	ErrOrdersOpen = errors.New("settlement: orders stay open")
	// ErrVoucherLower says that a voucher is for less than the channel's newest one that
	// is booked, which contains it. Nothing was booked.
	ErrVoucherLower = errors.New("settlement: a higher voucher of the channel is booked")
	// ErrChannelFull says that 4,294,967,295 vouchers of the channel are booked: there is
	// no number for another one. The peer has to open a new channel.
	ErrChannelFull = errors.New("settlement: the channel is out of voucher numbers")
)

// OrderError is what went wrong with one account or one of its orders. It wraps
// the cause: ErrDeclined, ErrPending, ErrPanic, ErrRailDown, ErrNoRail, ErrPaused, ErrPayoutLimit, ErrAwaitsApproval,
// ErrOrderConflict, the Settler's own error, ledger.ErrOutcomeUnknown or another
// error of the ledger.
type OrderError struct {
	Account accounts.PeerAccount
	Order   Order // the zero Order if none was placed; Sequence is 0 if the ledger does not know the ID
	Err     error
}

func (e *OrderError) Error() string {
	switch {
	case e.Order.ID.IsZero():
		return fmt.Sprintf("settle with %v: %v", e.Account, e.Err)
	case e.Order.Sequence == 0: // the id is all that is known of it
		return fmt.Sprintf("settle with %v: order %v: %v", e.Account, e.Order.ID, e.Err)
	}
	return fmt.Sprintf("settle with %v: order %d of %s (%v): %v",
		e.Account, e.Order.Sequence, e.Order.Asset.Text(e.Order.Amount), e.Order.ID, e.Err)
}

// Unwrap returns the cause.
func (e *OrderError) Unwrap() error { return e.Err }

// OpenOrdersError lists the orders that were open when the Engine was closed, as
// far as it knows. They are resumed by the next Engine of the same Instance, or taken over
// by another one when Config.Lease has passed. It matches ErrOrdersOpen.
type OpenOrdersError struct {
	Orders []OpenOrder // the oldest first; at least one
}

func (e *OpenOrdersError) Error() string {
	oldest := e.Orders[0]
	return fmt.Sprintf("%v: %d; the oldest is order %d of %s with %v (%v), attempts: %d: %v",
		ErrOrdersOpen, len(e.Orders), oldest.Sequence, oldest.Asset.Text(oldest.Amount), oldest.Account, oldest.ID,
		oldest.Attempts, oldest.LastErr)
}

// Is reports whether target is ErrOrdersOpen.
func (e *OpenOrdersError) Is(target error) bool { return target == ErrOrdersOpen }

// BookingError is a payment that Receive, RecordOutgoing, RecordReturned, RecordVoucher or RecordRedemption
// did not book, that Announce, Fail or FailAnnouncement did nothing about, or that FindPayment or
// FindAnnouncement did not find. It wraps the cause.
type BookingError struct {
	Account accounts.PeerAccount
	Asset   accounts.Asset // the zero Asset if the account is none of the Book's
	Key     string         // of a voucher its channel; of an announcement that was named by its id, the id
	Amount  ledger.Amount  // units; of calls without an amount 0
	Err     error
}

func (e *BookingError) Error() string {
	if e.Amount.IsZero() {
		return fmt.Sprintf("payment of %v under key %q: %v", e.Account, e.Key, e.Err)
	}
	return fmt.Sprintf("book %s for %v under key %q: %v", e.Asset.Text(e.Amount), e.Account, e.Key, e.Err)
}

// Unwrap returns the cause.
func (e *BookingError) Unwrap() error { return e.Err }

// PrefundError is a policy that wants to pay a peer ahead of what packets earn, and never can:
// the peer has no credit line, so it may not owe us anything. It matches ErrPrefundLine.
type PrefundError struct {
	Account accounts.PeerAccount
	Asset   accounts.Asset
	Ahead   ledger.Amount // units that the policy pays ahead
}

func (e *PrefundError) Error() string {
	return fmt.Sprintf("%v: that of %v is 0, and its policy pays %s ahead: grant the line, or change the policy",
		ErrPrefundLine, e.Account, e.Asset.Text(e.Ahead))
}

// Is reports whether target is ErrPrefundLine.
func (e *PrefundError) Is(target error) bool { return target == ErrPrefundLine }

// ReturnedError is a payment of which more is said to have come back than is left of it.
// Nothing was booked. It matches ErrReturnedTooMuch.
type ReturnedError struct {
	Account  accounts.PeerAccount
	Asset    accounts.Asset
	Payment  string        // its key
	Paid     ledger.Amount // units: the payment
	Returned ledger.Amount // units of it that came back before
	Wanted   ledger.Amount // units
}

func (e *ReturnedError) Error() string {
	return fmt.Sprintf("%v: the payment %q of %v was %s, of which %s came back before; %s more is too much",
		ErrReturnedTooMuch, e.Payment, e.Account, e.Asset.Text(e.Paid), e.Asset.Text(e.Returned), e.Asset.Text(e.Wanted))
}

// Is reports whether target is ErrReturnedTooMuch.
func (e *ReturnedError) Is(target error) bool { return target == ErrReturnedTooMuch }
