package settlement

import (
	"context"
	"fmt"
	"math/big"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// Between the balance that an order was decided on and the order itself, packets and payments
// may have been booked. So an order is checked at its own moment before anybody calls the rail
// for it, and again by whoever resumes it. The check is a function of rows up to that moment,
// which never change: every engine finds the same, at any time, after any crash. An order that
// fails it was never given to a rail, and one that passes it is never voided by it.

// allows reports whether an order is for no more than may be paid.
func (o *Order) allows(net, prepaid *big.Int, arrears ledger.Amount) bool {
	amount := o.Amount.Big()
	switch {
	case o.Amount.IsZero():
		return false
	case amount.Cmp(net) <= 0:
		return true
	case o.Refund:
		return amount.Cmp(new(big.Int).Add(net, prepaid)) <= 0
	case o.Ahead && prepaid.Sign() == 0 && arrears.IsZero():
		return amount.Cmp(new(big.Int).Add(net, o.limit.Big())) <= 0
	default:
		return false
	}
}

// checkPlaced checks an order that this engine has just placed on the strength of a balance.
func (e *Engine) checkPlaced(ctx context.Context, o Order, decided *accounts.Balance) (fits bool, err error) {
	if o.Amount.IsZero() {
		return false, nil
	}
	now, err := e.book.LookUpBalances(ctx, o.Account)
	if err != nil {
		return false, err
	}
	if !decided.HasHistory() {
		return e.checkWithoutHistory(ctx, &o)
	}
	// The order's moment lies between the two balances. If nothing but packets came between,
	// what the peer was charged for its own is at most this much. What they used of the
	// prepayment and of the net is taken off; what packets earned is left out.
	if sent, only := now[0].OnlyPacketsSince(*decided); only {
		used := sent.Min(decided.Prepaid)
		prepaid := new(big.Int).Sub(decided.Prepaid.Big(), used.Big())
		net := new(big.Int).Sub(decided.Net(), sent.SubFloor(used).Big())
		if o.allows(net, prepaid, decided.Arrears) {
			e.register.passedCheck(o)
			return true, nil
		}
	}
	return e.checkAtItsMoment(ctx, o)
}

// checkAtItsMoment checks an order by the rows up to it.
func (e *Engine) checkAtItsMoment(ctx context.Context, o Order) (fits bool, err error) {
	if o.Amount.IsZero() {
		return false, nil
	}
	if e.register.hasPassedCheck(o) {
		return true, nil
	}
	then, err := e.book.BalanceAt(ctx, o.Account, o.PlacedAt)
	if err != nil {
		return false, wrap("check the order", err)
	}
	if !o.allows(then.Net, then.Prepaid.Big(), then.Arrears) {
		return false, nil
	}
	e.register.passedCheck(o)
	return true, nil
}

// checkWithoutHistory checks an order to an account without history, by the most that can be
// prepaid now. Packets since the order may make that stricter than it need be.
func (e *Engine) checkWithoutHistory(ctx context.Context, o *Order) (fits bool, err error) {
	now, err := e.book.Balance(ctx, o.Account)
	if err != nil || !o.allows(now.Net(), now.Prepaid.Big(), now.Arrears) {
		return false, err
	}
	e.register.passedCheck(*o)
	return true, nil
}

// checkResumed checks an order that was found open, before the rail is called for it. done
// says that the order is not to be paid now.
func (e *Engine) checkResumed(ctx context.Context, last *head, owner *owner, claimed bool) (t turn, done bool, err error) {
	o := last.Order
	if claimed && !owner.mine {
		// Its owner may have voided it between the look at it and our claim.
		again, err := e.newest(ctx, o.Account)
		switch {
		case err != nil:
			return turn{}, true, e.fails(o, err)
		case !again.open || again.ID != o.ID:
			e.register.closed(o.Account)
			return turn{again: true}, true, nil
		}
	}
	b, err := e.book.LookUpBalances(ctx, o.Account)
	switch {
	case err != nil:
		return turn{}, true, e.fails(o, err)
	case b[0].Closed:
		t, err := e.staysOpen(o, accounts.ErrPeerClosed)
		return t, true, err
	}
	// Nobody else knows. Whoever had taken it over since may have given it to a rail.
	if own := e.register.of(o.Account).own; own.back != nil && !claimed {
		t, err := e.giveBack(ctx, o, own.back)
		return t, true, err
	}
	fits, err := e.checkOpen(ctx, last, b[0], claimed)
	switch {
	case err != nil:
		return turn{}, true, e.fails(o, err)
	case !fits:
		t, err := e.withdraw(ctx, o)
		return t, true, err
	}
	return turn{}, false, nil
}

// checkOpen checks an open order by the rule that it was placed by. An order without a check may
// be with a rail already, unless this Engine has placed it, never called its Settler for it, and
// nobody has taken it over.
func (e *Engine) checkOpen(ctx context.Context, last *head, b accounts.Balance, claimed bool) (fits bool, err error) {
	o := last.Order
	if o.tag.isChecked() {
		return e.checkAtItsMoment(ctx, o)
	}
	e.noticeOldEngine(last, b)
	if !b.HasHistory() && !claimed && e.register.isUnchecked(o) {
		return e.checkWithoutHistory(ctx, &o)
	}
	return true, nil
}

// voidChecked voids an order that failed its check. All engines write the same row.
func (e *Engine) voidChecked(ctx context.Context, o Order) error {
	void := ledger.Transfer{ID: e.withdrawnID(o.ID), PendingID: o.ID, Flags: ledger.TransferVoidPending}
	results, err := e.ledger.CreateTransfers(ctx, []ledger.Transfer{void})
	switch {
	case err != nil:
		return wrap("withdraw the order", err)
	case results[0].Status.Outcome().Done(), results[0].Status == ledger.TransferPendingTransferAlreadyVoided:
		return nil
	case results[0].Status == ledger.TransferPendingTransferAlreadyPosted:
		return fmt.Errorf("%w: it failed its check, and was paid", ErrOrderConflict)
	default:
		return wrap("withdraw the order", &ledger.TransferError{ID: void.ID, Status: results[0].Status})
	}
}

func (e *Engine) withdrawnID(order ledger.ID) ledger.ID {
	return e.ns.Derive("withdrawn", chart.ID(order))
}

// failedCheck reports whether the newest row is the void of an order that failed its check:
// then there is no reason to wait before the next one.
func (e *Engine) failedCheck(last *head) bool {
	return last.voided && last.ID == e.withdrawnID(last.resolves)
}

// noticeOldEngine reports an order without a check, if the order was placed after an order with
// a check, or while this engine was running: an engine of a version before the check works on
// the ledger, and can pay prepayments back.
func (e *Engine) noticeOldEngine(last *head, b accounts.Balance) {
	if last.Sequence == 0 || !b.HasHistory() {
		return
	}
	since := last.open && last.PlacedAt.After(e.started)
	if e.register.isOld(last.Order, since) {
		e.cfg.Events.Failed(&OrderError{Account: last.Account, Order: last.Order, Err: ErrOldEngine})
	}
}
