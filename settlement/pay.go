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

// turn is what one step with an account came to.
type turn struct {
	payment Payment   // Paid is 0 if nothing was paid
	again   bool      // there may be more to do at once
	until   time.Time // if set: nothing to do before, whatever is booked
	backoff bool      // nothing to do before the next backoff
	look    time.Time // if set: there is something to look at then, even if nothing is booked
}

// step takes an account one order further: it resumes the open order, or places
// the next one if it is due, and pays it. Its errors are *OrderErrors.
func (e *Engine) step(ctx context.Context, a accounts.PeerAccount) (turn, error) {
	if err := e.register.haltedBy(a); err != nil {
		return turn{}, e.fails(Order{Account: a}, err)
	}
	if k := e.register.of(a); k.own == nil && k.head != nil {
		return e.placeAndPay(ctx, k.head)
	}
	last, err := e.newest(ctx, a)
	if err != nil {
		return turn{}, e.fails(Order{Account: a}, err)
	}
	if noted, final, ok := e.register.noted(a); ok && (!last.open || last.ID != noted.ID) {
		return e.closedMeanwhile(ctx, noted, final, last)
	}
	rearm := last.at.Add(e.cfg.OrderCooldown)
	switch {
	case last.open && !last.tag.isKnown():
		// An engine of a later version pays it, or voids it. A claim of ours would keep it from that.
		return turn{}, e.fails(last.Order, fmt.Errorf("%w: %d", ErrOrderVersion, last.tag.version()))
	case last.open && last.Amount.IsZero():
		// No Settler ever gets an order of nothing, so anybody may close it.
		return e.withdraw(ctx, last.Order)
	case last.open:
		return e.resume(ctx, &last)
	case last.voided && !e.failedCheck(&last) && rearm.After(e.cfg.Clock()):
		return turn{until: rearm}, nil
	default:
		e.register.setHead(a, &last)
		return e.placeAndPay(ctx, &last)
	}
}

// closedMeanwhile finds that an order which we took to be open is closed. If it was
// by our own post or void, whose answer was lost, the same again finds that; if it
// was by somebody who booked something else, it finds that too. Without an answer of
// the Settler it was another engine of this Instance.
func (e *Engine) closedMeanwhile(ctx context.Context, o Order, final *answer, last head) (turn, error) {
	if final != nil {
		return e.pay(ctx, o)
	}
	e.register.closed(o.Account)
	payment := Payment{Order: o}
	if last.resolves == o.ID && last.posted {
		payment.Paid = last.Amount
		e.cfg.Events.reportPaid(payment)
	}
	return turn{payment: payment, again: true}, nil
}

// placeAndPay places the next order, if one is due, and pays it.
func (e *Engine) placeAndPay(ctx context.Context, last *head) (turn, error) {
	a := last.Account
	began := e.cfg.Clock()
	pressed, notBefore := e.isPressed(last)
	order, d, err := e.place(ctx, last, pressed)
	if err != nil {
		e.register.setHead(a, nil)
	}
	switch {
	case errors.Is(err, sequence.ErrTaken):
		return turn{again: true}, nil
	case errors.Is(err, ErrPaused), errors.Is(err, ErrPayoutLimit):
		return e.keepWaiting(Order{Account: a}, err)
	case err != nil:
		return turn{}, e.fails(Order{Account: a}, err)
	case notBefore.IsZero():
		e.register.relieve(a)
	}
	if order.ID.IsZero() {
		e.register.hearLater(a, notBefore)
		return turn{look: cmp.Or(d.notBefore, notBefore)}, nil
	}
	e.register.ordered(order, d.rest)
	e.cfg.Events.Placed(order)
	switch fits, err := e.checkPlaced(ctx, order, &d.balance); {
	case err != nil:
		return turn{}, e.fails(order, err)
	case !fits:
		return e.withdraw(ctx, order)
	case order.Amount.Less(d.demand.Minimum):
		return e.giveBack(ctx, order, ErrTooSmall)
	}
	e.register.opened(order)
	if t, done, err := e.checkRailCall(ctx, order, verdict{}, true); done || err != nil {
		return t, err
	}
	if e.slept(began) {
		return turn{again: true}, nil
	}
	return e.pay(ctx, order)
}

// slept reports whether a lease has passed since we knew an order to be ours: this process was stopped, or its machine
// suspended, and another engine may have taken the order over. A look at the order tells. The
// times are those of the calendar: a monotonic clock stands still while a machine is suspended.
func (e *Engine) slept(since time.Time) bool {
	return !e.cfg.NoTakeover && e.cfg.Clock().Round(0).Sub(since) >= e.cfg.Lease
}

// isPressed reports whether the account's payment should not wait for its policy. A peer
// that presses too soon after the newest order is heard at notBefore.
func (e *Engine) isPressed(last *head) (pressed bool, notBefore time.Time) {
	rearm := last.at.Add(e.cfg.OrderCooldown)
	switch by := e.register.of(last.Account).pressed; {
	case by == pressedByPeer && rearm.After(e.cfg.Clock()):
		return false, rearm
	default:
		return by != pressedByNobody, time.Time{}
	}
}

// withdraw voids an order that failed its check. No Settler has it or will ever get it. Of an
// order that only its owner can check, the void goes with the owner's next claim.
func (e *Engine) withdraw(ctx context.Context, o Order) (turn, error) {
	if !o.tag.isChecked() && !o.Amount.IsZero() {
		return e.giveBack(ctx, o, ErrWithdrawn)
	}
	if err := e.voidChecked(ctx, o); err != nil {
		return turn{}, e.fails(o, err)
	}
	e.register.closed(o.Account)
	e.cfg.Events.Voided(o, ErrWithdrawn)
	return turn{look: e.cfg.Clock()}, nil
}

// giveBack voids an order that was never given to the Settler.
func (e *Engine) giveBack(ctx context.Context, o Order, why error) (turn, error) {
	e.register.toGiveBack(o, why)
	switch err := e.voidOwn(ctx, o); {
	case errors.Is(err, sequence.ErrTaken):
		return turn{again: true}, nil // another engine has it, and may be paying it
	case err != nil:
		return turn{}, e.fails(o, err)
	}
	e.register.closed(o.Account)
	e.cfg.Events.Voided(o, why)
	return turn{until: e.cfg.Clock().Add(e.cfg.OrderCooldown)}, nil
}

// pay gets the Settler's final answer and closes the order with it. An answer that
// is not final leaves the order open.
func (e *Engine) pay(ctx context.Context, o Order) (turn, error) {
	e.register.opened(o)
	final, err := e.finalAnswer(ctx, o)
	if err != nil {
		return e.staysOpen(o, err)
	}
	if err := e.resolve(ctx, o, final.paid); err != nil {
		return turn{}, e.fails(o, err)
	}
	e.register.closed(o.Account)
	payment := Payment{Order: o, Paid: final.paid}
	e.cfg.Events.reportPaid(payment)
	if final.giving == nil {
		e.register.paid(o, e.cfg.Clock().Round(0))
		e.register.restIsDue(payment)
		inParts := e.register.inParts(payment)
		return turn{payment: payment, again: !inParts, backoff: inParts}, nil
	}
	if final.paid.IsZero() {
		e.cfg.Events.Voided(o, final.giving)
	}
	return turn{payment: payment, until: e.cfg.Clock().Add(e.cfg.OrderCooldown)},
		&OrderError{Account: o.Account, Order: o, Err: final.giving}
}

// staysOpen leaves an order open after an answer that is not final. A rail that has
// taken it on needs no backoff, and is no failure.
func (e *Engine) staysOpen(o Order, cause error) (turn, error) {
	if !errors.Is(cause, ErrPending) {
		return turn{}, e.fails(o, cause)
	}
	e.stays(o.Account, cause)
	return turn{until: e.cfg.Clock().Add(e.cfg.RetryMaxInterval)}, &OrderError{Account: o.Account, Order: o, Err: cause}
}

// finalAnswer calls the Settler, unless it has given its final answer before and
// only the booking of it failed: some rails forget a key after a while, and must
// not be asked more often than need be.
func (e *Engine) finalAnswer(ctx context.Context, o Order) (answer, error) {
	if _, final, _ := e.register.noted(o.Account); final != nil {
		return *final, nil
	}
	rail := e.rails[o.rail]
	if rail == nil {
		return answer{}, ErrNoRail
	}
	paid, err := e.callSettler(ctx, rail, o)
	switch {
	case err != nil && !errors.Is(err, ErrDeclined):
		return answer{}, err
	case paid == ledger.AmountMax:
		return answer{}, fmt.Errorf("%w: the largest amount there is", ErrInvalidSettledAmount)
	case err == nil && paid.IsZero():
		err = fmt.Errorf("%w: the settler paid nothing", ErrDeclined)
	}
	final := answer{paid: paid, giving: err}
	e.register.answered(o.Account, final)
	return final, nil
}

// callSettler is one call of the Settler. A panic is an error like any other: the
// rail may have paid before it.
func (e *Engine) callSettler(ctx context.Context, rail *railState, o Order) (paid ledger.Amount, err error) {
	ended, err := rail.permit()
	if err != nil {
		return ledger.Amount{}, err
	}
	e.register.asked(o.Account)
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

// fails reports an error of an account, and of its open order if there is one.
func (e *Engine) fails(o Order, cause error) error {
	err := &OrderError{Account: o.Account, Order: o, Err: cause}
	if errors.Is(cause, ErrOrderConflict) {
		e.register.closed(o.Account)
		e.register.halted(o.Account, cause)
	} else {
		e.stays(o.Account, cause)
	}
	e.cfg.Events.Failed(err)
	return err
}

// stays notes why the account's order is still open, if it has one.
func (e *Engine) stays(a accounts.PeerAccount, cause error) {
	stuck, tell := e.register.stays(a, cause, e.cfg.Clock().Add(-e.cfg.StuckAfter))
	if tell {
		e.cfg.Events.Stuck(stuck)
	}
}
