package settlement

import (
	"context"
	"errors"
	"time"

	"github.com/peerledger/peerledger/accounts"
)

// loop looks at the accounts that were touched, at those whose wait is over, and
// now and then at all.
func (e *Engine) loop() {
	sweep := time.NewTicker(e.cfg.SweepInterval)
	defer sweep.Stop()
	wait := time.NewTimer(0)
	defer wait.Stop()
	var looked time.Time // when balances were last looked at
	for {
		select {
		case <-e.stop:
			return
		case <-e.wake:
		case <-wait.C:
		case <-sweep.C:
			e.register.lookAtAll()
			e.refreshActivePauses(e.life)
		}
		// What is touched meanwhile is in the same look-up.
		if !e.pause(e.cfg.CheckCooldown - time.Since(looked)) {
			return
		}
		if e.round(e.life) {
			looked = time.Now()
		}
		if next := e.register.next(); next.IsZero() {
			wait.Stop()
		} else {
			wait.Reset(next.Sub(e.cfg.Clock()))
		}
	}
}

// pause waits; false if the Engine stops.
func (e *Engine) pause(d time.Duration) bool {
	if d <= 0 {
		return !e.stopping()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-e.stop:
		return false
	case <-timer.C:
		return true
	}
}

// round starts a visit to each account that has something to settle. It does not
// wait for them: a slow rail holds up others only when Rail.Concurrency of its
// accounts are being settled. It returns false if there was nothing to look at.
func (e *Engine) round(ctx context.Context) bool {
	ready := e.register.take(e.cfg.Clock())
	if len(ready) == 0 {
		return false
	}
	due, err := e.due(ctx, ready)
	if err != nil {
		e.cfg.Events.Failed(err)
	}
	for _, a := range e.notPaused(due) {
		if v, _ := e.register.enter(a); v != nil {
			e.work.Go(func() { _, _ = e.settle(ctx, v, e.nextRound) })
		} else {
			// Check is there; the end of its visit wakes the loop.
			e.register.look([]accounts.PeerAccount{a})
		}
	}
	return true
}

// due picks the accounts that have an open order or should get one, with one
// look-up for all. Accounts that the ledger does not know are forgotten and
// reported; if the look-up fails, all are left for later.
func (e *Engine) due(ctx context.Context, list []accounts.PeerAccount) ([]accounts.PeerAccount, error) {
	balances, err := e.balances(ctx, list)
	err = errors.Join(err, e.collectAll(ctx, balances))
	now := e.cfg.Clock()
	var due []accounts.PeerAccount
	for _, b := range balances {
		e.alert(b)
		if !e.settles() {
			continue
		}
		if e.isDue(b, now) {
			due = append(due, b.Account)
		}
	}
	if failed := e.refreshPauses(ctx, due); failed != nil {
		if ctx.Err() == nil { // else it is the caller that gave up
			e.register.failed(due, now)
		}
		return nil, errors.Join(err, failed)
	}
	return due, err
}

// notPaused leaves out accounts whose rail is paused, until the next sweep, but for those with an
// open order: a rail may have that.
func (e *Engine) notPaused(due []accounts.PeerAccount) (ready []accounts.PeerAccount) {
	var paused []accounts.PeerAccount
	for _, a := range due {
		rail := e.railOf(a)
		if rail != nil && !e.register.hasOrder(a) && e.activePause(a, rail.tag) != nil {
			paused = append(paused, a)
		} else {
			ready = append(ready, a)
		}
	}
	e.register.leaveUntil(paused, e.cfg.Clock().Add(e.cfg.SweepInterval))
	return ready
}

// isDue decides, as well as it can be known from the balance alone, whether an account
// needs a visit. Where reading the peer's payments would tell more, the most that can be owed
// decides whether they are read.
func (e *Engine) isDue(b accounts.Balance, now time.Time) bool {
	k := e.see(b, now)
	if k.refund && b.PrepaidSettled() && b.Prepaid.IsZero() {
		e.register.forgetRefund(b.Account) // packets have used it
		k.refund = false
	}
	switch {
	case k.own != nil:
		return true
	case !b.Settling.IsZero(): // another engine has ordered
		e.register.setHead(b.Account, nil)
		return !now.Before(k.foreign)
	}
	switch {
	case !b.PrepaidSettled() && k.refund:
		return true
	case !b.PrepaidSettled():
		b = b.IfNothingPrepaid()
	}
	s := e.standing(b, &k, now)
	d := e.demand(s, &k)
	due := !d.payableFrom(b).IsZero()
	if s.Urgent && !due {
		e.register.relieve(b.Account) // there is nothing to pay
	}
	if err := neverPayable(b, d); e.register.tellNoLine(b.Account, err != nil) {
		e.cfg.Events.Failed(&OrderError{Account: b.Account, Err: err})
	}
	return due
}

// alert tells of marks that the position has passed.
func (e *Engine) alert(b accounts.Balance) {
	m := e.cfg.PositionThresholds.For(b.Account.Peer(), b.Asset)
	if m == (PositionThresholds{}) {
		return
	}
	var alerts []PositionAlert
	e.register.learn(b.Account, func(k *known) { alerts = k.passed.see(m, b) })
	for _, a := range alerts {
		e.cfg.Events.PositionAlert(a)
	}
}

func (e *Engine) balances(ctx context.Context, list []accounts.PeerAccount) ([]accounts.Balance, error) {
	balances, err := e.book.LookUpBalances(ctx, list...)
	switch {
	case err == nil:
		return balances, nil
	case !unknownAccount(err):
		if ctx.Err() == nil { // else it is the caller that gave up
			e.register.failed(list, e.cfg.Clock())
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
		case unknownAccount(err):
			e.register.forget(a)
		default:
			e.register.failed([]accounts.PeerAccount{a}, e.cfg.Clock())
		}
		errs = append(errs, &OrderError{Account: a, Err: err})
	}
	return balances, errors.Join(errs...)
}

func unknownAccount(err error) bool {
	return errors.Is(err, accounts.ErrNotProvisioned) || errors.Is(err, accounts.ErrUnknownAsset)
}
