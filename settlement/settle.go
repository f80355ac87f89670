package settlement

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/peerledger/peerledger/accounts"
)

// Settle settles with these accounts now, or with all that were ever touched if
// none are given, until none of them is due or nothing more can be done: open
// orders of this Instance are resumed without minding the backoff, and new ones
// placed and paid one after another. It looks all balances up at once and then
// works on several accounts at a time (Rail.Concurrency). Orders of other
// instances that are not silent, and accounts whose last order was voided less than
// Config.OrderCooldown ago, are left alone without an error.
//
// It returns what was paid, and the joined errors of the accounts where something
// went wrong, each an *OrderError; the error of the request if the balances could
// not be looked up; ErrEngineClosed after Close. When ctx ends, so does the context of
// the Settlers: their orders stay open, and it is safe to check again.
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
		// What stands if a Settler ends the goroutine (runtime.Goexit).
		errs[i] = &OrderError{Account: a, Err: ErrPanic}
		visits.Go(func() { payments[i], errs[i] = e.settleOne(ctx, a) })
	}
	visits.Wait()
	return slices.Concat(payments...), errors.Join(append(errs, err)...)
}

// SettleNow is Check without waiting for the policies: they are asked as pressed
// (Standing.Urgent), and those of this package then pay whatever is owed above their
// SettleTo. An account without a policy is not paid. With no accounts it settles with
// nobody.
func (e *Engine) SettleNow(ctx context.Context, list ...accounts.PeerAccount) ([]Payment, error) {
	if len(list) == 0 {
		return nil, nil
	}
	for _, a := range list {
		e.tracker.setUrgent(a, urgencyByOperator)
	}
	return e.Settle(ctx, list...)
}

// settleOne settles with one account, after whoever is at it.
func (e *Engine) settleOne(ctx context.Context, a accounts.PeerAccount) ([]Payment, error) {
	v, err := e.beginVisit(ctx, a)
	if err != nil {
		return nil, &OrderError{Account: a, Err: err}
	}
	return e.runVisit(ctx, v, e.isStillDue)
}

// beginVisit begins a visit, after the one that is under way.
func (e *Engine) beginVisit(ctx context.Context, a accounts.PeerAccount) (*visit, error) {
	for {
		mine, busy := e.tracker.beginVisit(a)
		if mine != nil {
			return mine, nil
		}
		select {
		case <-busy.ended:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// runVisit takes an account through as many orders as it needs, and ends the visit. After a
// payment, more tells whether there should be another one at once.
func (e *Engine) runVisit(
	ctx context.Context, v *visit, more func(context.Context, accounts.PeerAccount) bool,
) (payments []Payment, err error) {
	// What a Settler that ends the goroutine (runtime.Goexit) leaves behind: a
	// failed visit.
	last, failed := stepResult{}, true
	defer func() {
		e.tracker.endVisit(v, failed, e.cfg.Clock(), last)
		e.wakeLoop()
	}()
	slots := e.noRailSlots
	if r := e.railOf(v.account); r != nil {
		slots = r.slots
	}
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	case <-e.stopCh:
		return nil, ErrEngineClosed
	case <-ctx.Done():
		return nil, &OrderError{Account: v.account, Err: ctx.Err()}
	}
	if e.isStopping() {
		return nil, ErrEngineClosed
	}
	for again := true; again && !e.isStopping(); {
		last, err = e.runStep(ctx, v.account)
		again = last.repeat
		if !last.payment.Paid.IsZero() {
			payments = append(payments, last.payment)
			again = again && more(ctx, v.account)
		}
	}
	// An account that has to wait anyway needs no backoff, nor does one whose
	// caller gave up.
	failed = err != nil && last.notBefore.IsZero() && ctx.Err() == nil
	return payments, err
}

// leaveToLoop leaves it to the next look-up, which is for all accounts, whether there should be
// another payment.
func (e *Engine) leaveToLoop(_ context.Context, a accounts.PeerAccount) bool {
	e.tracker.markTouched([]accounts.PeerAccount{a})
	return false
}

// isStillDue looks, after a payment, whether there should be another one. It is cheaper than
// a step; if the look-up fails, the next step tells.
func (e *Engine) isStillDue(ctx context.Context, a accounts.PeerAccount) bool {
	b, err := e.book.LookUpBalances(ctx, a)
	return err != nil || e.isDue(b[0], e.cfg.Clock())
}
