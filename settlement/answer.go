package settlement

import (
	"context"
	"fmt"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// Resolve closes an order with what was paid for it in all: for rails that answer later
// than a Settler can wait (ErrPending), and for an operator who has found out. A part is
// allowed, and the rest is owed again; what is more than ordered is booked too. It may be
// repeated, and called from any process, whoever the order belongs to.
//
// It waits for a call of this Engine's Settler for the account that is under way. Errors
// are *OrderErrors: ErrNoOrder, ErrOrderConflict if the order was closed with another
// amount, accounts.ErrPeerClosed if the peer's account is closed, accounts.ErrInvalid if paid
// is 0 or ledger.AmountMax, or the error of a request; with all of them but the last
// nothing was booked. ErrEngineClosed after Close.
func (e *Engine) Resolve(
	ctx context.Context, account accounts.PeerAccount, order ledger.ID, paid ledger.Amount,
) (Payment, error) {
	if paid.IsZero() || paid == ledger.AmountMax {
		err := &accounts.FieldError{Subject: "order", Field: "paid", Reason: fmt.Sprintf("cannot be %v; see Cancel", paid)}
		return Payment{}, &OrderError{Account: account, Err: err}
	}
	o, err := e.answer(ctx, account, order, paid)
	if err != nil {
		return Payment{}, err
	}
	payment := Payment{Order: o, Paid: paid}
	e.cfg.Events.reportPaid(payment)
	return payment, nil
}

// Cancel gives an order back that will never be paid under its key: the amount is owed
// again, and may be ordered again after Config.OrderCooldown. It must not be called when the
// rail may still pay: the peer would be paid twice. An order that waits to be approved (ErrAwaitsApproval)
// is with no rail, and can always be cancelled. Otherwise it is like Resolve.
func (e *Engine) Cancel(ctx context.Context, account accounts.PeerAccount, order ledger.ID) (Order, error) {
	o, err := e.answer(ctx, account, order, ledger.Amount{})
	if err == nil {
		e.cfg.Events.Voided(o, ErrCancelled)
	}
	return o, err
}

// close closes an order by hand. One that waits for a word is given back in a way that keeps
// everybody from approving it.
func (e *Engine) close(ctx context.Context, o *Order, paid ledger.Amount) error {
	if paid.IsZero() && o.tag.needs() != needsNobody {
		done, err := e.voidUnapproved(ctx, o)
		if done || err != nil {
			return err
		}
	}
	return e.resolve(ctx, *o, paid)
}

// answer closes an order in its account's turn.
func (e *Engine) answer(ctx context.Context, a accounts.PeerAccount, id ledger.ID, paid ledger.Amount) (Order, error) {
	if !e.begin() {
		return Order{}, ErrEngineClosed
	}
	defer e.work.Done()
	o := Order{ID: id, Account: a}
	fail := func(err error) (Order, error) { return Order{}, &OrderError{Account: a, Order: o, Err: err} }
	if _, known := e.book.Asset(a.Ledger()); !known || a.IsOwn() {
		return fail(fmt.Errorf("%w: %v", accounts.ErrUnknownAsset, a))
	}
	v, err := e.enter(ctx, a)
	if err != nil {
		return fail(err)
	}
	defer func() {
		e.register.release(v)
		e.Enqueue([]accounts.PeerAccount{a})
	}()
	if o, err = e.lookUp(ctx, a, id); err != nil {
		o = Order{ID: id, Account: a}
		return fail(err)
	}
	if err := e.close(ctx, &o, paid); err != nil {
		return fail(err)
	}
	if noted, _, ok := e.register.noted(a); ok && noted.ID == id {
		e.register.closed(a)
	}
	return o, nil
}
