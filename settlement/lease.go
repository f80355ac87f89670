package settlement

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/sequence"
	"github.com/peerledger/peerledger/ledger"
)

// An open order belongs to the engine that placed it, until another one writes a claim
// on it. Claims are numbered from 1, so of those who want to write the next one a single
// one succeeds; the newest decides. The owner writes one at a third of the lease, and
// whoever finds the newest older than a lease may write the next.
//
// That does not keep a stopped owner from calling the rail when it wakes up. Paying once
// rests on the rail, which pays once for a key, and on the resolution, whose id both
// derive from the order. Claims keep the two from doing it all the time.

// orderOwner is whose an open order is.
type orderOwner struct {
	isUs        bool
	renewedAt   time.Time // of the newest claim, or of the order
	claimNumber uint64    // the number of the newest claim; 0 is the order itself
}

// readOwner reads whose an open order is.
func (e *Engine) readOwner(ctx context.Context, last *latestOrder) (orderOwner, error) {
	row, found, err := sequence.Newest(ctx, e.ledger, ledger.AccountFilter{
		AccountID: e.book.PeerIDs(last.Account).Settlement, Code: chart.CodeClaim, UserData64: last.Sequence,
		Flags: ledger.AccountFilterDebits,
	})
	switch {
	case err != nil:
		return orderOwner{}, wrap("read the newest claim", err)
	case !found:
		return orderOwner{isUs: last.placedByUs, renewedAt: last.timestamp}, nil
	default:
		return orderOwner{row.UserData128 == e.instance, timeOf(row.Timestamp), uint64(row.UserData32)}, nil
	}
}

// claimTransfer is our claim on an order. A lease would have to be renewed for centuries
// until its number does not fit.
func (e *Engine) claimTransfer(o *Order, number uint64) ledger.Transfer {
	own, _ := e.book.AssetIDs(o.Account.Ledger())
	return ledger.Transfer{
		ID:             e.ns.Derive("claim", chart.ID(o.ID), chart.U64(number)),
		DebitAccountID: e.book.PeerIDs(o.Account).Settlement, CreditAccountID: own.Control,
		UserData128: e.instance, UserData64: o.Sequence, UserData32: uint32(number),
		Ledger: o.Account.Ledger(), Code: chart.CodeClaim,
	}
}

// resumeOrder goes on with an order that was found open. It is ours if it belongs to this
// Instance; if its owner has been silent for a lease we make it ours. All others are
// left alone.
func (e *Engine) resumeOrder(ctx context.Context, last *latestOrder) (stepResult, error) {
	_, final, noted := e.tracker.notedOrder(last.Account)
	if final != nil {
		return e.payOrder(ctx, last.Order) // only the booking is missing, and anybody may book it
	}
	began := e.cfg.Clock()
	owner, err := e.readOwner(ctx, last)
	if err != nil {
		return stepResult{}, e.reportFailure(last.Order, err)
	}
	if !owner.isUs {
		e.tracker.setTakenOver(last.Order)
		if until, leave := e.respectsOwner(last, owner); leave {
			e.tracker.setForeign(last.Account, until)
			return stepResult{wakeAt: until}, nil
		}
	}
	claimed := (!noted || !owner.isUs) && e.renewsLease(&last.Order)
	if claimed {
		switch err := e.claimOrder(ctx, last, owner); {
		case errors.Is(err, sequence.ErrTaken):
			return stepResult{repeat: true}, nil
		case err != nil:
			return stepResult{}, e.reportFailure(last.Order, err)
		}
	}
	e.tracker.setOpen(last.Order)
	if turn, done, err := e.checkResumed(ctx, last, &owner, claimed); done || err != nil {
		return turn, err
	}
	if turn, done, err := e.checkResumedRailCall(ctx, last.Order, claimed); done || err != nil {
		return turn, err
	}
	if e.leaseElapsed(began) {
		if turn, gone, err := e.checkStillOurs(ctx, last); gone || err != nil {
			return turn, err
		}
	}
	if r := e.rails[last.rail]; r != nil && !r.isDown() {
		e.cfg.Events.Retried(e.tracker.stateOf(last.Account).openOrder.OpenOrder)
	}
	return e.payOrder(ctx, last.Order)
}

// checkStillOurs looks once more whether an order is open and ours. It is not asked again how long
// that took: where every request takes a lease, nothing would ever be paid.
func (e *Engine) checkStillOurs(ctx context.Context, before *latestOrder) (t stepResult, gone bool, err error) {
	last, err := e.readLatestOrder(ctx, before.Account)
	if err != nil {
		return stepResult{}, true, e.reportFailure(before.Order, err)
	}
	if !last.open || last.ID != before.ID {
		return stepResult{repeat: true}, true, nil
	}
	owner, err := e.readOwner(ctx, &last)
	switch {
	case err != nil:
		return stepResult{}, true, e.reportFailure(before.Order, err)
	case owner.isUs:
		return stepResult{}, false, nil
	}
	until := owner.renewedAt.Add(e.cfg.Lease)
	e.tracker.setForeign(before.Account, until)
	return stepResult{wakeAt: until}, true, nil
}

// checkResumedRailCall is checkRailCall for an order that was found open. Once this Engine has asked the rail,
// nothing keeps the order from being resolved.
func (e *Engine) checkResumedRailCall(ctx context.Context, o Order, claimed bool) (t stepResult, done bool, err error) {
	k := e.tracker.stateOf(o.Account)
	if k.openOrder.Attempts > 0 || e.rails[o.rail] == nil {
		return stepResult{}, false, nil
	}
	said, err := e.readVerdict(ctx, &o)
	if err != nil {
		return stepResult{}, true, e.reportFailure(o, err)
	}
	return e.checkRailCall(ctx, o, said, k.placedID == o.ID && !claimed)
}

// respectsOwner decides whether an order of another engine is left to it, and until when.
func (e *Engine) respectsOwner(last *latestOrder, o orderOwner) (until time.Time, leave bool) {
	now := e.cfg.Clock()
	expires := o.renewedAt.Add(e.cfg.Lease)
	switch {
	case e.cfg.NoTakeover || e.rails[last.rail] == nil: // whoever places the next one will tell
		return now.Add(e.cfg.RetryMaxInterval), true
	case now.Before(expires):
		return expires, true
	default:
		return time.Time{}, false
	}
}

// renewsLease reports whether claims are written on an order of ours: not if we cannot pay it.
// An engine that has its rail may take it over.
func (e *Engine) renewsLease(o *Order) bool { return !e.cfg.NoTakeover && e.rails[o.rail] != nil }

// claimOrder makes an open order ours: after a restart, so that nobody takes it over, or from
// an owner that is silent. The error is sequence.ErrTaken if another engine was faster.
func (e *Engine) claimOrder(ctx context.Context, last *latestOrder, before orderOwner) error {
	number, err := sequence.Place(ctx, e.ledger, before.claimNumber+1, func(n uint64) ledger.Transfer {
		return e.claimTransfer(&last.Order, n)
	})
	if err != nil {
		return wrap("claim the order", err)
	}
	e.tracker.setOpen(last.Order)
	e.tracker.setClaim(last.Order, number)
	if !before.isUs {
		e.cfg.Events.TakenOver(last.Order)
	}
	return nil
}

// voidUnclaimed voids an order that our Settler never got. If we were paused since it was placed,
// another engine may have taken it over and be paying it: then it must not be voided. So the
// void is linked to our next claim, and one of the two engines gets that number. Our own keeper
// may get it too, and renew the claim: then the order is still ours, and the one after that is
// tried. Nobody's Settler gets an order of nothing, so that one needs no claim. The error is
// sequence.ErrTaken if somebody else has claimed the order.
func (e *Engine) voidUnclaimed(ctx context.Context, o Order) error {
	if o.Amount.IsZero() || e.cfg.NoTakeover {
		return e.bookResolution(ctx, o, ledger.Amount{})
	}
	var claim uint64
	if own := e.tracker.stateOf(o.Account).openOrder; own != nil {
		claim = own.claimNumber
	}
	for {
		_, err := sequence.PlaceChain(ctx, e.ledger, claim+1, func(n uint64) []ledger.Transfer {
			return []ledger.Transfer{e.claimTransfer(&o, n), {
				ID:        e.ns.Derive("withdraw", chart.ID(o.ID), chart.U64(n)),
				PendingID: o.ID, Flags: ledger.TransferVoidPending,
			}}
		})
		if !errors.Is(err, sequence.ErrTaken) {
			return wrap("give the order back", err)
		}
		owner, lookErr := e.readOwner(ctx, &latestOrder{Order: o, placedByUs: true})
		switch {
		case lookErr != nil:
			return lookErr
		case !owner.isUs || owner.claimNumber <= claim:
			return wrap("give the order back", err)
		}
		claim = owner.claimNumber
	}
}

// runLeaseRenewal renews our claims until the Engine has ended.
func (e *Engine) runLeaseRenewal() {
	renew := time.NewTicker(max(e.cfg.Lease/3, 1))
	defer renew.Stop()
	for {
		select {
		case <-e.ctx.Done():
			return
		case <-renew.C:
			e.renewLeases(e.ctx)
		}
	}
}

// renewLeases writes the next claim on each of our open orders. If that is refused, somebody
// has taken the order over: the next visit finds out.
func (e *Engine) renewLeases(ctx context.Context) {
	var open []trackedOrder
	for _, o := range e.tracker.openOrders() {
		if e.renewsLease(&o.Order) {
			open = append(open, o)
		}
	}
	for chunk := range slices.Chunk(open, renewalBatch) {
		rows := make([]ledger.Transfer, len(chunk))
		for i := range chunk {
			rows[i] = e.claimTransfer(&chunk[i].Order, chunk[i].claimNumber+1)
		}
		results, err := e.ledger.CreateTransfers(ctx, rows)
		if err != nil {
			if ctx.Err() == nil {
				e.cfg.Events.Failed(wrap("renew claims on orders", err))
			}
			return
		}
		for i, r := range results {
			if r.Status.Outcome().Done() || r.Status == ledger.TransferIDAlreadyFailed {
				e.tracker.setClaim(chunk[i].Order, chunk[i].claimNumber+1)
			}
		}
	}
}

// renewalBatch is how many claims are renewed in a request: few enough for every ledger.
const renewalBatch = 250
