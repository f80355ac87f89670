package settlement

import (
	"context"
	"errors"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// An order that needs approval (orderTag.needs) is given to no rail before its approval is in the ledger: a row
// without an amount, whose id follows from the order. The refusal of an order has the same id, and is linked to
// the order's void. So an order gets one verdict, from the first engine or operator that writes, and no order can
// be voided for a limit while another engine gives it to a rail.

// The verdicts, in user_data_32 of a row of code CodeApproval.
const (
	verdictApproved = 1
	verdictRefused  = 2
)

// verdict is the decision about an order that needs approval.
type verdict struct {
	value      uint32 // 0: not decided
	recordedAt time.Time
}

func (e *Engine) verdictID(order ledger.ID) ledger.ID {
	return e.ns.Derive("approval", chart.ID(order))
}

func (e *Engine) refusedVoidID(order ledger.ID) ledger.ID {
	return e.ns.Derive("refused", chart.ID(order))
}

// verdictRow depends only on the order and the verdict, so two writers of the same verdict write the same row.
func (e *Engine) verdictRow(o *Order, value uint32) ledger.Transfer {
	assetIDs, _ := e.book.AssetIDs(o.Account.Ledger())
	return ledger.Transfer{
		ID: e.verdictID(o.ID), DebitAccountID: e.book.PeerIDs(o.Account).Settlement, CreditAccountID: assetIDs.Control,
		UserData64: uint64(o.tag), UserData32: value, Ledger: o.Account.Ledger(), Code: chart.CodeApproval,
	}
}

// readVerdict reads the verdict on an order, and in the same request the pauses that apply to the order.
func (e *Engine) readVerdict(ctx context.Context, o *Order) (v verdict, err error) {
	var ids []ledger.ID
	if o.tag.needs() != needsNobody {
		ids = append(ids, e.verdictID(o.ID))
	}
	rows, err := e.lookUpWithPauses(ctx, pauseKeysFor(o.Account, o.rail), ids...)
	for _, row := range rows {
		v = verdict{row.UserData32, timeOf(row.Timestamp)}
	}
	return v, wrap("read whether the order may be paid", err)
}

// recordApproval approves an order. It returns the verdict in the ledger, which may be a refusal.
func (e *Engine) recordApproval(ctx context.Context, o *Order) (verdict, error) {
	results, err := e.ledger.CreateTransfers(ctx, []ledger.Transfer{e.verdictRow(o, verdictApproved)})
	switch {
	case err != nil:
		return verdict{}, wrap("approve the order", err)
	case results[0].Status.Outcome().Done():
		return verdict{verdictApproved, timeOf(results[0].Timestamp)}, nil
	case results[0].Status.Conflict():
		return e.readVerdict(ctx, o)
	default:
		return verdict{}, wrap("approve the order", &ledger.TransferError{ID: e.verdictID(o.ID), Status: results[0].Status})
	}
}

// voidUnapproved refuses and voids an order without a verdict. done is false if there is a verdict, or if the
// order is closed already.
func (e *Engine) voidUnapproved(ctx context.Context, o *Order) (done bool, err error) {
	row := e.verdictRow(o, verdictRefused)
	row.Flags = ledger.TransferLinked
	results, err := e.ledger.CreateTransfers(ctx, []ledger.Transfer{row, {
		ID: e.refusedVoidID(o.ID), PendingID: o.ID, Flags: ledger.TransferVoidPending,
	}})
	if err != nil {
		return false, wrap("give the order back", err)
	}
	chain := ledger.ChainOutcome(results)
	switch {
	case chain.Outcome.Done():
		return true, nil
	case isResolved(chain):
		return false, nil
	default:
		return false, wrap("give the order back", &ledger.TransferError{ID: row.ID, Status: chain.Status})
	}
}

// Approve releases an order that waits for an operator ([PayoutLimit.ApproveAbove], [ErrAwaitsApproval]): the
// Engine that owns the order gives it to the [Settler] within [Config.SweepInterval]. It may be called from any
// process, and repeated. An order that should not be paid is given back with [Engine.Cancel].
//
// The errors are *[OrderError]: [ErrNoOrder] if the account has no such open order, [ErrNotAwaitingApproval] if
// the order needs no approval, or the error of a request. [ErrEngineClosed] is returned after [Engine.Close].
func (e *Engine) Approve(ctx context.Context, account accounts.PeerAccount, order ledger.ID) (Order, error) {
	if !e.acquireCall() {
		return Order{}, ErrEngineClosed
	}
	defer e.wg.Done()
	o, err := e.approveOrder(ctx, account, order)
	if err != nil {
		return Order{}, &OrderError{Account: account, Order: Order{ID: order, Account: account}, Err: err}
	}
	e.tracker.allowNow(account)
	e.Enqueue([]accounts.PeerAccount{account})
	return o, nil
}

func (e *Engine) approveOrder(ctx context.Context, a accounts.PeerAccount, id ledger.ID) (Order, error) {
	if err := e.checkPeer("approve", a); err != nil {
		return Order{}, err
	}
	latest, err := e.readLatestOrder(ctx, a)
	switch {
	case err != nil:
		return Order{}, err
	case !latest.open || latest.ID != id:
		return Order{}, ErrNoOrder
	case latest.tag.needs() != needsOperator:
		return Order{}, ErrNotAwaitingApproval
	}
	v, err := e.recordApproval(ctx, &latest.Order)
	if err == nil && v.value != verdictApproved { // cancelled after the read
		err = ErrNoOrder
	}
	return latest.Order, err
}

// checkRailCall decides whether the rail may be asked for an order that this Engine has not asked for yet.
// neverAsked means that no Engine at all has asked: this Engine placed the order and has held it since. done means
// that the order is not paid in this step.
func (e *Engine) checkRailCall(ctx context.Context, visit *accountVisit, o Order, v verdict, neverAsked bool) (t stepResult, done bool, err error) {
	if o.tag.needs() == needsNobody {
		paused := e.activePause(o.Account, o.rail)
		switch {
		case paused == nil:
			return stepResult{}, false, nil
		case neverAsked:
			t, err := e.voidUnpaid(ctx, visit, o, paused)
			return t, true, err
		case paused.Pause.Since.After(o.PlacedAt): // a rail may already have the order
			return stepResult{}, false, nil
		default:
			t, err := e.keepWaiting(visit, o, paused)
			return t, true, err
		}
	}
	switch v.value {
	case verdictRefused: // the order is void
		visit.state.setClosed()
		return stepResult{repeat: true}, true, nil
	case verdictApproved:
		return e.checkApprovedRailCall(visit, o, v, neverAsked)
	default:
		return e.decideVerdict(ctx, visit, o, neverAsked)
	}
}

// checkApprovedRailCall is checkRailCall for an approved order.
func (e *Engine) checkApprovedRailCall(visit *accountVisit, o Order, v verdict, neverAsked bool) (t stepResult, done bool, err error) {
	paused := e.activePause(o.Account, o.rail)
	if paused != nil && (neverAsked || !paused.Pause.Since.After(v.recordedAt)) {
		t, err := e.keepWaiting(visit, o, paused)
		return t, true, err
	}
	if o.tag.needs() == needsOperator && visit.state.clearAwaiting(o) {
		e.cfg.Events.Approved(o)
	}
	return stepResult{}, false, nil
}

// waitReason returns why no rail gets an order for now; nil if a rail may have the order or will get it.
func (e *Engine) waitReason(o *Order, v verdict) error {
	since := o.PlacedAt
	switch o.tag.needs() {
	case needsOperator, needsEngine:
		if v.value != verdictApproved {
			if o.tag.needs() == needsOperator {
				return ErrAwaitsApproval
			}
			return nil // the owner is about to approve it
		}
		since = v.recordedAt
	}
	if paused := e.activePause(o.Account, o.rail); paused != nil && !paused.Pause.Since.After(since) {
		return paused
	}
	return nil
}

// decideVerdict settles an order without a verdict. No rail can have such an order.
func (e *Engine) decideVerdict(ctx context.Context, visit *accountVisit, o Order, neverAsked bool) (t stepResult, done bool, err error) {
	exceeded, err := e.findExceededLimit(ctx, &o)
	if err != nil {
		return stepResult{}, true, e.reportFailure(visit, o, err)
	}
	paused := e.activePause(o.Account, o.rail)
	switch byOperator := o.tag.needs() == needsOperator; {
	case exceeded != nil:
		t, err := e.voidWithReason(ctx, visit, o, exceeded)
		return t, true, err
	case paused != nil && !byOperator:
		t, err := e.voidWithReason(ctx, visit, o, paused)
		return t, true, err
	case byOperator:
		if visit.state.markAwaiting(o) {
			e.cfg.Events.AwaitsApproval(o)
		}
		t, err := e.keepWaiting(visit, o, ErrAwaitsApproval)
		return t, true, err
	}
	v, err := e.recordApproval(ctx, &o)
	if err != nil {
		return stepResult{}, true, e.reportFailure(visit, o, err)
	}
	if v.value == 0 {
		return stepResult{}, true, e.reportFailure(visit, o, errors.New("approve the order: its verdict is not found"))
	}
	return e.checkRailCall(ctx, visit, o, v, neverAsked)
}

// voidWithReason voids an order without a verdict, and reports the reason.
func (e *Engine) voidWithReason(ctx context.Context, visit *accountVisit, o Order, reason error) (stepResult, error) {
	done, err := e.voidUnapproved(ctx, &o)
	if err != nil {
		return stepResult{}, e.reportFailure(visit, o, err)
	}
	if !done {
		visit.state.setClosed()
		return stepResult{repeat: true}, nil
	}
	e.finishVoided(visit, o, reason)
	return e.keepWaiting(visit, o, reason)
}

// keepWaiting leaves an account alone until the next sweep. The reason is no failure.
func (e *Engine) keepWaiting(visit *accountVisit, o Order, reason error) (stepResult, error) {
	e.recordStillOpen(visit, reason)
	return stepResult{notBefore: e.cfg.Clock().Add(e.cfg.SweepInterval)}, &OrderError{Account: o.Account, Order: o, Err: reason}
}
