package settlement

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/peerledger/peerledger/accounts"
)

// Settle settles with these accounts now, or with all accounts ever touched if none are given, until
// no account is due or nothing more can be done. Open orders of this Instance are resumed regardless
// of the backoff, and new orders are placed and paid one after another. Settle looks all balances up
// at once and then works on several accounts at a time ([Rail.Concurrency]). Then it looks up the
// accounts that were paid, at once too, and settles with those that are due again. An account is left alone
// without an error while another instance renews the lease of its open order, and for
// [Config.OrderCooldown] after its last order was voided.
//
// Settle returns the payments, and the joined errors of the accounts that failed, each an
// [*OrderError]; the error of the request if the balances could not be looked up;
// [ErrEngineClosed] after Close. When ctx ends, so do the contexts of the Settlers: their orders
// stay open, and it is safe to call Settle again.
func (e *Engine) Settle(ctx context.Context, list ...accounts.PeerAccount) ([]Payment, error) {
	if !e.acquireCall() {
		return nil, ErrEngineClosed
	}
	defer e.wg.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.ctx, cancel)()
	if len(list) == 0 {
		list = e.tracker.allAccounts(e.cfg.Clock())
	}
	var payments []Payment
	var errs []error
	for again := false; len(list) > 0; again = true {
		due, err := e.selectDue(ctx, list)
		if err != nil && again {
			due, err = nil, nil // their visits find out whether more is due
			for _, a := range list {
				due = append(due, dueAccount{account: a})
			}
		}
		results := e.settleAll(ctx, due)
		list = nil
		payments = slices.Grow(payments, len(results))
		for i := range results {
			payments = append(payments, results[i].payments...)
			errs = append(errs, results[i].err)
			if results[i].mayBeDue {
				list = append(list, due[i].account)
			}
		}
		errs = append(errs, err)
		if e.isStopping() {
			break
		}
	}
	return payments, errors.Join(errs...)
}

// SettleNow is [Engine.Settle] with urgent policies ([PolicyInput.Urgent]): the policies of this
// package then pay everything owed above their SettleTo. An account without a policy is not paid.
// Without accounts SettleNow settles with no peer.
func (e *Engine) SettleNow(ctx context.Context, list ...accounts.PeerAccount) ([]Payment, error) {
	if len(list) == 0 {
		return nil, nil
	}
	for _, a := range list {
		e.tracker.setUrgent(a, urgencyByOperator)
	}
	return e.Settle(ctx, list...)
}

// settleResult is the result of a visit of Settle.
type settleResult struct {
	payments []Payment
	mayBeDue bool // an order was paid, so another one may be due
	err      error
	ended    bool
}

// settleAll settles with each account, several at a time, after the visits that are under way.
func (e *Engine) settleAll(ctx context.Context, due []dueAccount) []settleResult {
	results := make([]settleResult, len(due))
	var calls sync.WaitGroup
	run := func(i int, visit *accountVisit) {
		payments, last, err := e.runVisit(ctx, visit, func(r stepResult) bool { return r.moreDue })
		results[i] = settleResult{payments, err == nil && last.repeat, err, true}
	}
	var begun []queuedVisit
	for i, d := range due {
		a := d.account
		if visit, _ := e.tracker.beginVisit(a); visit != nil {
			visit.scanned = d.scanned
			begun = append(begun, queuedVisit{visit, func() { run(i, visit) }})
			continue
		}
		calls.Go(func() {
			visit, err := e.waitForVisit(ctx, a)
			if err != nil {
				results[i] = settleResult{err: &OrderError{Account: a, Err: err}, ended: true}
				return
			}
			run(i, visit)
		})
	}
	e.startVisitQueues(ctx, begun, &calls)
	calls.Wait()
	for i := range results {
		if !results[i].ended { // a Settler has ended the goroutine (runtime.Goexit)
			results[i].err = &OrderError{Account: due[i].account, Err: ErrPanic}
		}
	}
	return results
}

// waitForVisit begins a visit, after the visit that is under way.
func (e *Engine) waitForVisit(ctx context.Context, a accounts.PeerAccount) (*accountVisit, error) {
	for {
		begun, current := e.tracker.beginVisit(a)
		if begun != nil {
			return begun, nil
		}
		select {
		case <-current.ended:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// runVisit takes an account through as many orders as are due, and ends the visit. After a payment,
// more decides by its step whether the visit goes on with the next order. last is the last step.
func (e *Engine) runVisit(
	ctx context.Context, visit *accountVisit, more func(stepResult) bool,
) (payments []Payment, last stepResult, err error) {
	failed := true // a visit counts as failed if a Settler ends the goroutine (runtime.Goexit)
	defer func() {
		e.tracker.scheduleNext(visit, failed, e.cfg.Clock(), &last)
		e.tracker.endVisit(visit)
		e.wakeLoop()
	}()
	slots := e.slotsOf(e.railOf(visit.account))
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	case <-e.stopCh:
		return nil, last, ErrEngineClosed
	case <-ctx.Done():
		return nil, last, &OrderError{Account: visit.account, Err: ctx.Err()}
	}
	if e.isStopping() {
		return nil, last, ErrEngineClosed
	}
	for repeat := true; repeat && !e.isStopping(); {
		last, err = e.runStep(ctx, visit)
		visit.publishState()
		repeat = last.repeat
		if !last.payment.Paid.IsZero() {
			payments = append(payments, last.payment)
			repeat = repeat && more(last)
		}
	}
	// No backoff is needed if the account waits anyway, or if the caller gave up.
	failed = err != nil && last.notBefore.IsZero() && ctx.Err() == nil
	return payments, last, err
}

// slotsOf returns the slots of a rail, or of the accounts without one.
func (e *Engine) slotsOf(r *railState) chan struct{} {
	if r == nil {
		return e.noRailSlots
	}
	return r.slots
}
