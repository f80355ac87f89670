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
	sweep := time.NewTicker(e.cfg.Sweep)
	defer sweep.Stop()
	wait := time.NewTimer(0)
	defer wait.Stop()
	for {
		select {
		case <-e.stop:
			return
		case <-e.wake:
		case <-wait.C:
		case <-sweep.C:
			e.register.touchAll()
		}
		e.round(e.life)
		if next := e.register.next(); next.IsZero() {
			wait.Stop()
		} else {
			wait.Reset(next.Sub(e.cfg.Clock()))
		}
	}
}

// round starts a visit to each account that has something to settle. It does not
// wait for them: a slow rail holds up others only when Config.Concurrency of its
// accounts are being settled.
func (e *Engine) round(ctx context.Context) {
	ready := e.register.take(e.cfg.Clock())
	due, err := e.due(ctx, ready)
	if err != nil {
		e.cfg.Hooks.Failed(err)
	}
	for _, a := range due {
		if v, _ := e.register.enter(a); v != nil {
			e.work.Go(func() { _, _ = e.settle(ctx, v) })
		} else {
			// Check is there; the end of its visit wakes the loop.
			e.register.touch([]accounts.Account{a})
		}
	}
}

// due picks the accounts that have an open order or should get one, with one
// look-up for all. Accounts that the ledger does not know are forgotten and
// reported; if the look-up fails, all are left for later.
func (e *Engine) due(ctx context.Context, list []accounts.Account) ([]accounts.Account, error) {
	balances, err := e.balances(ctx, list)
	var due []accounts.Account
	for _, b := range balances {
		if !b.Settling.IsZero() || e.register.isOpen(b.Account) || !e.demand(b).payable(b).IsZero() {
			due = append(due, b.Account)
		}
	}
	return due, err
}

func (e *Engine) balances(ctx context.Context, list []accounts.Account) ([]accounts.Balance, error) {
	balances, err := e.book.Balances(ctx, list...)
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
		b, err := e.book.Balance(ctx, a)
		switch {
		case err == nil:
			balances = append(balances, b)
			continue
		case unknownAccount(err):
			e.register.forget(a)
		default:
			e.register.failed([]accounts.Account{a}, e.cfg.Clock())
		}
		errs = append(errs, &OrderError{Account: a, Err: err})
	}
	return balances, errors.Join(errs...)
}

func unknownAccount(err error) bool {
	return errors.Is(err, accounts.ErrNotProvisioned) || errors.Is(err, accounts.ErrUnknownAsset)
}
