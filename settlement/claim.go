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

// owner is whose an open order is.
type owner struct {
	mine  bool
	since time.Time // of the newest claim, or of the order
	claim uint64    // the number of the newest claim; 0 is the order itself
}

// ownerOf reads whose an open order is.
func (e *Engine) ownerOf(ctx context.Context, last *head) (owner, error) {
	row, found, err := sequence.Newest(ctx, e.ledger, ledger.AccountFilter{
		AccountID: e.book.PeerIDs(last.Account).Settlement, Code: chart.CodeClaim, UserData64: last.Sequence,
		Flags: ledger.AccountFilterDebits,
	})
	switch {
	case err != nil:
		return owner{}, wrap("read the newest claim", err)
	case !found:
		return owner{mine: last.placed, since: last.at}, nil
	default:
		return owner{row.UserData128 == e.instance, timeOf(row.Timestamp), uint64(row.UserData32)}, nil
	}
}

// claimRow is our claim on an order. A lease would have to be renewed for centuries
// until its number does not fit.
func (e *Engine) claimRow(o *Order, number uint64) ledger.Transfer {
	own, _ := e.book.AssetIDs(o.Account.Ledger())
	return ledger.Transfer{
		ID:             e.ns.Derive("claim", chart.ID(o.ID), chart.U64(number)),
		DebitAccountID: e.book.PeerIDs(o.Account).Settlement, CreditAccountID: own.Control,
		UserData128: e.instance, UserData64: o.Sequence, UserData32: uint32(number),
		Ledger: o.Account.Ledger(), Code: chart.CodeClaim,
	}
}

// resume goes on with an order that was found open. It is ours if it belongs to this
// Instance; if its owner has been silent for a lease we make it ours. All others are
// left alone.
func (e *Engine) resume(ctx context.Context, last *head) (turn, error) {
	_, final, noted := e.register.noted(last.Account)
	if final != nil {
		return e.pay(ctx, last.Order) // only the booking is missing, and anybody may book it
	}
	began := e.cfg.Clock()
	owner, err := e.ownerOf(ctx, last)
	if err != nil {
		return turn{}, e.fails(last.Order, err)
	}
	if !owner.mine {
		e.register.takenOver(last.Order)
		if until, leave := e.leaveAlone(last, owner); leave {
			e.register.notOurs(last.Account, until)
			return turn{look: until}, nil
		}
	}
	claimed := (!noted || !owner.mine) && e.keeps(&last.Order)
	if claimed {
		switch err := e.claim(ctx, last, owner); {
		case errors.Is(err, sequence.ErrTaken):
			return turn{again: true}, nil
		case err != nil:
			return turn{}, e.fails(last.Order, err)
		}
	}
	e.register.opened(last.Order)
	if turn, done, err := e.checkResumed(ctx, last, &owner, claimed); done || err != nil {
		return turn, err
	}
	if turn, done, err := e.mayAskResumed(ctx, last.Order, claimed); done || err != nil {
		return turn, err
	}
	if e.slept(began) {
		if turn, gone, err := e.goneMeanwhile(ctx, last); gone || err != nil {
			return turn, err
		}
	}
	if r := e.rails[last.rail]; r != nil && !r.isDown() {
		e.cfg.Events.Retried(e.register.of(last.Account).own.OpenOrder)
	}
	return e.pay(ctx, last.Order)
}

// goneMeanwhile looks once more whether an order is open and ours. It is not asked again how long
// that took: where every request takes a lease, nothing would ever be paid.
func (e *Engine) goneMeanwhile(ctx context.Context, before *head) (t turn, gone bool, err error) {
	last, err := e.newest(ctx, before.Account)
	if err != nil {
		return turn{}, true, e.fails(before.Order, err)
	}
	if !last.open || last.ID != before.ID {
		return turn{again: true}, true, nil
	}
	owner, err := e.ownerOf(ctx, &last)
	switch {
	case err != nil:
		return turn{}, true, e.fails(before.Order, err)
	case owner.mine:
		return turn{}, false, nil
	}
	until := owner.since.Add(e.cfg.Lease)
	e.register.notOurs(before.Account, until)
	return turn{look: until}, true, nil
}

// mayAskResumed is checkRailCall for an order that was found open. Once this Engine has asked the rail,
// nothing keeps the order from being resolved.
func (e *Engine) mayAskResumed(ctx context.Context, o Order, claimed bool) (t turn, done bool, err error) {
	k := e.register.of(o.Account)
	if k.own.Attempts > 0 || e.rails[o.rail] == nil {
		return turn{}, false, nil
	}
	said, err := e.readVerdict(ctx, &o)
	if err != nil {
		return turn{}, true, e.fails(o, err)
	}
	return e.checkRailCall(ctx, o, said, k.placed == o.ID && !claimed)
}

// leaveAlone decides whether an order of another engine is left to it, and until when.
func (e *Engine) leaveAlone(last *head, o owner) (until time.Time, leave bool) {
	now := e.cfg.Clock()
	expires := o.since.Add(e.cfg.Lease)
	switch {
	case e.cfg.NoTakeover || e.rails[last.rail] == nil: // whoever places the next one will tell
		return now.Add(e.cfg.RetryMaxInterval), true
	case now.Before(expires):
		return expires, true
	default:
		return time.Time{}, false
	}
}

// keeps reports whether claims are written on an order of ours: not if we cannot pay it.
// An engine that has its rail may take it over.
func (e *Engine) keeps(o *Order) bool { return !e.cfg.NoTakeover && e.rails[o.rail] != nil }

// claim makes an open order ours: after a restart, so that nobody takes it over, or from
// an owner that is silent. The error is sequence.ErrTaken if another engine was faster.
func (e *Engine) claim(ctx context.Context, last *head, before owner) error {
	number, err := sequence.Place(ctx, e.ledger, before.claim+1, func(n uint64) ledger.Transfer {
		return e.claimRow(&last.Order, n)
	})
	if err != nil {
		return wrap("claim the order", err)
	}
	e.register.opened(last.Order)
	e.register.claimed(last.Order, number)
	if !before.mine {
		e.cfg.Events.TakenOver(last.Order)
	}
	return nil
}

// voidOwn voids an order that our Settler never got. If we were paused since it was placed,
// another engine may have taken it over and be paying it: then it must not be voided. So the
// void is linked to our next claim, and one of the two engines gets that number. Our own keeper
// may get it too, and renew the claim: then the order is still ours, and the one after that is
// tried. Nobody's Settler gets an order of nothing, so that one needs no claim. The error is
// sequence.ErrTaken if somebody else has claimed the order.
func (e *Engine) voidOwn(ctx context.Context, o Order) error {
	if o.Amount.IsZero() || e.cfg.NoTakeover {
		return e.resolve(ctx, o, ledger.Amount{})
	}
	var claim uint64
	if own := e.register.of(o.Account).own; own != nil {
		claim = own.claim
	}
	for {
		_, err := sequence.PlaceChain(ctx, e.ledger, claim+1, func(n uint64) []ledger.Transfer {
			return []ledger.Transfer{e.claimRow(&o, n), {
				ID:        e.ns.Derive("withdraw", chart.ID(o.ID), chart.U64(n)),
				PendingID: o.ID, Flags: ledger.TransferVoidPending,
			}}
		})
		if !errors.Is(err, sequence.ErrTaken) {
			return wrap("give the order back", err)
		}
		owner, lookErr := e.ownerOf(ctx, &head{Order: o, placed: true})
		switch {
		case lookErr != nil:
			return lookErr
		case !owner.mine || owner.claim <= claim:
			return wrap("give the order back", err)
		}
		claim = owner.claim
	}
}

// keep renews our claims until the Engine has ended.
func (e *Engine) keep() {
	renew := time.NewTicker(max(e.cfg.Lease/3, 1))
	defer renew.Stop()
	for {
		select {
		case <-e.life.Done():
			return
		case <-renew.C:
			e.renew(e.life)
		}
	}
}

// renew writes the next claim on each of our open orders. If that is refused, somebody
// has taken the order over: the next visit finds out.
func (e *Engine) renew(ctx context.Context) {
	var open []ownOrder
	for _, o := range e.register.orders() {
		if e.keeps(&o.Order) {
			open = append(open, o)
		}
	}
	for chunk := range slices.Chunk(open, renewals) {
		rows := make([]ledger.Transfer, len(chunk))
		for i := range chunk {
			rows[i] = e.claimRow(&chunk[i].Order, chunk[i].claim+1)
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
				e.register.claimed(chunk[i].Order, chunk[i].claim+1)
			}
		}
	}
}

// renewals is how many claims are renewed in a request: few enough for every ledger.
const renewals = 250
