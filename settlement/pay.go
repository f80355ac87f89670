package settlement

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/sequence"
	"github.com/peerledger/peerledger/ledger"
)

// stepResult is what one step with an account came to.
type stepResult struct {
	payment   Payment   // Paid is 0 if nothing was paid
	repeat    bool      // there may be more to do at once
	notBefore time.Time // if set: nothing to do before, whatever is booked
	backoff   bool      // nothing to do before the next backoff
	wakeAt    time.Time // if set: there is something to look at then, even if nothing is booked
}

// runStep takes an account one order further: it resumes the open order, or places
// the next one if it is due, and pays it. Its errors are *OrderErrors.
func (e *Engine) runStep(ctx context.Context, a accounts.PeerAccount) (stepResult, error) {
	if err := e.tracker.haltReason(a); err != nil {
		return stepResult{}, e.reportFailure(Order{Account: a}, err)
	}
	if k := e.tracker.stateOf(a); k.openOrder == nil && k.latest != nil {
		return e.placeAndPay(ctx, k.latest)
	}
	last, err := e.readLatestOrder(ctx, a)
	if err != nil {
		return stepResult{}, e.reportFailure(Order{Account: a}, err)
	}
	if noted, final, ok := e.tracker.notedOrder(a); ok && (!last.open || last.ID != noted.ID) {
		return e.reconcileClosed(ctx, noted, final, last)
	}
	rearm := last.timestamp.Add(e.cfg.OrderCooldown)
	switch {
	case last.open && !last.tag.isKnown():
		// An engine of a later version pays it, or voids it. A claim of ours would keep it from that.
		return stepResult{}, e.reportFailure(last.Order, fmt.Errorf("%w: %d", ErrOrderVersion, last.tag.version()))
	case last.open && last.Amount.IsZero():
		// No Settler ever gets an order of nothing, so anybody may close it.
		return e.voidFailedCheck(ctx, last.Order)
	case last.open:
		return e.resumeOrder(ctx, &last)
	case last.voided && !e.hasFailedCheck(&last) && rearm.After(e.cfg.Clock()):
		return stepResult{notBefore: rearm}, nil
	default:
		e.tracker.setLatest(a, &last)
		return e.placeAndPay(ctx, &last)
	}
}

// reconcileClosed finds that an order which we took to be open is closed. If it was
// by our own post or void, whose answer was lost, the same again finds that; if it
// was by somebody who booked something else, it finds that too. Without an answer of
// the Settler it was another engine of this Instance.
func (e *Engine) reconcileClosed(ctx context.Context, o Order, final *settlerAnswer, last latestOrder) (stepResult, error) {
	if final != nil {
		return e.payOrder(ctx, o)
	}
	e.tracker.setClosed(o.Account)
	payment := Payment{Order: o}
	if last.resolvedID == o.ID && last.posted {
		payment.Paid = last.Amount
		e.cfg.Events.reportPaid(payment)
	}
	return stepResult{payment: payment, repeat: true}, nil
}

// placeAndPay places the next order, if one is due, and pays it.
func (e *Engine) placeAndPay(ctx context.Context, last *latestOrder) (stepResult, error) {
	a := last.Account
	began := e.cfg.Clock()
	pressed, notBefore := e.isUrgent(last)
	order, d, err := e.placeOrder(ctx, last, pressed)
	if err != nil {
		e.tracker.setLatest(a, nil)
	}
	switch {
	case errors.Is(err, sequence.ErrTaken):
		return stepResult{repeat: true}, nil
	case errors.Is(err, ErrPaused), errors.Is(err, ErrPayoutLimit):
		return e.keepWaiting(Order{Account: a}, err)
	case err != nil:
		return stepResult{}, e.reportFailure(Order{Account: a}, err)
	case notBefore.IsZero():
		e.tracker.clearUrgent(a)
	}
	if order.ID.IsZero() {
		e.tracker.deferUrgent(a, notBefore)
		return stepResult{wakeAt: cmp.Or(d.notBefore, notBefore)}, nil
	}
	e.tracker.recordOrder(order, d.moreDue)
	e.cfg.Events.Placed(order)
	switch fits, err := e.checkPlaced(ctx, order, &d.balance); {
	case err != nil:
		return stepResult{}, e.reportFailure(order, err)
	case !fits:
		return e.voidFailedCheck(ctx, order)
	case order.Amount.Less(d.request.Minimum):
		return e.voidUnpaid(ctx, order, ErrTooSmall)
	}
	e.tracker.setOpen(order)
	if t, done, err := e.checkRailCall(ctx, order, verdict{}, true); done || err != nil {
		return t, err
	}
	if e.leaseElapsed(began) {
		return stepResult{repeat: true}, nil
	}
	return e.payOrder(ctx, order)
}

// leaseElapsed reports whether a lease has passed since we knew an order to be ours: this process was stopped, or its machine
// suspended, and another engine may have taken the order over. A look at the order tells. The
// times are those of the calendar: a monotonic clock stands still while a machine is suspended.
func (e *Engine) leaseElapsed(since time.Time) bool {
	return !e.cfg.NoTakeover && e.cfg.Clock().Round(0).Sub(since) >= e.cfg.Lease
}

// isUrgent reports whether the account's payment should not wait for its policy. A peer
// that presses too soon after the newest order is heard at notBefore.
func (e *Engine) isUrgent(last *latestOrder) (pressed bool, notBefore time.Time) {
	rearm := last.timestamp.Add(e.cfg.OrderCooldown)
	switch by := e.tracker.stateOf(last.Account).urgency; {
	case by == urgencyByPeer && rearm.After(e.cfg.Clock()):
		return false, rearm
	default:
		return by != urgencyNone, time.Time{}
	}
}

// voidFailedCheck voids an order that failed its check. No Settler has it or will ever get it. Of an
// order that only its owner can check, the void goes with the owner's next claim.
func (e *Engine) voidFailedCheck(ctx context.Context, o Order) (stepResult, error) {
	if !o.tag.isChecked() && !o.Amount.IsZero() {
		return e.voidUnpaid(ctx, o, ErrWithdrawn)
	}
	if err := e.writeFailedCheckVoid(ctx, o); err != nil {
		return stepResult{}, e.reportFailure(o, err)
	}
	e.tracker.setClosed(o.Account)
	e.cfg.Events.Voided(o, ErrWithdrawn)
	return stepResult{wakeAt: e.cfg.Clock()}, nil
}

// voidUnpaid voids an order that was never given to the Settler.
func (e *Engine) voidUnpaid(ctx context.Context, o Order, why error) (stepResult, error) {
	e.tracker.setVoidReason(o, why)
	switch err := e.voidUnclaimed(ctx, o); {
	case errors.Is(err, sequence.ErrTaken):
		return stepResult{repeat: true}, nil // another engine has it, and may be paying it
	case err != nil:
		return stepResult{}, e.reportFailure(o, err)
	}
	e.tracker.setClosed(o.Account)
	e.cfg.Events.Voided(o, why)
	return stepResult{notBefore: e.cfg.Clock().Add(e.cfg.OrderCooldown)}, nil
}

// payOrder gets the Settler's final answer and closes the order with it. An answer that
// is not final leaves the order open.
func (e *Engine) payOrder(ctx context.Context, o Order) (stepResult, error) {
	e.tracker.setOpen(o)
	final, err := e.askSettler(ctx, o)
	if err != nil {
		return e.keepOpen(o, err)
	}
	if err := e.bookResolution(ctx, o, final.paid); err != nil {
		return stepResult{}, e.reportFailure(o, err)
	}
	e.tracker.setClosed(o.Account)
	payment := Payment{Order: o, Paid: final.paid}
	e.cfg.Events.reportPaid(payment)
	if final.declineReason == nil {
		e.tracker.setPaid(o, e.cfg.Clock().Round(0))
		e.tracker.recordRest(payment)
		inParts := e.tracker.countPart(payment)
		return stepResult{payment: payment, repeat: !inParts, backoff: inParts}, nil
	}
	if final.paid.IsZero() {
		e.cfg.Events.Voided(o, final.declineReason)
	}
	return stepResult{payment: payment, notBefore: e.cfg.Clock().Add(e.cfg.OrderCooldown)},
		&OrderError{Account: o.Account, Order: o, Err: final.declineReason}
}

// keepOpen leaves an order open after an answer that is not final. A rail that has
// taken it on needs no backoff, and is no failure.
func (e *Engine) keepOpen(o Order, cause error) (stepResult, error) {
	if !errors.Is(cause, ErrPending) {
		return stepResult{}, e.reportFailure(o, cause)
	}
	e.recordStillOpen(o.Account, cause)
	return stepResult{notBefore: e.cfg.Clock().Add(e.cfg.RetryMaxInterval)}, &OrderError{Account: o.Account, Order: o, Err: cause}
}

// askSettler calls the Settler, unless it has given its final answer before and
// only the booking of it failed: some rails forget a key after a while, and must
// not be asked more often than need be.
func (e *Engine) askSettler(ctx context.Context, o Order) (settlerAnswer, error) {
	if _, final, _ := e.tracker.notedOrder(o.Account); final != nil {
		return *final, nil
	}
	rail := e.rails[o.rail]
	if rail == nil {
		return settlerAnswer{}, ErrNoRail
	}
	paid, err := e.callSettler(ctx, rail, o)
	switch {
	case err != nil && !errors.Is(err, ErrDeclined):
		return settlerAnswer{}, err
	case paid == ledger.AmountMax:
		return settlerAnswer{}, fmt.Errorf("%w: the largest amount there is", ErrInvalidSettledAmount)
	case err == nil && paid.IsZero():
		err = fmt.Errorf("%w: the settler paid nothing", ErrDeclined)
	}
	final := settlerAnswer{paid: paid, declineReason: err}
	e.tracker.setAnswer(o.Account, final)
	return final, nil
}

// callSettler is one call of the Settler. A panic is an error like any other: the
// rail may have paid before it.
func (e *Engine) callSettler(ctx context.Context, rail *railState, o Order) (paid ledger.Amount, err error) {
	ended, err := rail.permitCall()
	if err != nil {
		return ledger.Amount{}, err
	}
	e.tracker.countAttempt(o.Account)
	ctx, cancel := context.WithTimeout(ctx, rail.Timeout)
	defer cancel()
	answered := false
	defer func() {
		if v := recover(); v != nil {
			paid, err = ledger.Amount{}, fmt.Errorf("%w: %v\n%s", ErrPanic, v, debug.Stack())
		} else if !answered {
			err = ErrPanic // it ended the goroutine (runtime.Goexit)
		}
		ended(err)
	}()
	paid, err = rail.Settler.Settle(ctx, o)
	answered = true
	return paid, err
}

// reportFailure reports an error of an account, and of its open order if there is one.
func (e *Engine) reportFailure(o Order, cause error) error {
	err := &OrderError{Account: o.Account, Order: o, Err: cause}
	if errors.Is(cause, ErrOrderConflict) {
		e.tracker.setClosed(o.Account)
		e.tracker.setHalted(o.Account, cause)
	} else {
		e.recordStillOpen(o.Account, cause)
	}
	e.cfg.Events.Failed(err)
	return err
}

// recordStillOpen notes why the account's order is still open, if it has one.
func (e *Engine) recordStillOpen(a accounts.PeerAccount, cause error) {
	stuck, tell := e.tracker.setStillOpen(a, cause, e.cfg.Clock().Add(-e.cfg.StuckAfter))
	if tell {
		e.cfg.Events.Stuck(stuck)
	}
}
