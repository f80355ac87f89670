package settlement

import (
	"context"
	"errors"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// An order that needs somebody's word (orderTag.needs) is given to no rail before the word is in
// the ledger: a row without an amount, whose id follows from the order. The word that the order
// will never be paid has the same id and is linked to the order's void, so one of the two is
// given, once, whichever engine or operator comes first. Nobody can void such an order on the
// word of a limit while another engine gives it to a rail.

// The words, in the user_data_32 of a row of CodeApproval.
const (
	verdictApproved = 1
	verdictRefused  = 2
)

// verdict is what was said of an order.
type verdict struct {
	value      uint32 // 0: nothing yet
	recordedAt time.Time
}

func (e *Engine) verdictID(order ledger.ID) ledger.ID {
	return e.ns.Derive("approval", chart.ID(order))
}

// verdictRow is a pure function of the order and what is said: whoever says the same writes the same.
func (e *Engine) verdictRow(o *Order, value uint32) ledger.Transfer {
	assetIDs, _ := e.book.AssetIDs(o.Account.Ledger())
	return ledger.Transfer{
		ID: e.verdictID(o.ID), DebitAccountID: e.book.PeerIDs(o.Account).Settlement, CreditAccountID: assetIDs.Control,
		UserData64: uint64(o.tag), UserData32: value, Ledger: o.Account.Ledger(), Code: chart.CodeApproval,
	}
}

// readVerdict reads what was said of an order, and which pauses hold for it.
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

// recordApproval says that an order may be paid. It returns what is said, which may be the contrary.
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

// voidUnapproved voids an order of which nothing was said. done is false if something was, or if it is
// closed already.
func (e *Engine) voidUnapproved(ctx context.Context, o *Order) (done bool, err error) {
	row := e.verdictRow(o, verdictRefused)
	row.Flags = ledger.TransferLinked
	results, err := e.ledger.CreateTransfers(ctx, []ledger.Transfer{row, {
		ID: e.ns.Derive("refused", chart.ID(o.ID)), PendingID: o.ID, Flags: ledger.TransferVoidPending,
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

// Approve lets an order be paid that waits for an operator (Limit.ApproveAbove, ErrAwaitsApproval): the
// engine that it belongs to gives it to its Settler within Config.SweepInterval. It may be called from
// any process, and repeated. An order that is not to be paid is given back with Cancel.
//
// Errors are *OrderErrors: ErrNoOrder if the account has no such open order, ErrNotAwaitingApproval if it
// needs no approval, or the error of a request. ErrEngineClosed after Close.
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
	if err == nil && v.value != verdictApproved { // it was cancelled meanwhile
		err = ErrNoOrder
	}
	return latest.Order, err
}

// checkRailCall decides whether the rail may be asked for an order that this Engine has not asked it for.
// neverAsked says that nobody else has either: we placed the order, and nobody has taken it over.
// done says that it is not to be paid now.
func (e *Engine) checkRailCall(ctx context.Context, visit *accountVisit, o Order, v verdict, neverAsked bool) (t stepResult, done bool, err error) {
	if o.tag.needs() == needsNobody {
		paused := e.activePause(o.Account, o.rail)
		switch {
		case paused == nil:
			return stepResult{}, false, nil
		case neverAsked:
			t, err := e.voidUnpaid(ctx, visit, o, paused)
			return t, true, err
		case paused.Pause.Since.After(o.PlacedAt): // a rail may have it
			return stepResult{}, false, nil
		default:
			t, err := e.keepWaiting(visit, o, paused)
			return t, true, err
		}
	}
	switch v.value {
	case verdictRefused: // and void, by somebody else
		visit.state.setClosed()
		return stepResult{repeat: true}, true, nil
	case verdictApproved:
		return e.checkApprovedRailCall(visit, o, v, neverAsked)
	default:
		return e.decideVerdict(ctx, visit, o, neverAsked)
	}
}

// checkApprovedRailCall is checkRailCall for an order that was approved.
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

// waitReason is why an order is given to no rail for now; nil if one may have it, or get it.
func (e *Engine) waitReason(o *Order, v verdict) error {
	since := o.PlacedAt
	switch o.tag.needs() {
	case needsOperator, needsEngine:
		if v.value != verdictApproved {
			if o.tag.needs() == needsOperator {
				return ErrAwaitsApproval
			}
			return nil // its engine is about to say it
		}
		since = v.recordedAt
	}
	if paused := e.activePause(o.Account, o.rail); paused != nil && !paused.Pause.Since.After(since) {
		return paused
	}
	return nil
}

// decideVerdict says what becomes of an order of which nothing was said, so that no rail has it.
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
		return stepResult{}, true, e.reportFailure(visit, o, errors.New("approve the order: its word is not found"))
	}
	return e.checkRailCall(ctx, visit, o, v, neverAsked)
}

// voidWithReason gives an order back that nobody has approved, and says why.
func (e *Engine) voidWithReason(ctx context.Context, visit *accountVisit, o Order, reason error) (stepResult, error) {
	done, err := e.voidUnapproved(ctx, &o)
	if err != nil {
		return stepResult{}, e.reportFailure(visit, o, err)
	}
	visit.state.setClosed()
	if !done {
		return stepResult{repeat: true}, nil
	}
	e.cfg.Events.Voided(o, reason)
	return e.keepWaiting(visit, o, reason)
}

// keepWaiting leaves an account alone until the next sweep, for a reason that is no failure.
func (e *Engine) keepWaiting(visit *accountVisit, o Order, reason error) (stepResult, error) {
	e.recordStillOpen(visit, reason)
	return stepResult{notBefore: e.cfg.Clock().Add(e.cfg.SweepInterval)}, &OrderError{Account: o.Account, Order: o, Err: reason}
}
