package settlement

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/internal/sequence"
)

// The functions on an order's way, from a check by the loop to the payment:
//
//	runLoop > startVisits > selectDue > isDue          balances of all ready accounts
//	runVisit > runStep > readLatestOrder               one account, one order after another
//	placeAndPay > placeOrder > decideOrder             collect, evaluate the policy, place
//	payPlaced > checkPlaced > checkRailCall                        check, limits, approval, pauses
//	payOrder > askSettler > callSettler                pay
//	bookResolution > finishPaid or finishDeclined      resolve and report
//
// An order found open goes from runStep through resumeOrder to payOrder.

// stepResult is the result of one step of a visit.
type stepResult struct {
	payment   Payment   // Paid is 0 if nothing was paid
	repeat    bool      // another step may find more to do at once
	moreDue   bool      // after a payment: more was due than the order, which was cut to the largest order
	notBefore time.Time // if set: nothing to do before, even if packets are booked
	backoff   bool      // nothing to do before the next backoff
	wakeAt    time.Time // if set: the loop comes back then, even without a packet

	voidReason error // if the order was voided
}

// runStep takes an account one order further: runStep resumes the open order, or places and pays the
// next order if an order is due. The errors are *OrderErrors.
func (e *Engine) runStep(ctx context.Context, visit *accountVisit) (stepResult, error) {
	state, none := visit.state, Order{Account: visit.account}
	if state.haltReason != nil {
		return stepResult{}, e.reportFailure(visit, none, state.haltReason)
	}
	visit.dropStaleLatest()
	if state.openOrder == nil && state.latest != nil {
		return e.placeAndPay(ctx, visit, state.latest)
	}
	latest, err := e.readLatestOrder(ctx, visit.account)
	if err != nil {
		return stepResult{}, e.reportFailure(visit, none, err)
	}
	if noted := state.openOrder; noted != nil && (!latest.open || latest.ID != noted.ID) {
		return e.reconcileClosed(ctx, visit, noted, &latest)
	}
	cooledDown := latest.timestamp.Add(e.cfg.OrderCooldown)
	switch {
	case latest.open && !latest.tag.isKnown():
		// An engine of a later version pays or voids the order. Our claim would stop that engine.
		return stepResult{}, e.reportFailure(visit, latest.Order, fmt.Errorf("%w: %d", ErrOrderVersion, latest.tag.version()))
	case latest.open && latest.Amount.IsZero():
		// No Settler ever gets an order of amount 0, so any engine may close the order.
		return e.traceOrder(ctx, OrderStart{Order: latest.Order, Work: OrderResumed, Began: time.Now()}, func(ctx context.Context) (stepResult, error) {
			return e.voidFailedCheck(ctx, visit, latest.Order)
		})
	case latest.open:
		return e.resumeOrder(ctx, visit, &latest)
	case latest.voided && !e.hasFailedCheck(&latest) && cooledDown.After(e.cfg.Clock()):
		return stepResult{notBefore: cooledDown}, nil
	default:
		state.setLatest(&latest)
		return e.placeAndPay(ctx, visit, &latest)
	}
}

// reconcileClosed handles an order of ours found closed. If we hold the Settler's final answer,
// booking the answer again tells two cases apart: our own post with a lost result is applied already;
// a different resolution is ErrOrderConflict. Without an answer, a second engine of this Instance has
// closed the order.
func (e *Engine) reconcileClosed(
	ctx context.Context, visit *accountVisit, closed *trackedOrder, latest *latestOrder,
) (stepResult, error) {
	if closed.final != nil {
		return e.traceOrder(ctx, OrderStart{Order: closed.Order, Work: OrderResumed, Began: time.Now()}, func(ctx context.Context) (stepResult, error) {
			return e.payOrder(ctx, visit, closed.Order)
		})
	}
	visit.state.setClosed()
	visit.publishState()
	payment := Payment{Order: closed.Order}
	if latest.resolvedID == closed.ID && latest.posted {
		payment.Paid = latest.Amount
		e.cfg.Events.reportPaid(payment)
	}
	return stepResult{payment: payment, repeat: true}, nil
}

// placeAndPay places and pays the next order, if an order is due.
func (e *Engine) placeAndPay(ctx context.Context, visit *accountVisit, latest *latestOrder) (stepResult, error) {
	began, traceBegan := e.cfg.Clock(), time.Now()
	urgencies := e.tracker.countUrgencies()
	handled, urgentAfter := e.readUrgency(latest)
	order, d, err := e.placeOrder(ctx, visit, latest, handled != urgencyNone)
	if err != nil {
		visit.state.latest = nil
	}
	switch none := (Order{Account: visit.account}); {
	case errors.Is(err, sequence.ErrTaken):
		return stepResult{repeat: true}, nil
	case errors.Is(err, ErrPaused), errors.Is(err, ErrPayoutLimit):
		return e.keepWaiting(visit, none, err)
	case err != nil:
		return stepResult{}, e.reportFailure(visit, none, err)
	case handled != urgencyNone: // an urgency set during the placing stays for the next order
		e.tracker.clearUrgent(visit.account, handled, urgencies)
	}
	if order.ID.IsZero() {
		e.tracker.deferUrgent(visit.account, urgentAfter)
		return stepResult{wakeAt: cmp.Or(d.notBefore, urgentAfter)}, nil
	}
	e.cfg.Events.Placed(order)
	return e.traceOrder(ctx, OrderStart{Order: order, Work: OrderPlaced, Began: traceBegan}, func(ctx context.Context) (stepResult, error) {
		return e.payPlaced(ctx, visit, order, &d, began)
	})
}

// payPlaced checks and pays an order that this Engine has placed. began is a time before the placing.
func (e *Engine) payPlaced(ctx context.Context, visit *accountVisit, order Order, d *decision, began time.Time) (stepResult, error) {
	switch fits, err := e.checkPlaced(ctx, visit, order, &d.input.Balance); {
	case err != nil:
		return stepResult{}, e.reportFailure(visit, order, err)
	case !fits:
		return e.voidFailedCheck(ctx, visit, order)
	case order.Amount.Less(d.request.Minimum):
		return e.voidUnpaid(ctx, visit, order, ErrTooSmall)
	}
	if result, done, err := e.checkRailCall(ctx, visit, order, verdict{}, true); done || err != nil {
		return result, err
	}
	if e.leaseElapsed(began) {
		return stepResult{repeat: true}, nil
	}
	return e.payOrder(ctx, visit, order)
}

// leaseElapsed reports whether a lease has passed since we knew an order to be ours: the process
// was stopped, or its machine suspended. Then a second engine may have taken the order over, and the
// order must be read again. Times are of the calendar: a monotonic clock stands still while a machine
// is suspended.
func (e *Engine) leaseElapsed(since time.Time) bool {
	return !e.cfg.NoTakeover && e.cfg.Clock().Round(0).Sub(since) >= e.cfg.Lease
}

// readUrgency returns why the account's payment should not wait for its policy, as far as the reason
// counts now. A peer's urgency too soon after the newest order counts only from urgentAfter on.
func (e *Engine) readUrgency(latest *latestOrder) (counted urgency, urgentAfter time.Time) {
	cooledDown := latest.timestamp.Add(e.cfg.OrderCooldown)
	switch by := e.tracker.viewOf(latest.Account).urgency; {
	case by == urgencyByPeer && cooledDown.After(e.cfg.Clock()):
		return urgencyNone, cooledDown
	default:
		return by, time.Time{}
	}
}

// voidFailedCheck voids an order after a failed check. No Settler has the order or will ever get it.
// If only the owner can check the order, the void goes with the owner's next claim.
func (e *Engine) voidFailedCheck(ctx context.Context, visit *accountVisit, o Order) (stepResult, error) {
	if !o.tag.isChecked() && !o.Amount.IsZero() {
		return e.voidUnpaid(ctx, visit, o, ErrCheckFailed)
	}
	if err := e.writeFailedCheckVoid(ctx, o); err != nil {
		return stepResult{}, e.reportFailure(visit, o, err)
	}
	e.finishVoided(visit, o, ErrCheckFailed)
	return stepResult{wakeAt: e.cfg.Clock(), voidReason: ErrCheckFailed}, nil
}

// voidUnpaid voids an order never given to the Settler.
func (e *Engine) voidUnpaid(ctx context.Context, visit *accountVisit, o Order, reason error) (stepResult, error) {
	if open := visit.state.findOpen(o.ID); open != nil {
		open.voidReason = reason
	}
	switch err := e.voidUnclaimed(ctx, visit, o); {
	case errors.Is(err, sequence.ErrTaken):
		return stepResult{repeat: true}, nil // another engine owns the order, and may be paying it
	case err != nil:
		return stepResult{}, e.reportFailure(visit, o, err)
	}
	e.finishVoided(visit, o, reason)
	return stepResult{notBefore: e.cfg.Clock().Add(e.cfg.OrderCooldown), voidReason: reason}, nil
}
