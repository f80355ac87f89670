package settlement

import (
	"context"
	"fmt"
	"math/big"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// Packets and payments may be booked between the balance behind an order and the order itself. So
// an order is checked at its own moment before any engine calls the rail, and again by each engine
// resuming the order. The check is a function of rows up to the order, and rows never change: every
// engine finds the same, at any time, after any crash. No order failing the check was ever given to a
// rail, and no order passing the check is ever voided by the check.

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
	case o.Prefunds && prepaid.Sign() == 0 && arrears.IsZero():
		return amount.Cmp(new(big.Int).Add(net, o.limit.Big())) <= 0
	default:
		return false
	}
}

// checkPlaced checks an order just placed by this Engine. decided is the balance behind the order.
func (e *Engine) checkPlaced(ctx context.Context, visit *accountVisit, o Order, decided *accounts.Balance) (fits bool, err error) {
	if o.Amount.IsZero() {
		return false, nil
	}
	now, err := e.book.LookUpBalance(ctx, o.Account)
	if err != nil {
		return false, err
	}
	if !decided.HasHistory() {
		return e.checkWithoutHistory(ctx, visit, &o)
	}
	// The order's moment lies between the two balances. If only packets were booked between the
	// balances, the peer was charged at most sent for its own packets. The charges used up the
	// prepayment first and then the net; amounts earned by packets are left out.
	if sent, only := now.OnlyPacketsSince(*decided); only {
		if !owedAmount(*decided).SubFloor(sent).Less(o.Amount) { // what was owed covers both, as almost always
			visit.state.checkedID = o.ID
			return true, nil
		}
		used := sent.Min(decided.Prepaid)
		prepaid := new(big.Int).Sub(decided.Prepaid.Big(), used.Big())
		net := new(big.Int).Sub(decided.Net(), sent.SubFloor(used).Big())
		if o.isAllowed(net, prepaid, decided.Arrears) {
			visit.state.checkedID = o.ID
			return true, nil
		}
	}
	return e.checkByHistory(ctx, visit, o)
}

// checkByHistory checks an order by the rows up to it.
func (e *Engine) checkByHistory(ctx context.Context, visit *accountVisit, o Order) (fits bool, err error) {
	if o.Amount.IsZero() {
		return false, nil
	}
	if visit.state.checkedID == o.ID {
		return true, nil
	}
	then, err := e.book.BalanceAt(ctx, o.Account, o.PlacedAt)
	if err != nil {
		return false, wrap("check the order", err)
	}
	if !o.isAllowed(then.Net, then.Prepaid.Big(), then.Arrears) {
		return false, nil
	}
	visit.state.checkedID = o.ID
	return true, nil
}

// checkWithoutHistory checks an order to an account without history, by the most that can be
// prepaid now. Packets since the order may make the check stricter than necessary.
func (e *Engine) checkWithoutHistory(ctx context.Context, visit *accountVisit, o *Order) (fits bool, err error) {
	now, err := e.book.Balance(ctx, o.Account)
	if err != nil || !o.isAllowed(now.Net(), now.Prepaid.Big(), now.Arrears) {
		return false, err
	}
	visit.state.checkedID = o.ID
	return true, nil
}

// checkResumed checks an order found open, before any call of the rail. done is true if the order is
// not paid in this step.
func (e *Engine) checkResumed(
	ctx context.Context, visit *accountVisit, latest *latestOrder, owner *orderOwner, claimed bool,
) (result stepResult, done bool, err error) {
	o := latest.Order
	if claimed && !owner.isUs {
		// The earlier owner may have voided the order between our read of it and our claim.
		again, err := e.readLatestOrder(ctx, o.Account)
		switch {
		case err != nil:
			return stepResult{}, true, e.reportFailure(visit, o, err)
		case !again.open || again.ID != o.ID:
			visit.state.setClosed()
			return stepResult{repeat: true}, true, nil
		}
	}
	b, err := e.book.LookUpBalance(ctx, o.Account)
	switch {
	case err != nil:
		return stepResult{}, true, e.reportFailure(visit, o, err)
	case b.Closed:
		result, err := e.keepOpen(visit, o, accounts.ErrPeerClosed)
		return result, true, err
	}
	// Only this Engine knows the reason. After a takeover and our claim the reason does not count:
	// the second engine may have given the order to a rail.
	if reason := visit.state.openOrder.voidReason; reason != nil && !claimed {
		result, err := e.voidUnpaid(ctx, visit, o, reason)
		return result, true, err
	}
	fits, err := e.checkOpen(ctx, visit, latest, b, claimed)
	switch {
	case err != nil:
		return stepResult{}, true, e.reportFailure(visit, o, err)
	case !fits:
		result, err := e.voidFailedCheck(ctx, visit, o)
		return result, true, err
	}
	return stepResult{}, false, nil
}

// checkOpen checks an open order by the rule of its version. An order without a check may be with a
// rail already, unless this Engine placed the order and never called the Settler, and no engine has
// taken the order over.
func (e *Engine) checkOpen(
	ctx context.Context, visit *accountVisit, latest *latestOrder, b accounts.Balance, claimed bool,
) (fits bool, err error) {
	o := latest.Order
	if o.tag.isChecked() {
		return e.checkByHistory(ctx, visit, o)
	}
	e.reportOldEngine(visit, latest, b)
	if !b.HasHistory() && !claimed && visit.state.isUnchecked(o) {
		return e.checkWithoutHistory(ctx, visit, &o)
	}
	return true, nil
}

// writeFailedCheckVoid voids an order that failed its check. All engines write the same row.
func (e *Engine) writeFailedCheckVoid(ctx context.Context, o Order) error {
	void := ledger.Transfer{ID: e.failedCheckVoidID(o.ID), PendingID: o.ID, Flags: ledger.TransferVoidPending}
	results, err := e.ledger.CreateTransfers(ctx, []ledger.Transfer{void})
	switch {
	case err != nil:
		return wrap("void the order after its failed check", err)
	case results[0].Status.Outcome().Done(), results[0].Status == ledger.TransferPendingTransferAlreadyVoided:
		return nil
	case results[0].Status == ledger.TransferPendingTransferAlreadyPosted:
		return fmt.Errorf("%w: it failed its check, and was paid", ErrOrderConflict)
	default:
		return wrap("void the order after its failed check", &ledger.TransferError{ID: void.ID, Status: results[0].Status})
	}
}

func (e *Engine) failedCheckVoidID(order ledger.ID) ledger.ID {
	return e.ns.Derive("withdrawn", chart.ID(order))
}

// hasFailedCheck reports whether the newest row is the void after a failed check. Then there is no
// reason to wait before the next order.
func (e *Engine) hasFailedCheck(latest *latestOrder) bool {
	return latest.voided && latest.ID == e.failedCheckVoidID(latest.resolvedID)
}

// reportOldEngine reports an order without a check, placed after an order with a check or while this
// Engine was running: an engine of a version before the check works on the ledger, and can pay
// prepayments back.
func (e *Engine) reportOldEngine(visit *accountVisit, latest *latestOrder, b accounts.Balance) {
	if latest.Sequence == 0 || !b.HasHistory() {
		return
	}
	isNewer := latest.open && latest.PlacedAt.After(e.started)
	if visit.state.markOldEngine(latest.Order, isNewer) {
		e.cfg.Events.Failed(&OrderError{Account: latest.Account, Order: latest.Order, Err: ErrOldEngine})
	}
}
