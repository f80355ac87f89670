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
// at once and then works on several accounts at a time ([Rail.Concurrency]). An account is left alone
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
	due, err := e.selectDue(ctx, list)
	payments := make([][]Payment, len(due))
	errs := make([]error, len(due))
	var visits sync.WaitGroup
	for i, a := range due {
		// The error that stays if a Settler ends the goroutine (runtime.Goexit).
		errs[i] = &OrderError{Account: a, Err: ErrPanic}
		visits.Go(func() { payments[i], errs[i] = e.settleAccount(ctx, a) })
	}
	visits.Wait()
	return slices.Concat(payments...), errors.Join(append(errs, err)...)
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

// settleAccount settles with one account, after a visit that is under way.
func (e *Engine) settleAccount(ctx context.Context, a accounts.PeerAccount) ([]Payment, error) {
	visit, err := e.waitForVisit(ctx, a)
	if err != nil {
		return nil, &OrderError{Account: a, Err: err}
	}
	return e.runVisit(ctx, visit, e.isStillDue)
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
// more decides whether the visit goes on with the next order.
func (e *Engine) runVisit(
	ctx context.Context, visit *accountVisit, more func(context.Context, accounts.PeerAccount) bool,
) (payments []Payment, err error) {
	// A visit counts as failed if a Settler ends the goroutine (runtime.Goexit).
	last, failed := stepResult{}, true
	defer func() {
		e.tracker.scheduleNext(visit.account, failed, e.cfg.Clock(), last)
		e.tracker.endVisit(visit)
		e.wakeLoop()
	}()
	slots := e.noRailSlots
	if r := e.railOf(visit.account); r != nil {
		slots = r.slots
	}
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	case <-e.stopCh:
		return nil, ErrEngineClosed
	case <-ctx.Done():
		return nil, &OrderError{Account: visit.account, Err: ctx.Err()}
	}
	if e.isStopping() {
		return nil, ErrEngineClosed
	}
	for repeat := true; repeat && !e.isStopping(); {
		last, err = e.runStep(ctx, visit)
		visit.publishState()
		repeat = last.repeat
		if !last.payment.Paid.IsZero() {
			payments = append(payments, last.payment)
			repeat = repeat && more(ctx, visit.account)
		}
	}
	// No backoff is needed if the account waits anyway, or if the caller gave up.
	failed = err != nil && last.notBefore.IsZero() && ctx.Err() == nil
	return payments, err
}

// leaveToLoop ends a visit after a payment: the loop's next look-up, for all accounts, decides about
// the next payment.
func (e *Engine) leaveToLoop(_ context.Context, a accounts.PeerAccount) bool {
	e.tracker.markTouched([]accounts.PeerAccount{a})
	return false
}

// isStillDue looks up after a payment whether more is due, which costs less than a step. If the
// look-up fails, the next step decides.
func (e *Engine) isStillDue(ctx context.Context, a accounts.PeerAccount) bool {
	b, err := e.book.LookUpBalances(ctx, a)
	return err != nil || e.isDue(b[0], e.cfg.Clock())
}
