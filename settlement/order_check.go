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

// isAllowed reports whether an order is for no more than may be paid.
func (o *Order) isAllowed(net, prepaid *big.Int, arrears ledger.Amount) bool {
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
		if o.isAllowed(net, prepaid, decided.Arrears) {
			e.tracker.setChecked(o)
			return true, nil
		}
	}
	return e.checkByHistory(ctx, o)
}

// checkByHistory checks an order by the rows up to it.
func (e *Engine) checkByHistory(ctx context.Context, o Order) (fits bool, err error) {
	if o.Amount.IsZero() {
		return false, nil
	}
	if e.tracker.isChecked(o) {
		return true, nil
	}
	then, err := e.book.BalanceAt(ctx, o.Account, o.PlacedAt)
	if err != nil {
		return false, wrap("check the order", err)
	}
	if !o.isAllowed(then.Net, then.Prepaid.Big(), then.Arrears) {
		return false, nil
	}
	e.tracker.setChecked(o)
	return true, nil
}

// checkWithoutHistory checks an order to an account without history, by the most that can be
// prepaid now. Packets since the order may make that stricter than it need be.
func (e *Engine) checkWithoutHistory(ctx context.Context, o *Order) (fits bool, err error) {
	now, err := e.book.Balance(ctx, o.Account)
	if err != nil || !o.isAllowed(now.Net(), now.Prepaid.Big(), now.Arrears) {
		return false, err
	}
	e.tracker.setChecked(*o)
	return true, nil
}

// checkResumed checks an order that was found open, before the rail is called for it. done
// says that the order is not to be paid now.
func (e *Engine) checkResumed(ctx context.Context, last *latestOrder, owner *orderOwner, claimed bool) (t stepResult, done bool, err error) {
	o := last.Order
	if claimed && !owner.isUs {
		// Its owner may have voided it between the look at it and our claim.
		again, err := e.readLatestOrder(ctx, o.Account)
		switch {
		case err != nil:
			return stepResult{}, true, e.reportFailure(o, err)
		case !again.open || again.ID != o.ID:
			e.tracker.setClosed(o.Account)
			return stepResult{repeat: true}, true, nil
		}
	}
	b, err := e.book.LookUpBalances(ctx, o.Account)
	switch {
	case err != nil:
		return stepResult{}, true, e.reportFailure(o, err)
	case b[0].Closed:
		t, err := e.keepOpen(o, accounts.ErrPeerClosed)
		return t, true, err
	}
	// Nobody else knows. Whoever had taken it over since may have given it to a rail.
	if own := e.tracker.stateOf(o.Account).openOrder; own.voidReason != nil && !claimed {
		t, err := e.voidUnpaid(ctx, o, own.voidReason)
		return t, true, err
	}
	fits, err := e.checkOpen(ctx, last, b[0], claimed)
	switch {
	case err != nil:
		return stepResult{}, true, e.reportFailure(o, err)
	case !fits:
		t, err := e.voidFailedCheck(ctx, o)
		return t, true, err
	}
	return stepResult{}, false, nil
}

// checkOpen checks an open order by the rule that it was placed by. An order without a check may
// be with a rail already, unless this Engine has placed it, never called its Settler for it, and
// nobody has taken it over.
func (e *Engine) checkOpen(ctx context.Context, last *latestOrder, b accounts.Balance, claimed bool) (fits bool, err error) {
	o := last.Order
	if o.tag.isChecked() {
		return e.checkByHistory(ctx, o)
	}
	e.reportOldEngine(last, b)
	if !b.HasHistory() && !claimed && e.tracker.isUnchecked(o) {
		return e.checkWithoutHistory(ctx, &o)
	}
	return true, nil
}

// writeFailedCheckVoid voids an order that failed its check. All engines write the same row.
func (e *Engine) writeFailedCheckVoid(ctx context.Context, o Order) error {
	void := ledger.Transfer{ID: e.failedCheckVoidID(o.ID), PendingID: o.ID, Flags: ledger.TransferVoidPending}
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

func (e *Engine) failedCheckVoidID(order ledger.ID) ledger.ID {
	return e.ns.Derive("withdrawn", chart.ID(order))
}

// hasFailedCheck reports whether the newest row is the void of an order that failed its check:
// then there is no reason to wait before the next one.
func (e *Engine) hasFailedCheck(last *latestOrder) bool {
	return last.voided && last.ID == e.failedCheckVoidID(last.resolvedID)
}

// reportOldEngine reports an order without a check, if the order was placed after an order with
// a check, or while this engine was running: an engine of a version before the check works on
// the ledger, and can pay prepayments back.
func (e *Engine) reportOldEngine(last *latestOrder, b accounts.Balance) {
	if last.Sequence == 0 || !b.HasHistory() {
		return
	}
	since := last.open && last.PlacedAt.After(e.started)
	if e.tracker.markOldEngine(last.Order, since) {
		e.cfg.Events.Failed(&OrderError{Account: last.Account, Order: last.Order, Err: ErrOldEngine})
	}
}
