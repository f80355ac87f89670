package settlement

import (
	"errors"
	"fmt"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

var (
	// ErrEngineClosed is returned after [Engine.Close]. Nothing was done.
	ErrEngineClosed = errors.New("settlement: engine closed")
	// ErrPanic is returned when the [Settler] panicked. The order stays open and is tried again.
	ErrPanic = errors.New("settlement: settler panicked")
	// ErrRailDown is returned while a rail is left alone after [Rail.BreakerThreshold] errors in a row. The
	// rail was not called.
	ErrRailDown = errors.New("settlement: rail is down")
	// ErrNoRail is returned when the order was placed for a rail that the Engine does not have. The order
	// stays open: another rail may not know whether the key was paid. Give the Engine the rail again, or close
	// the order with [Engine.Resolve] or [Engine.Cancel].
	ErrNoRail = errors.New("settlement: the order is for a rail that is not configured")
	// ErrNoOrder is returned when the account has no order with the id.
	ErrNoOrder = errors.New("settlement: no such order of the account")
	// ErrCancelled is the reason in [Events.Voided] for an order that [Engine.Cancel] gave back.
	ErrCancelled = errors.New("settlement: order cancelled")
	// ErrTooSmall is returned when less than the policy's minimum was left at the moment of the order. The
	// order was voided, and the [Settler] not called.
	ErrTooSmall = errors.New("settlement: order below the minimum")
	// ErrCheckFailed is returned when an order was for more than was due at its own moment: packets or payments
	// were booked between the decision and the order. The order was voided, and the [Settler] not called. The
	// amount that is still due gets another order.
	ErrCheckFailed = errors.New("settlement: order was for more than was due at its moment")
	// ErrPaused is matched by a [PauseError].
	ErrPaused = errors.New("settlement: payments are paused")
	// ErrPayoutLimit is matched by a [PayoutLimitError].
	ErrPayoutLimit = errors.New("settlement: a limit is reached")
	// ErrAwaitsApproval is returned while an order above [PayoutLimit.ApproveAbove] waits for [Engine.Approve]
	// or [Engine.Cancel]. No rail was asked for the order.
	ErrAwaitsApproval = errors.New("settlement: order waits to be approved")
	// ErrNotAwaitingApproval is returned by [Engine.Approve] for an order that needs no approval.
	ErrNotAwaitingApproval = errors.New("settlement: order needs no approval")
	// ErrOldEngine is returned when an engine of a version without the check of orders works on the ledger.
	// Stop the old engine: it can pay prepayments back.
	ErrOldEngine = errors.New("settlement: an engine of an older version places orders")
	// ErrOrderVersion is returned when an engine of a later version placed the order. This Engine cannot check
	// the order, and neither claims, pays nor voids it.
	ErrOrderVersion = errors.New("settlement: the order's version is unknown")
	// ErrPrefundLine is matched by a [PrefundError].
	ErrPrefundLine = errors.New("settlement: paying ahead needs a credit line")
	// ErrNoPrepayment is returned by [Engine.Refund] when the peer has no prepayment.
	ErrNoPrepayment = errors.New("settlement: the peer has prepaid nothing")
	// ErrNoPayment is returned when no payment was booked under the key.
	ErrNoPayment = errors.New("settlement: no such payment was booked")
	// ErrAlreadyReceived is returned by [Engine.Fail] when the payment is booked, and so cannot fail. For a
	// payment that came back see [Engine.RecordReturned].
	ErrAlreadyReceived = errors.New("settlement: the payment was received")
	// ErrNoAnnouncement is returned when the account has no announcement with the id, or the ledger has nothing
	// under the key of a payment.
	ErrNoAnnouncement = errors.New("settlement: no such announcement of the account")
	// ErrUnbookable is returned by [Engine.RecordIncomingQuantity] for a value that no ledger can hold: more than
	// 2^127 units, digits below 10^-38 of a unit, or an amount that the totals of the accounts have no room for.
	// Nothing was booked, and a repetition never will be.
	ErrUnbookable = errors.New("settlement: the value cannot be booked")
	// ErrReturnedTooMuch is matched by a [ReturnedError].
	ErrReturnedTooMuch = errors.New("settlement: more is returned than was paid")
	// ErrInvalidSettledAmount is returned when the [Settler] answered [ledger.AmountMax], which means "all"
	// elsewhere and is no amount that was paid. The order stays open and is tried again.
	ErrInvalidSettledAmount = errors.New("settlement: impossible answer of the settler")
	// ErrOrderConflict is returned when the ledger has the order closed with another amount than the [Settler]
	// reports as paid. The books stay as they are, and the Engine places no more orders for the account until
	// a new Engine is made. An operator has to find out which amount is right.
	ErrOrderConflict = errors.New("settlement: order was resolved otherwise")
	// ErrOrdersOpen is matched by an [OpenOrdersError].
	ErrOrdersOpen = errors.New("settlement: orders stay open")
	// ErrVoucherLower is returned when a voucher is for less than the highest booked voucher of its channel.
	// Nothing was booked: the higher one contains the lower.
	ErrVoucherLower = errors.New("settlement: a higher voucher of the channel is booked")
	// ErrChannelFull is returned when 4,294,967,295 vouchers of the channel are booked, so that no number is
	// left. The peer has to open a new channel.
	ErrChannelFull = errors.New("settlement: the channel is out of voucher numbers")
)

// OrderError is the failure of an account or of one of its orders. It wraps the cause: [ErrDeclined],
// [ErrPending], [ErrPanic], [ErrRailDown], [ErrNoRail], [ErrPaused], [ErrPayoutLimit], [ErrAwaitsApproval],
// [ErrOrderConflict], the error of the [Settler], [ledger.ErrOutcomeUnknown] or another error of the ledger.
type OrderError struct {
	Account accounts.PeerAccount
	Order   Order // the zero Order if none was placed; Sequence is 0 if the ledger does not know Order.ID
	Err     error
}

func (e *OrderError) Error() string {
	switch {
	case e.Order.ID.IsZero():
		return fmt.Sprintf("settle with %v: %v", e.Account, e.Err)
	case e.Order.Sequence == 0: // the ledger does not know the order
		return fmt.Sprintf("settle with %v: order %v: %v", e.Account, e.Order.ID, e.Err)
	}
	return fmt.Sprintf("settle with %v: order %d of %s (%v): %v",
		e.Account, e.Order.Sequence, e.Order.Asset.Text(e.Order.Amount), e.Order.ID, e.Err)
}

// Unwrap returns the cause.
func (e *OrderError) Unwrap() error { return e.Err }

// OpenOrdersError lists the orders that the Engine knew to be open when it was closed. The next Engine of the
// same [Config.Instance] resumes them, or an Engine of another Instance takes them over after [Config.Lease].
// The error matches [ErrOrdersOpen].
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

// BookingError is the failure of [Engine.RecordIncoming], [Engine.RecordIncomingQuantity], [Engine.RecordOutgoing], [Engine.RecordReturned],
// [Engine.RecordVoucher], [Engine.RecordRedemption], [Engine.Announce], [Engine.Fail], [Engine.FailAnnouncement],
// [Engine.FindPayment] or [Engine.FindAnnouncement]. It wraps the cause.
type BookingError struct {
	Account accounts.PeerAccount
	Asset   accounts.Asset // the zero Asset if the Book does not have the account
	Key     string         // the channel of a voucher; the id of an announcement that was named by its id
	Amount  ledger.Amount  // units; 0 for calls without an amount
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

// PrefundError is returned when a policy pays ahead to a peer without a credit line. Such a policy can never pay:
// the peer may not owe us anything. The error matches [ErrPrefundLine].
type PrefundError struct {
	Account    accounts.PeerAccount
	Asset      accounts.Asset
	Prefunding ledger.Amount // units: how far ahead the policy pays
}

func (e *PrefundError) Error() string {
	return fmt.Sprintf("%v: the line of %v is 0, and the policy pays %s ahead: grant the line, or change the policy",
		ErrPrefundLine, e.Account, e.Asset.Text(e.Prefunding))
}

// Is reports whether target is ErrPrefundLine.
func (e *PrefundError) Is(target error) bool { return target == ErrPrefundLine }

// ReturnedError is returned when more of a payment would come back than is left. Nothing was booked. The error
// matches [ErrReturnedTooMuch].
type ReturnedError struct {
	Account  accounts.PeerAccount
	Asset    accounts.Asset
	Payment  string        // key of the payment
	Paid     ledger.Amount // units of the payment
	Returned ledger.Amount // units that came back before
	Wanted   ledger.Amount // units of the refused return
}

func (e *ReturnedError) Error() string {
	return fmt.Sprintf("%v: the payment %q of %v was %s, of which %s came back before; %s more is too much",
		ErrReturnedTooMuch, e.Payment, e.Account, e.Asset.Text(e.Paid), e.Asset.Text(e.Returned), e.Asset.Text(e.Wanted))
}

// Is reports whether target is ErrReturnedTooMuch.
func (e *ReturnedError) Is(target error) bool { return target == ErrReturnedTooMuch }
