package settlement

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/sequence"
	"github.com/peerledger/peerledger/ledger"
)

// An open order belongs to the engine that placed the order, until another engine writes a claim.
// Claims on an order are numbered from 1, so only one engine succeeds in writing the next claim; the
// newest claim decides. The owner writes a claim every third of the lease. Once the newest claim is
// older than a lease, any engine may write the next claim.
//
// A claim does not keep a stopped owner from calling the rail when the owner wakes up. The peer is
// still paid once: the rail pays once for a key, and both engines derive the resolution's id from the
// order. Claims keep two engines from calling the rail all the time.

// orderOwner is the owner of an open order.
type orderOwner struct {
	isUs      bool
	renewedAt time.Time // of the newest claim, or of the order
	claims    uint64    // the number of the newest claim; 0 is the order itself
}

// readOwner reads who owns an open order.
func (e *Engine) readOwner(ctx context.Context, latest *latestOrder) (orderOwner, error) {
	row, found, err := e.readNewestClaim(ctx, latest.Account, latest.Sequence)
	switch {
	case err != nil:
		return orderOwner{}, wrap("read the newest claim", err)
	case !found:
		return orderOwner{isUs: latest.placedByUs, renewedAt: latest.timestamp}, nil
	default:
		return orderOwner{row.UserData128 == e.instance, timeOf(row.Timestamp), uint64(row.UserData32)}, nil
	}
}

// readNewestClaim reads the newest claim on the order of an account with a number; found is false if there is none.
func (e *Engine) readNewestClaim(ctx context.Context, a accounts.PeerAccount, number uint64) (row ledger.Transfer, found bool, err error) {
	return sequence.Newest(ctx, e.ledger, ledger.AccountFilter{
		AccountID: e.book.PeerIDs(a).Settlement, Code: chart.CodeClaim, UserData64: number, Flags: ledger.AccountFilterDebits,
	})
}

// claimTransfer returns our claim on an order. Its number fits as long as a lease is not renewed for
// centuries.
func (e *Engine) claimTransfer(o *Order, number uint64) ledger.Transfer {
	assetIDs, _ := e.book.AssetIDs(o.Account.Ledger())
	return ledger.Transfer{
		ID:             e.ns.Derive("claim", chart.ID(o.ID), chart.U64(number)),
		DebitAccountID: e.book.PeerIDs(o.Account).Settlement, CreditAccountID: assetIDs.Control,
		UserData128: e.instance, UserData64: o.Sequence, UserData32: uint32(number),
		Ledger: o.Account.Ledger(), Code: chart.CodeClaim,
	}
}

// resumeOrder goes on with an order found open. An order is ours if its newest claim, or without claims
// the order itself, is of this Instance. An order of another owner becomes ours once the owner has been silent for a lease, and is left alone before.
func (e *Engine) resumeOrder(ctx context.Context, visit *accountVisit, latest *latestOrder) (stepResult, error) {
	state := visit.state
	isNoted := state.openOrder != nil
	began, start := e.cfg.Clock(), OrderStart{Order: latest.Order, Work: OrderResumed, Began: time.Now()}
	if isNoted && state.openOrder.final != nil {
		return e.traceOrder(ctx, start, func(ctx context.Context) (stepResult, error) {
			return e.payOrder(ctx, visit, latest.Order) // only the booking is missing, and any engine may book it
		})
	}
	owner, err := e.readOwner(ctx, latest)
	if err != nil {
		return stepResult{}, e.reportFailure(visit, latest.Order, err)
	}
	if !owner.isUs {
		state.setOwnedByOther(latest.Order)
		if until, leave := e.leaveToOwner(latest, owner); leave {
			state.setForeign(until)
			return stepResult{wakeAt: until}, nil
		}
		start.Work = OrderTakeover
	}
	return e.traceOrder(ctx, start, func(ctx context.Context) (stepResult, error) {
		return e.payResumed(ctx, visit, latest, owner, began)
	})
}

// payResumed claims, checks and pays an order found open that is not left to another owner. began is a time before
// the owner was read.
func (e *Engine) payResumed(ctx context.Context, visit *accountVisit, latest *latestOrder, owner orderOwner, began time.Time) (stepResult, error) {
	state := visit.state
	isNoted := state.openOrder != nil
	claimed := (!isNoted || !owner.isUs) && e.renewsLease(&latest.Order)
	if claimed {
		switch err := e.claimOrder(ctx, visit, latest, owner); {
		case errors.Is(err, sequence.ErrTaken):
			return stepResult{repeat: true}, nil
		case err != nil:
			return stepResult{}, e.reportFailure(visit, latest.Order, err)
		}
	}
	state.setOpen(latest.Order)
	visit.publishState()
	if result, done, err := e.checkResumed(ctx, visit, latest, &owner, claimed); done || err != nil {
		return result, err
	}
	if result, done, err := e.checkResumedRailCall(ctx, visit, latest.Order, claimed, began); done || err != nil {
		return result, err
	}
	if e.leaseElapsed(began) {
		if result, lost, err := e.checkStillOurs(ctx, visit, latest); lost || err != nil {
			return result, err
		}
	}
	if r := e.rails[latest.rail]; r != nil && !r.isDown() {
		e.cfg.Events.Retried(state.openOrder.OpenOrder)
	}
	return e.payOrder(ctx, visit, latest.Order)
}

// checkStillOurs reads once more whether an order is open and ours; lost is true if not. The duration
// of the read itself is not checked: if every request took a lease, no order would ever be paid.
func (e *Engine) checkStillOurs(
	ctx context.Context, visit *accountVisit, before *latestOrder,
) (result stepResult, lost bool, err error) {
	latest, err := e.readLatestOrder(ctx, before.Account)
	if err != nil {
		return stepResult{}, true, e.reportFailure(visit, before.Order, err)
	}
	if !latest.open || latest.ID != before.ID {
		return stepResult{repeat: true}, true, nil
	}
	owner, err := e.readOwner(ctx, &latest)
	switch {
	case err != nil:
		return stepResult{}, true, e.reportFailure(visit, before.Order, err)
	case owner.isUs:
		return stepResult{}, false, nil
	}
	until := owner.renewedAt.Add(e.cfg.Lease)
	visit.state.setForeign(until)
	return stepResult{wakeAt: until}, true, nil
}

// checkResumedRailCall is checkRailCall for an order found open. Once this Engine has asked the rail,
// nothing keeps the order from being resolved. began is a time before the order's owner was read.
func (e *Engine) checkResumedRailCall(
	ctx context.Context, visit *accountVisit, o Order, claimed bool, began time.Time,
) (result stepResult, done bool, err error) {
	if visit.state.openOrder.Attempts > 0 || e.rails[o.rail] == nil {
		return stepResult{}, false, nil
	}
	v, err := e.readVerdict(ctx, &o)
	if err != nil {
		return stepResult{}, true, e.reportFailure(visit, o, err)
	}
	visit.state.setReleased(v.recordedAt)
	neverAsked := visit.state.placedID == o.ID && !claimed
	if neverAsked {
		visit.state.setReleased(began.Round(0)) // of the calendar: see leaseElapsed
	}
	return e.checkRailCall(ctx, visit, o, v, neverAsked)
}

// leaveToOwner decides whether an order is left to its owner, another engine, and until when.
func (e *Engine) leaveToOwner(latest *latestOrder, owner orderOwner) (until time.Time, leave bool) {
	now := e.cfg.Clock()
	expires := owner.renewedAt.Add(e.cfg.Lease)
	switch {
	case e.cfg.NoTakeover || e.rails[latest.rail] == nil: // this Engine never takes the order over
		return now.Add(e.cfg.RetryMaxInterval), true
	case now.Before(expires):
		return expires, true
	default:
		return time.Time{}, false
	}
}

// renewsLease reports whether this Engine writes claims on an order of ours: not without the order's
// rail. An engine with the rail may then take the order over.
func (e *Engine) renewsLease(o *Order) bool { return !e.cfg.NoTakeover && e.rails[o.rail] != nil }

// claimOrder makes an open order ours: after a restart, so that no other engine takes the order over,
// or from a silent owner. The error is sequence.ErrTaken if another engine was faster.
func (e *Engine) claimOrder(ctx context.Context, visit *accountVisit, latest *latestOrder, before orderOwner) error {
	number, err := sequence.Place(ctx, e.ledger, before.claims+1, func(n uint64) ledger.Transfer {
		return e.claimTransfer(&latest.Order, n)
	})
	if err != nil {
		return wrap("claim the order", err)
	}
	visit.state.setOpen(latest.Order)
	visit.state.openOrder.claims.raise(number)
	if !before.isUs {
		e.cfg.Events.TakenOver(latest.Order)
	}
	return nil
}

// voidUnclaimed voids an order that our Settler never got. If this process was stopped after placing
// the order, another engine may have taken the order over and be paying it: then the order must not
// be voided. So the void is linked to our next claim, and one engine gets the claim's number. If our
// own lease renewal gets the number, the order is still ours, and voidUnclaimed tries the number
// after. An order of amount 0 goes to no Settler and needs no claim. The error is sequence.ErrTaken if
// another engine has claimed the order.
func (e *Engine) voidUnclaimed(ctx context.Context, visit *accountVisit, o Order) error {
	open := visit.state.findOpen(o.ID)
	if o.Amount.IsZero() || e.cfg.NoTakeover {
		return e.bookResolution(ctx, open, o, ledger.Amount{})
	}
	var claim uint64
	if open != nil {
		claim = open.claims.Load()
	}
	for {
		_, err := sequence.PlaceChain(ctx, e.ledger, claim+1, func(n uint64) []ledger.Transfer {
			return []ledger.Transfer{e.claimTransfer(&o, n), {
				ID:        e.withdrawalID(o.ID, n),
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
		case !owner.isUs || owner.claims <= claim:
			return wrap("give the order back", err)
		}
		claim = owner.claims
	}
}

// withdrawalID returns the id of the void that is linked to a claim.
func (e *Engine) withdrawalID(order ledger.ID, claim uint64) ledger.ID {
	return e.ns.Derive("withdraw", chart.ID(order), chart.U64(claim))
}

// runLeaseRenewal renews our claims until the Engine has ended.
func (e *Engine) runLeaseRenewal() {
	ticker := time.NewTicker(max(e.cfg.Lease/3, 1))
	defer ticker.Stop()
	for {
		select {
		case <-e.ctx.Done():
			return
		case <-ticker.C:
			e.renewLeases(e.ctx)
		}
	}
}

// renewLeases writes the next claim on each of our open orders. If the ledger refuses a claim,
// another engine has taken the order over: the next visit finds out.
func (e *Engine) renewLeases(ctx context.Context) {
	var open []*trackedOrder
	for _, o := range e.tracker.openOrders() {
		if e.renewsLease(&o.Order) {
			open = append(open, o)
		}
	}
	for chunk := range slices.Chunk(open, renewalBatch) {
		rows := make([]ledger.Transfer, len(chunk))
		for i, o := range chunk {
			rows[i] = e.claimTransfer(&o.Order, o.claims.Load()+1)
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
				chunk[i].claims.raise(uint64(rows[i].UserData32))
			}
		}
	}
}

// renewalBatch is how many claims are renewed in a request: few enough for every ledger.
const renewalBatch = 250
