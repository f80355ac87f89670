package settlement

import (
	"math/rand/v2"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// What the register remembers of orders' checks, refunds and payments ahead.

// passedCheck notes that an order passed its check.
func (r *register) passedCheck(o Order) {
	r.learn(o.Account, func(k *known) { k.checked = o.ID })
}

func (r *register) hasPassedCheck(o Order) bool {
	return r.of(o.Account).checked == o.ID
}

// isUnchecked reports whether this Engine has placed an order and not found out whether it
// passes its check. Its Settler was not called for it.
func (r *register) isUnchecked(o Order) bool {
	k := r.of(o.Account)
	return k.placed == o.ID && k.checked != o.ID
}

// placedOrder notes that an order of ours is in the ledger.
func (r *register) placedOrder(o Order) {
	r.opened(o)
	r.learn(o.Account, func(k *known) { k.placed = o.ID })
}

// takenOver notes that an order of ours was found to be another engine's, which may have given
// it to a rail. That stays so when we take it back, in whatever visit.
func (r *register) takenOver(o Order) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entry(o.Account)
	if e.placed == o.ID {
		e.placed = ledger.ID{}
	}
	if e.own != nil && e.own.ID == o.ID {
		e.own.back = nil
	}
}

// hasOrder reports whether an order of the account is open, ours or another engine's.
func (r *register) hasOrder(a accounts.PeerAccount) bool {
	k := r.of(a)
	return k.own != nil || k.settling
}

// ordered notes that an order of ours was placed, and whether more was due than the largest order.
func (r *register) ordered(o Order, rest bool) {
	r.learn(o.Account, func(k *known) {
		if rest {
			k.cut = o.ID
		}
		if o.tag.isChecked() {
			k.newest = max(k.newest, o.Sequence)
		}
	})
}

// wantRefund notes that an operator wants a prepayment to be paid back.
func (r *register) wantRefund(a accounts.PeerAccount) {
	r.learn(a, func(k *known) { k.refund = true })
}

// forgetRefund notes that there is nothing to be paid back any more.
func (r *register) forgetRefund(a accounts.PeerAccount) {
	r.learn(a, func(k *known) { k.refund = false })
}

// isOld reports, once for an order, whether it has no check although one before it has, or
// although it is known to be newer than this engine.
func (r *register) isOld(o Order, newer bool) (old bool) {
	r.learn(o.Account, func(k *known) {
		if o.tag.isChecked() {
			k.newest = max(k.newest, o.Sequence)
			return
		}
		old = k.old != o.ID && (newer || k.newest != 0 && o.Sequence > k.newest)
		if old {
			k.old = o.ID
		}
	})
	return old
}

// aheadAgain is when an order that pays ahead may follow the newest one, which does too.
func (r *register) aheadAgain(last *head, wait time.Duration) (until time.Time) {
	r.learn(last.Account, func(k *known) {
		if k.ahead.order != last.orderID() {
			k.ahead = aheadWait{last.orderID(), last.at.Add(wait + rand.N(max(wait, 1)))}
		}
		until = k.ahead.until
	})
	return until
}

// orderID is the id of the newest order, open or closed.
func (h *head) orderID() ledger.ID {
	if h.resolves.IsZero() {
		return h.ID
	}
	return h.resolves
}

// tellNoLine reports whether it is to be told now that an account's policy cannot pay ahead:
// once, until it can.
func (r *register) tellNoLine(a accounts.PeerAccount, cannot bool) (tell bool) {
	r.learn(a, func(k *known) {
		tell = cannot && !k.noLine
		k.noLine = cannot
	})
	return tell
}

// isHeld reports, once for an order, that it is to be told that the order waits.
func (r *register) isHeld(o Order) (tell bool) {
	r.learn(o.Account, func(k *known) {
		tell = k.held != o.ID
		k.held = o.ID
	})
	return tell
}

// wasApproved reports, once, that an order waits no more of which it was told that it does.
func (r *register) wasApproved(o Order) (tell bool) {
	r.learn(o.Account, func(k *known) {
		if tell = k.held == o.ID; tell {
			k.held = ledger.ID{}
		}
	})
	return tell
}

// restIsDue notes, after an order that was cut was paid in full, that the rest waits for no policy:
// it was due with the order.
func (r *register) restIsDue(p Payment) {
	r.learn(p.Order.Account, func(k *known) {
		if k.cut != p.Order.ID || p.Paid.Less(p.Order.Amount) {
			return
		}
		k.pressed = pressedByHand
		k.refund = k.refund || p.Order.Refund
	})
}

// partsAtOnce is how many orders in a row may be paid in part before the next one waits.
const partsAtOnce = 2

// inParts notes a payment, and reports whether the rail pays in part again and again, so that the
// next order has to wait for a backoff.
func (r *register) inParts(p Payment) (wait bool) {
	r.learn(p.Order.Account, func(k *known) {
		if k.parts++; !p.Paid.Less(p.Order.Amount) {
			k.parts = 0
		}
		wait = k.parts > partsAtOnce
	})
	return wait
}

// reaches reports whether it is to be told now that a limit is reached: once, until orders fit it
// again.
func (r *register) reaches(key scopeKey) (tell bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, told := r.reached[key]
	r.reached[key] = struct{}{}
	return !told
}

// fits notes that an order fits a limit.
func (r *register) fits(key scopeKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.reached, key)
}
