package settlement

import (
	"context"
	"errors"
	"time"

	"github.com/peerledger/peerledger/accounts"
)

// runLoop starts visits to accounts touched by packets, to accounts at the end of a wait, and every
// [Config.SweepInterval] to all accounts.
func (e *Engine) runLoop() {
	sweep := time.NewTicker(e.cfg.SweepInterval)
	defer sweep.Stop()
	wait := time.NewTimer(0)
	defer wait.Stop()
	var checkedAt time.Time // when balances were last looked up
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
		// Accounts touched during the cooldown are in the same look-up.
		if !e.waitUnlessStopped(e.cfg.CheckCooldown - time.Since(checkedAt)) {
			return
		}
		if e.startVisits(e.ctx) {
			checkedAt = time.Now()
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

// startVisits starts a visit to each ready account with something to settle, and does not wait for the
// visits: a slow rail holds up accounts of its own only, and only once [Rail.Concurrency] of them are
// being settled. startVisits returns false if no account was ready.
func (e *Engine) startVisits(ctx context.Context) bool {
	ready := e.tracker.takeReady(e.cfg.Clock())
	if len(ready) == 0 {
		return false
	}
	due, err := e.selectDue(ctx, ready)
	if err != nil {
		e.cfg.Events.Failed(err)
	}
	var begun []queuedVisit
	for _, d := range e.excludePaused(due) {
		a := d.account
		// After a payment the loop's next look-up, for all accounts, decides about the next payment.
		leaveToLoop := func(stepResult) bool {
			e.tracker.markTouched([]accounts.PeerAccount{a})
			return false
		}
		if visit, _ := e.tracker.beginVisit(a); visit != nil {
			visit.scanned = d.scanned
			begun = append(begun, queuedVisit{visit, func() { _, _, _ = e.runVisit(ctx, visit, leaveToLoop) }})
		} else {
			// A visit of Settle has begun since; its end wakes the loop.
			e.tracker.markTouched([]accounts.PeerAccount{a})
		}
	}
	e.startVisitQueues(ctx, begun, &e.wg)
	return true
}

// selectDue returns the accounts with an open order or an order due, with one look-up for all.
// Accounts unknown to the ledger are reported and forgotten. If the look-up fails, all accounts are
// left for later.
func (e *Engine) selectDue(ctx context.Context, list []accounts.PeerAccount) ([]dueAccount, error) {
	began, urgencies := time.Now(), e.tracker.countUrgencies()
	balances, err := e.readBalances(ctx, list)
	err = errors.Join(err, e.collectArrears(ctx, balances))
	now := e.cfg.Clock()
	var due []dueAccount
	for i := range balances {
		b := &balances[i]
		e.reportAlerts(b)
		if e.hasRails() && e.isDue(*b, now, urgencies) {
			due = append(due, dueAccount{b.Account, scannedBalance{balance: b, began: began, urgencies: urgencies}})
		}
	}
	if pauseErr := e.refreshPauses(ctx, due); pauseErr != nil {
		if ctx.Err() == nil { // else the caller gave up
			e.tracker.backOffAll(accountsOf(due), now)
		}
		return nil, errors.Join(err, pauseErr)
	}
	return due, err
}

// excludePaused leaves out accounts whose rail is paused, until the next sweep. Accounts with an
// open order stay in: a rail may have the order.
func (e *Engine) excludePaused(due []dueAccount) (ready []dueAccount) {
	var paused []accounts.PeerAccount
	for _, d := range due {
		rail, view := e.railOf(d.account), e.tracker.viewOf(d.account)
		if rail != nil && !view.hasOrder() && e.activePause(d.account, rail.tag) != nil {
			paused = append(paused, d.account)
		} else {
			ready = append(ready, d)
		}
	}
	e.tracker.postponeUntil(paused, e.cfg.Clock().Add(e.cfg.SweepInterval))
	return ready
}

// isDue decides by a balance alone, as far as possible, whether an account needs a visit. If the
// prepayment is not exact, the largest amount possibly owed decides: the visit then reads the peer's
// payments. urgencies is tracker.countUrgencies before the balance was read.
func (e *Engine) isDue(b accounts.Balance, now time.Time, urgencies uint64) bool {
	view := e.observeBalance(&b, now)
	if view.refundWanted && b.PrepaidSettled() && b.Prepaid.IsZero() {
		e.tracker.setRefundWanted(b.Account, false) // packets have used the prepayment
		view.refundWanted = false
	}
	switch {
	case view.openOrder != nil:
		return true
	case !b.Settling.IsZero(): // another engine has ordered
		e.tracker.markLatestStale(b.Account)
		return !now.Before(view.foreignUntil)
	}
	switch {
	case !b.PrepaidSettled() && view.refundWanted:
		return true
	case !b.PrepaidSettled():
		b = b.IfNothingPrepaid()
	}
	input := e.policyInput(e.countReserved(b, &view, now), &view, now)
	request := e.policyRequest(input, &view)
	due := !request.payableFrom(input.Balance).IsZero()
	if input.Urgent && !due {
		e.tracker.clearUrgent(b.Account, view.urgency, urgencies) // there is nothing to pay
	}
	if err := checkPrefundLine(b, request); e.tracker.markLineMissing(b.Account, err != nil) {
		e.cfg.Events.Failed(&OrderError{Account: b.Account, Err: err})
	}
	return due
}

// reportAlerts reports position thresholds that a balance has crossed.
func (e *Engine) reportAlerts(b *accounts.Balance) {
	thresholds := e.cfg.PositionThresholds.For(b.Account.Peer(), b.Asset)
	if thresholds == (PositionThresholds{}) {
		return
	}
	var alerts []PositionAlert
	e.tracker.updateView(b.Account, func(v *accountView) { alerts = v.crossed.updateCrossed(thresholds, *b) })
	for _, alert := range alerts {
		e.cfg.Events.PositionAlert(alert)
	}
}

// readBalances looks up all accounts at once, or one by one if an account is unknown to the ledger:
// an unknown account must not keep the rest from being settled.
func (e *Engine) readBalances(ctx context.Context, list []accounts.PeerAccount) ([]accounts.Balance, error) {
	balances, err := e.book.LookUpBalances(ctx, list...)
	switch {
	case err == nil:
		return balances, nil
	case !isUnknownAccount(err):
		if ctx.Err() == nil { // else the caller gave up
			e.tracker.backOffAll(list, e.cfg.Clock())
		}
		return nil, wrap("look up balances", err)
	}
	var errs []error
	for _, a := range list {
		found, err := e.book.LookUpBalances(ctx, a)
		switch {
		case err == nil:
			balances = append(balances, found...)
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
