package settlement

import (
	"context"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// Resolve closes an order with the amount paid in all: for rails that answer later than a Settler
// can wait ([ErrPending]), and for an operator who has found out. A part is allowed, and the rest is
// owed again; an amount beyond the order is booked too. Resolve may be repeated, and called from any
// process, for any instance's order.
//
// Resolve waits for a call of this Engine's Settler for the account that is under way. Errors are
// [*OrderError]: [ErrNoOrder], [ErrOrderConflict] if the order was closed with another amount,
// [accounts.ErrPeerClosed] if the peer's account is closed, [accounts.ErrInvalid] if paid is 0 or
// [ledger.AmountMax], or the error of a request. With each of them except the last one nothing was booked.
// [ErrEngineClosed] after Close.
func (e *Engine) Resolve(
	ctx context.Context, account accounts.PeerAccount, order ledger.ID, paid ledger.Amount,
) (Payment, error) {
	if paid.IsZero() || paid == ledger.AmountMax {
		err := &accounts.FieldError{Subject: "order", Field: "paid", Reason: fmt.Sprintf("cannot be %v; see Cancel", paid)}
		return Payment{}, &OrderError{Account: account, Err: err}
	}
	o, err := e.resolveByHand(ctx, account, order, paid)
	if err != nil {
		return Payment{}, err
	}
	payment := Payment{Order: o, Paid: paid}
	e.cfg.Events.reportPaid(payment)
	return payment, nil
}

// Cancel voids an order that will never be paid under its key: the amount is owed again, and may be
// ordered again after [Config.OrderCooldown]. It must not be called when the rail may still pay: the
// peer would be paid twice. An order that waits to be approved ([ErrAwaitsApproval]) is with no rail,
// and can always be cancelled. Otherwise Cancel is like [Engine.Resolve].
func (e *Engine) Cancel(ctx context.Context, account accounts.PeerAccount, order ledger.ID) (Order, error) {
	o, err := e.resolveByHand(ctx, account, order, ledger.Amount{})
	if err == nil {
		e.cfg.Events.Voided(o, ErrCancelled)
	}
	return o, err
}

// resolveByHand closes an order in its account's turn.
func (e *Engine) resolveByHand(ctx context.Context, a accounts.PeerAccount, id ledger.ID, paid ledger.Amount) (Order, error) {
	if !e.acquireCall() {
		return Order{}, ErrEngineClosed
	}
	defer e.wg.Done()
	fail := func(o Order, err error) (Order, error) { return Order{}, &OrderError{Account: a, Order: o, Err: err} }
	unread := Order{ID: id, Account: a}
	if _, known := e.book.Asset(a.Ledger()); !known || a.IsOwn() {
		return fail(unread, fmt.Errorf("%w: %v", accounts.ErrUnknownAsset, a))
	}
	visit, err := e.waitForVisit(ctx, a)
	if err != nil {
		return fail(unread, err)
	}
	defer func() {
		e.tracker.endVisit(visit)
		e.Enqueue([]accounts.PeerAccount{a})
	}()
	o, err := e.lookUpOrder(ctx, a, id)
	if err != nil {
		return fail(unread, err)
	}
	start := OrderStart{Order: o, Work: OrderByHand, Began: time.Now()}
	if _, err := e.traceOrder(ctx, start, func(ctx context.Context) (stepResult, error) {
		if err := e.closeByHand(ctx, visit, &o, paid); err != nil || !paid.IsZero() {
			return stepResult{payment: Payment{Paid: paid}}, err
		}
		return stepResult{voidReason: ErrCancelled}, nil
	}); err != nil {
		return fail(o, err)
	}
	if visit.state.findOpen(id) != nil {
		visit.state.setClosed()
	}
	return o, nil
}

// closeByHand closes an order by hand. An order without a verdict is voided and refused in one chain,
// so no engine or operator can approve the order.
func (e *Engine) closeByHand(ctx context.Context, visit *accountVisit, o *Order, paid ledger.Amount) error {
	if paid.IsZero() && o.tag.needs() != needsNobody {
		done, err := e.voidUnapproved(ctx, o)
		if done || err != nil {
			return err
		}
	}
	return e.bookResolution(ctx, visit.state.findOpen(o.ID), *o, paid)
}
