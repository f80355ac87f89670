package settlement

import (
	"context"
	"errors"
	"time"

	"github.com/peerledger/peerledger/accounts"
)

// runLoop looks at the accounts that were touched, at those whose wait is over, and
// now and then at all.
func (e *Engine) runLoop() {
	sweep := time.NewTicker(e.cfg.SweepInterval)
	defer sweep.Stop()
	wait := time.NewTimer(0)
	defer wait.Stop()
	var looked time.Time // when balances were last looked at
	for {
		select {
		case <-e.stopCh:
			return
		case <-e.wakeCh:
		case <-wait.C:
		case <-sweep.C:
			e.tracker.markAll()
			e.refreshActivePauses(e.ctx)
		}
		// What is touched meanwhile is in the same look-up.
		if !e.waitUnlessStopped(e.cfg.CheckCooldown - time.Since(looked)) {
			return
		}
		if e.startVisits(e.ctx) {
			looked = time.Now()
		}
		if next := e.tracker.nextWakeup(); next.IsZero() {
			wait.Stop()
		} else {
			wait.Reset(next.Sub(e.cfg.Clock()))
		}
	}
}

// waitUnlessStopped waits; false if the Engine stops.
func (e *Engine) waitUnlessStopped(d time.Duration) bool {
	if d <= 0 {
		return !e.isStopping()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-e.stopCh:
		return false
	case <-timer.C:
		return true
	}
}

// startVisits starts a visit to each account that has something to settle. It does not
// wait for them: a slow rail holds up others only when Rail.Concurrency of its
// accounts are being settled. It returns false if there was nothing to look at.
func (e *Engine) startVisits(ctx context.Context) bool {
	ready := e.tracker.takeReady(e.cfg.Clock())
	if len(ready) == 0 {
		return false
	}
	due, err := e.selectDue(ctx, ready)
	if err != nil {
		e.cfg.Events.Failed(err)
	}
	for _, a := range e.excludePaused(due) {
		if v, _ := e.tracker.beginVisit(a); v != nil {
			e.wg.Go(func() { _, _ = e.runVisit(ctx, v, e.leaveToLoop) })
		} else {
			// Check is there; the end of its visit wakes the loop.
			e.tracker.markTouched([]accounts.PeerAccount{a})
		}
	}
	return true
}

// selectDue picks the accounts that have an open order or should get one, with one
// look-up for all. Accounts that the ledger does not know are forgotten and
// reported; if the look-up fails, all are left for later.
func (e *Engine) selectDue(ctx context.Context, list []accounts.PeerAccount) ([]accounts.PeerAccount, error) {
	balances, err := e.readBalances(ctx, list)
	err = errors.Join(err, e.collectArrears(ctx, balances))
	now := e.cfg.Clock()
	var due []accounts.PeerAccount
	for _, b := range balances {
		e.reportAlerts(b)
		if !e.hasRails() {
			continue
		}
		if e.isDue(b, now) {
			due = append(due, b.Account)
		}
	}
	if failed := e.refreshPauses(ctx, due); failed != nil {
		if ctx.Err() == nil { // else it is the caller that gave up
			e.tracker.backOffAll(due, now)
		}
		return nil, errors.Join(err, failed)
	}
	return due, err
}

// excludePaused leaves out accounts whose rail is paused, until the next sweep, but for those with an
// open order: a rail may have that.
func (e *Engine) excludePaused(due []accounts.PeerAccount) (ready []accounts.PeerAccount) {
	var paused []accounts.PeerAccount
	for _, a := range due {
		rail := e.railOf(a)
		if rail != nil && !e.tracker.hasOrder(a) && e.activePause(a, rail.tag) != nil {
			paused = append(paused, a)
		} else {
			ready = append(ready, a)
		}
	}
	e.tracker.postponeUntil(paused, e.cfg.Clock().Add(e.cfg.SweepInterval))
	return ready
}

// isDue decides, as well as it can be known from the balance alone, whether an account
// needs a visit. Where reading the peer's payments would tell more, the most that can be owed
// decides whether they are read.
func (e *Engine) isDue(b accounts.Balance, now time.Time) bool {
	k := e.observeBalance(b, now)
	if k.refundWanted && b.PrepaidSettled() && b.Prepaid.IsZero() {
		e.tracker.forgetRefund(b.Account) // packets have used it
		k.refundWanted = false
	}
	switch {
	case k.openOrder != nil:
		return true
	case !b.Settling.IsZero(): // another engine has ordered
		e.tracker.setLatest(b.Account, nil)
		return !now.Before(k.foreignUntil)
	}
	switch {
	case !b.PrepaidSettled() && k.refundWanted:
		return true
	case !b.PrepaidSettled():
		b = b.IfNothingPrepaid()
	}
	s := e.policyInput(b, &k, now)
	d := e.policyRequest(s, &k)
	due := !d.payableFrom(b).IsZero()
	if s.Urgent && !due {
		e.tracker.clearUrgent(b.Account) // there is nothing to pay
	}
	if err := checkPrefundLine(b, d); e.tracker.markLineMissing(b.Account, err != nil) {
		e.cfg.Events.Failed(&OrderError{Account: b.Account, Err: err})
	}
	return due
}

// reportAlerts tells of marks that the position has passed.
func (e *Engine) reportAlerts(b accounts.Balance) {
	m := e.cfg.PositionThresholds.For(b.Account.Peer(), b.Asset)
	if m == (PositionThresholds{}) {
		return
	}
	var alerts []PositionAlert
	e.tracker.updateState(b.Account, func(k *accountState) { alerts = k.passed.see(m, b) })
	for _, a := range alerts {
		e.cfg.Events.PositionAlert(a)
	}
}

func (e *Engine) readBalances(ctx context.Context, list []accounts.PeerAccount) ([]accounts.Balance, error) {
	balances, err := e.book.LookUpBalances(ctx, list...)
	switch {
	case err == nil:
		return balances, nil
	case !isUnknownAccount(err):
		if ctx.Err() == nil { // else it is the caller that gave up
			e.tracker.backOffAll(list, e.cfg.Clock())
		}
		return nil, wrap("look at balances", err)
	}
	// One unknown account must not keep the others from being settled.
	var errs []error
	for _, a := range list {
		one, err := e.book.LookUpBalances(ctx, a)
		switch {
		case err == nil:
			balances = append(balances, one...)
			continue
		case isUnknownAccount(err):
			e.tracker.removeAccount(a)
		default:
			e.tracker.backOffAll([]accounts.PeerAccount{a}, e.cfg.Clock())
		}
		errs = append(errs, &OrderError{Account: a, Err: err})
	}
	return balances, errors.Join(errs...)
}

func isUnknownAccount(err error) bool {
	return errors.Is(err, accounts.ErrNotProvisioned) || errors.Is(err, accounts.ErrUnknownAsset)
}
