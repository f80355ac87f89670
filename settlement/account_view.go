package settlement

import (
	"math/rand/v2"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// What the register remembers of orders' checks, refunds and payments ahead.

// setChecked notes that an order passed its check.
func (r *tracker) setChecked(o Order) {
	r.updateState(o.Account, func(k *accountState) { k.checkedID = o.ID })
}

func (r *tracker) isChecked(o Order) bool {
	return r.stateOf(o.Account).checkedID == o.ID
}

// isUnchecked reports whether this Engine has placed an order and not found out whether it
// passes its check. Its Settler was not called for it.
func (r *tracker) isUnchecked(o Order) bool {
	k := r.stateOf(o.Account)
	return k.placedID == o.ID && k.checkedID != o.ID
}

// setPlaced notes that an order of ours is in the ledger.
func (r *tracker) setPlaced(o Order) {
	r.setOpen(o)
	r.updateState(o.Account, func(k *accountState) { k.placedID = o.ID })
}

// setTakenOver notes that an order of ours was found to be another engine's, which may have given
// it to a rail. That stays so when we take it back, in whatever visit.
func (r *tracker) setTakenOver(o Order) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.ensureAccount(o.Account)
	if e.placedID == o.ID {
		e.placedID = ledger.ID{}
	}
	if e.openOrder != nil && e.openOrder.ID == o.ID {
		e.openOrder.voidReason = nil
	}
}

// hasOrder reports whether an order of the account is open, ours or another engine's.
func (r *tracker) hasOrder(a accounts.PeerAccount) bool {
	k := r.stateOf(a)
	return k.openOrder != nil || k.hasPending
}

// recordOrder notes that an order of ours was placed, and whether more was due than the largest order.
func (r *tracker) recordOrder(o Order, rest bool) {
	r.updateState(o.Account, func(k *accountState) {
		if rest {
			k.cutID = o.ID
		}
		if o.tag.isChecked() {
			k.newestChecked = max(k.newestChecked, o.Sequence)
		}
	})
}

// wantRefund notes that an operator wants a prepayment to be paid back.
func (r *tracker) wantRefund(a accounts.PeerAccount) {
	r.updateState(a, func(k *accountState) { k.refundWanted = true })
}

// forgetRefund notes that there is nothing to be paid back any more.
func (r *tracker) forgetRefund(a accounts.PeerAccount) {
	r.updateState(a, func(k *accountState) { k.refundWanted = false })
}

// markOldEngine reports, once for an order, whether it has no check although one before it has, or
// although it is known to be newer than this engine.
func (r *tracker) markOldEngine(o Order, newer bool) (old bool) {
	r.updateState(o.Account, func(k *accountState) {
		if o.tag.isChecked() {
			k.newestChecked = max(k.newestChecked, o.Sequence)
			return
		}
		old = k.oldEngineOrder != o.ID && (newer || k.newestChecked != 0 && o.Sequence > k.newestChecked)
		if old {
			k.oldEngineOrder = o.ID
		}
	})
	return old
}

// nextPrefund is when an order that pays ahead may follow the newest one, which does too.
func (r *tracker) nextPrefund(last *latestOrder, wait time.Duration) (until time.Time) {
	r.updateState(last.Account, func(k *accountState) {
		if k.nextPrefund.order != last.newestOrderID() {
			k.nextPrefund = prefundWait{last.newestOrderID(), last.timestamp.Add(wait + rand.N(max(wait, 1)))}
		}
		until = k.nextPrefund.notBefore
	})
	return until
}

// newestOrderID is the id of the newest order, open or closed.
func (h *latestOrder) newestOrderID() ledger.ID {
	if h.resolvedID.IsZero() {
		return h.ID
	}
	return h.resolvedID
}

// markLineMissing reports whether it is to be told now that an account's policy cannot pay ahead:
// once, until it can.
func (r *tracker) markLineMissing(a accounts.PeerAccount, cannot bool) (tell bool) {
	r.updateState(a, func(k *accountState) {
		tell = cannot && !k.lineMissing
		k.lineMissing = cannot
	})
	return tell
}

// markAwaiting reports, once for an order, that it is to be told that the order waits.
func (r *tracker) markAwaiting(o Order) (tell bool) {
	r.updateState(o.Account, func(k *accountState) {
		tell = k.awaitingID != o.ID
		k.awaitingID = o.ID
	})
	return tell
}

// clearAwaiting reports, once, that an order waits no more of which it was told that it does.
func (r *tracker) clearAwaiting(o Order) (tell bool) {
	r.updateState(o.Account, func(k *accountState) {
		if tell = k.awaitingID == o.ID; tell {
			k.awaitingID = ledger.ID{}
		}
	})
	return tell
}

// recordRest notes, after an order that was cut was paid in full, that the rest waits for no policy:
// it was due with the order.
func (r *tracker) recordRest(p Payment) {
	r.updateState(p.Order.Account, func(k *accountState) {
		if k.cutID != p.Order.ID || p.Paid.Less(p.Order.Amount) {
			return
		}
		k.urgency = urgencyByOperator
		k.refundWanted = k.refundWanted || p.Order.Refund
	})
}

// partsAtOnce is how many orders in a row may be paid in part before the next one waits.
const partsAtOnce = 2

// countPart notes a payment, and reports whether the rail pays in part again and again, so that the
// next order has to wait for a backoff.
func (r *tracker) countPart(p Payment) (wait bool) {
	r.updateState(p.Order.Account, func(k *accountState) {
		if k.partialPayments++; !p.Paid.Less(p.Order.Amount) {
			k.partialPayments = 0
		}
		wait = k.partialPayments > partsAtOnce
	})
	return wait
}

// markReached reports whether it is to be told now that a limit is reached: once, until orders fit it
// again.
func (r *tracker) markReached(key scopeKey) (tell bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, told := r.reached[key]
	r.reached[key] = struct{}{}
	return !told
}

// clearReached notes that an order fits a limit.
func (r *tracker) clearReached(key scopeKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.reached, key)
}
