package settlement

import (
	"context"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// Reservations are the parts of peers' headroom that a recorder reserves for packets to come. The ledger shows
// them as held, so an order, which takes only free headroom, would have to wait for them, perhaps for ever:
// a sender in the thick of traffic has everything reserved that it earns.
//
// A transfers/aggregate.Recorder has Reservations. They are of one process: what a recorder in another process
// reserves stays held, and an order is smaller by as much.
type Reservations interface {
	// HoldBack gives reserved headroom back to the ledger, as far as no packet needs it, and returns when the
	// ledger has it. Until release is called, the reservations do not grow: prepares that need more wait, all
	// others go on. Release must not block, and is called once. HoldBack must return soon after ctx ends, and must
	// end the hold-back by itself if release is not called within some seconds.
	//
	// With an error nothing is held back, and release may be nil. HoldBack may be called concurrently.
	HoldBack(ctx context.Context, account accounts.PeerAccount) (release func(), err error)
}

// UseReservations tells the Engine to hold reservations back before an order, or a payment by hand
// ([Engine.RecordOutgoing]), that needs reserved headroom. An order waits up to 2 s for them, and then takes what is
// free. Pass the recorder of the Engine's process if that records in rounds (package transfers/aggregate), before
// the first packet. A call replaces the Reservations of an earlier one.
//
// A method, and no field of Config: the recorder is made after the Engine, whose NotifyBalances it calls.
func (e *Engine) UseReservations(r Reservations) { e.reservations.Store(&r) }

// holdBackWait is how long an order waits for reserved headroom. Then the order is for what is free.
const holdBackWait = 2 * time.Second

// countReserved returns a balance with held amounts of packets as headroom, for the look that decides about
// [Reservations.HoldBack]. The ledger does not tell reservations from packets in flight. After a hold-back that
// led to no order, the account's reservations are left alone for a while.
func (e *Engine) countReserved(b accounts.Balance, view *accountView, now time.Time) accounts.Balance {
	if e.reservations.Load() != nil && !now.Before(view.holdBackAfter) {
		b.Headroom, _ = b.Headroom.Add(b.HeldIn) // parts of the account's credits, so the sum fits
	}
	return b
}

// amountWithReserved returns what a decision would order if no headroom were reserved: at least d.amount.
func (e *Engine) amountWithReserved(d *decision) ledger.Amount {
	if e.reservations.Load() == nil || !d.notBefore.IsZero() {
		return d.amount
	}
	view, input := e.tracker.viewOf(d.input.Account), d.input
	input.Balance = e.countReserved(d.input.Balance, &view, input.Now)
	return e.policyRequest(input, &view).payableFrom(input.Balance)
}

// decideWithoutReservations holds the reservations of an account back until release is called, and decides anew.
// If they cannot be held back, d stays.
func (e *Engine) decideWithoutReservations(
	ctx context.Context, visit *accountVisit, latest *latestOrder, urgent bool, d *decision,
) (release func(), err error) {
	release, err = e.holdBack(ctx, visit.account)
	if err != nil {
		e.cfg.Events.Failed(&OrderError{Account: visit.account, Err: wrap("hold reservations back", err)})
		return func() {}, nil
	}
	*d, err = e.decideOrder(ctx, visit, latest, urgent)
	if err == nil && d.amount.IsZero() {
		e.deferHoldBack(visit.account)
	}
	return release, err
}

// freeReserved holds the reservations of an account back, until release is called, if a payment needs them.
func (e *Engine) freeReserved(ctx context.Context, a accounts.PeerAccount, amount ledger.Amount) (release func(), err error) {
	none := func() {}
	if e.reservations.Load() == nil {
		return none, nil
	}
	b, err := e.book.LookUpBalances(ctx, a)
	if err != nil || b[0].HeldIn.IsZero() || !b[0].Headroom.SubFloor(b[0].Arrears).Less(amount) {
		return none, err
	}
	if release, err = e.holdBack(ctx, a); err != nil { // the payment takes what is free
		return none, nil //nolint:nilerr // see above
	}
	return release, nil
}

// holdBack holds the reservations of an account back. After an error they are left alone for a while.
func (e *Engine) holdBack(ctx context.Context, a accounts.PeerAccount) (release func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, holdBackWait)
	defer cancel()
	if release, err = (*e.reservations.Load()).HoldBack(ctx, a); err != nil {
		e.deferHoldBack(a)
	}
	return release, err
}

// deferHoldBack leaves the reservations of an account alone for [Config.OrderCooldown].
func (e *Engine) deferHoldBack(a accounts.PeerAccount) {
	after := e.cfg.Clock().Add(e.cfg.OrderCooldown)
	e.tracker.updateView(a, func(v *accountView) { v.holdBackAfter = after })
}
