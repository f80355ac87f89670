package settlement

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/peerledger/peerledger/ledger"
)

// payOrder gets the Settler's final answer and closes the order. Without a final answer the order
// stays open.
func (e *Engine) payOrder(ctx context.Context, visit *accountVisit, o Order) (stepResult, error) {
	visit.state.setOpen(o)
	o.ReleasedAt = latestTime(o.PlacedAt, visit.state.openOrder.releasedAt)
	final, err := e.askSettler(ctx, visit, o)
	if err != nil {
		return e.keepOpen(visit, o, err)
	}
	if err := e.bookResolution(ctx, visit.state.findOpen(o.ID), o, final.paid); err != nil {
		return stepResult{}, e.reportFailure(visit, o, err)
	}
	if final.declineReason != nil {
		return e.finishDeclined(visit, o, final)
	}
	return e.finishPaid(visit, Payment{Order: o, Paid: final.paid}), nil
}

// The finish functions publish the closed order before its event: otherwise other goroutines would
// take the order for open during a slow event function, and the lease renewal would claim it.

// finishPaid notes and reports an order that is closed with a payment alone.
func (e *Engine) finishPaid(visit *accountVisit, p Payment) stepResult {
	now := e.cfg.Clock().Round(0)
	moreDue, inParts := visit.state.setPaid(p, e.rails[p.Order.rail].paidInFull(p), now)
	e.tracker.setPaid(p.Order, now, moreDue)
	visit.publishState()
	e.cfg.Events.reportPaid(p)
	return stepResult{payment: p, repeat: !inParts, moreDue: moreDue, backoff: inParts}
}

// finishDeclined notes and reports an order voided, or paid in part, for good: the rest is owed again.
func (e *Engine) finishDeclined(visit *accountVisit, o Order, final settlerAnswer) (stepResult, error) {
	payment := Payment{Order: o, Paid: final.paid}
	var voidReason error
	if final.paid.IsZero() {
		voidReason = final.declineReason
		e.finishVoided(visit, o, voidReason)
	} else {
		visit.state.setClosed()
		visit.publishState()
		e.cfg.Events.reportPaid(payment)
	}
	return stepResult{payment: payment, notBefore: e.cfg.Clock().Add(e.cfg.OrderCooldown), voidReason: voidReason},
		&OrderError{Account: o.Account, Order: o, Err: final.declineReason}
}

// finishVoided notes and reports an order that is closed by a void.
func (e *Engine) finishVoided(visit *accountVisit, o Order, reason error) {
	visit.state.setClosed()
	visit.publishState()
	e.cfg.Events.Voided(o, reason)
}

// keepOpen leaves an order open without a final answer. An order taken on by the rail
// ([ErrPending]) needs no backoff, and is no failure.
func (e *Engine) keepOpen(visit *accountVisit, o Order, cause error) (stepResult, error) {
	if !errors.Is(cause, ErrPending) {
		return stepResult{}, e.reportFailure(visit, o, cause)
	}
	e.recordStillOpen(visit, cause)
	return stepResult{notBefore: e.cfg.Clock().Add(e.cfg.RetryMaxInterval)}, &OrderError{Account: o.Account, Order: o, Err: cause}
}

// reportFailure notes and reports an error of an account, and of its open order, if any.
func (e *Engine) reportFailure(visit *accountVisit, o Order, cause error) error {
	err := &OrderError{Account: o.Account, Order: o, Err: cause}
	if errors.Is(cause, ErrOrderConflict) {
		visit.state.setHalted(cause)
	} else {
		e.recordStillOpen(visit, cause)
	}
	e.cfg.Events.Failed(err)
	return err
}

// recordStillOpen notes why the account's order, if any, is still open, and reports a stuck order.
func (e *Engine) recordStillOpen(visit *accountVisit, cause error) {
	placedBefore := e.cfg.Clock().Add(-e.cfg.StuckAfter)
	if stuck := visit.state.setStillOpen(cause, placedBefore); stuck != nil {
		e.cfg.Events.Stuck(*stuck)
	}
}

// askSettler calls the Settler, unless the final answer is here and only its booking failed: some
// rails forget a key after a while, so rails are asked no more often than necessary.
func (e *Engine) askSettler(ctx context.Context, visit *accountVisit, o Order) (settlerAnswer, error) {
	open := visit.state.openOrder
	if open.final != nil {
		return *open.final, nil
	}
	rail := e.rails[o.rail]
	if rail == nil {
		return settlerAnswer{}, ErrNoRail
	}
	paid, err := e.callSettler(ctx, visit, rail, o)
	switch {
	case err != nil && !errors.Is(err, ErrDeclined):
		return settlerAnswer{}, err
	case paid == ledger.AmountMax:
		return settlerAnswer{}, fmt.Errorf("%w: the largest amount there is", ErrInvalidSettledAmount)
	case err == nil && paid.IsZero():
		err = fmt.Errorf("%w: the settler paid nothing", ErrDeclined)
	}
	open.final = &settlerAnswer{paid: paid, declineReason: err}
	return *open.final, nil
}

// callSettler is one call of the Settler. A panic is an error like any other: the rail may have
// paid before the panic.
func (e *Engine) callSettler(ctx context.Context, visit *accountVisit, rail *railState, o Order) (paid ledger.Amount, err error) {
	ended, err := rail.permitCall()
	if err != nil {
		return ledger.Amount{}, err
	}
	visit.state.openOrder.Attempts++
	visit.publishState()
	if o.Refund {
		e.tracker.setRefundWanted(o.Account, false) // the refund is on its way
	}
	ctx, cancel := context.WithTimeout(ctx, rail.Timeout)
	defer cancel()
	ctx = e.cfg.Tracer.TraceRailStart(ctx, visit.state.openOrder.OpenOrder)
	answered := false
	defer func() {
		if v := recover(); v != nil {
			paid, err = ledger.Amount{}, fmt.Errorf("%w: %v\n%s", ErrPanic, v, debug.Stack())
		} else if !answered {
			err = ErrPanic // the Settler ended the goroutine (runtime.Goexit)
		}
		ended(err)
		e.cfg.Tracer.TraceRailEnd(ctx, RailEnd{Order: o, Paid: paid, Err: err})
	}()
	paid, err = rail.Settler.Settle(ctx, o)
	answered = true
	return paid, err
}
