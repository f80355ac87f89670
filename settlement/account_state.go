package settlement

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// accountState holds the Engine's memory of an account's orders. The visit under way owns the state,
// so the methods take no lock; other goroutines see the facts published by the visit.
type accountState struct {
	openOrder    *trackedOrder // our order, while it is open as far as we know
	latest       *latestOrder  // the newest order, closed, as far as we know; nil: to be read
	latestAt     time.Time     // when latest was known, by the monotonic clock
	foreignUntil time.Time     // until then the open order belongs to another engine
	haltReason   error         // books and rail contradict each other: no more orders

	placedID       ledger.ID // the newest order placed by this Engine and never owned by another engine
	checkedID      ledger.ID // the newest order with a passed check
	cutID          ledger.ID // the newest order cut to the largest order
	awaitingID     ledger.ID // the newest order reported as waiting for approval
	oldEngineID    ledger.ID // the order reported as placed by an old engine
	newestChecked  uint64    // sequence of the newest order with a check
	prefundWait    prefundWait
	paymentsInPart int // payments in part in a row
}

// trackedOrder is an open order of ours.
type trackedOrder struct {
	OpenOrder

	final         *settlerAnswer // set by the Settler's final answer, until the ledger has it
	claims        *claimNumber
	stuckReported bool      // Events.Stuck was called
	closeRefused  bool      // the ledger refused to close it
	voidReason    error     // set when the order is to be voided unpaid
	releasedAt    time.Time // see Order.ReleasedAt; the zero time: not later than the order
}

// claimNumber is the number of our newest claim on an order; 0 is the order itself. The visit and
// the lease renewal share the number.
type claimNumber struct{ atomic.Uint64 }

// raise sets the number, unless a larger number is set.
func (c *claimNumber) raise(number uint64) {
	for old := c.Load(); old < number && !c.CompareAndSwap(old, number); old = c.Load() {
	}
}

// settlerAnswer is a Settler's final answer about an order.
type settlerAnswer struct {
	paid          ledger.Amount
	declineReason error // why the rest is owed again; nil if the order is closed with a payment alone
}

// prefundWait is when a prefunding order may follow an earlier prefunding order.
type prefundWait struct {
	order     ledger.ID // the earlier order
	notBefore time.Time
}

// findOpen returns the open order if it has this id, or nil.
func (s *accountState) findOpen(id ledger.ID) *trackedOrder {
	if s.openOrder == nil || s.openOrder.ID != id {
		return nil
	}
	return s.openOrder
}

// setOpen notes that an order of ours is open.
func (s *accountState) setOpen(o Order) {
	if s.findOpen(o.ID) == nil {
		s.openOrder = &trackedOrder{OpenOrder: OpenOrder{OwnedByThisInstance: true}, claims: new(claimNumber)}
	}
	s.openOrder.Order, s.latest, s.foreignUntil = o, nil, time.Time{}
}

// setReleased notes that no rail was asked for the open order before a time.
func (s *accountState) setReleased(at time.Time) {
	s.openOrder.releasedAt = latestTime(s.openOrder.releasedAt, at)
}

// setPlaced notes that this Engine has placed an order.
func (s *accountState) setPlaced(o Order) {
	s.setOpen(o)
	s.placedID = o.ID
}

// setLookedUp notes a placed order as read from the ledger, and whether the order was cut to the
// largest order.
func (s *accountState) setLookedUp(o Order, cut bool) {
	s.setOpen(o)
	if cut {
		s.cutID = o.ID
	}
	if o.tag.isChecked() {
		s.newestChecked = max(s.newestChecked, o.Sequence)
	}
}

// setClosed notes that no order of ours is open any more.
func (s *accountState) setClosed() { s.openOrder = nil }

// setLatest notes the newest order, which is closed.
func (s *accountState) setLatest(latest *latestOrder) { s.latest, s.latestAt = latest, time.Now() }

// setForeign notes that the open order belongs to another engine, at least until the given time.
func (s *accountState) setForeign(until time.Time) {
	s.openOrder, s.foreignUntil = nil, until
}

// setOwnedByOther notes that a second engine owned our order, and may have given the order to a rail.
// The note stays when we take the order back.
func (s *accountState) setOwnedByOther(o Order) {
	if s.placedID == o.ID {
		s.placedID = ledger.ID{}
	}
	if open := s.findOpen(o.ID); open != nil {
		open.voidReason = nil
	}
}

// setHalted stops the account's orders for as long as the Engine runs.
func (s *accountState) setHalted(reason error) {
	s.openOrder, s.haltReason = nil, reason
}

// setStillOpen notes why the account's order, if any, is still open. The first time that the order
// has been open for too long, setStillOpen returns the order.
func (s *accountState) setStillOpen(reason error, placedBefore time.Time) (stuck *OpenOrder) {
	o := s.openOrder
	if o == nil {
		return nil
	}
	o.LastErr = reason
	if o.stuckReported || o.PlacedAt.IsZero() || !o.PlacedAt.Before(placedBefore) {
		return nil
	}
	o.stuckReported = true
	copied := o.OpenOrder
	return &copied
}

// partsAtOnce is how many payments in part may follow in a row before the next order waits.
const partsAtOnce = 2

// setPaid notes that our order was posted with a payment, at a time of [Config.Clock]: the order is
// closed, and the newest one. moreDue reports whether the order was cut to the largest order and paid
// in full; inParts whether the rail pays in part again and again, so the next order waits for a
// backoff.
func (s *accountState) setPaid(p Payment, inFull bool, at time.Time) (moreDue, inParts bool) {
	s.openOrder = nil
	s.setLatest(&latestOrder{Order: p.Order, timestamp: at, posted: true})
	if !inFull {
		s.paymentsInPart++
		return false, s.paymentsInPart > partsAtOnce
	}
	s.paymentsInPart = 0
	return s.cutID == p.Order.ID, false
}

// isUnchecked reports whether this Engine placed the order and its check has not passed yet. The
// Settler was not called for such an order.
func (s *accountState) isUnchecked(o Order) bool {
	return s.placedID == o.ID && s.checkedID != o.ID
}

// markOldEngine returns true, once for an order, if the order has no check although an earlier
// order has one, or although the order is newer than this Engine.
func (s *accountState) markOldEngine(o Order, newer bool) (report bool) {
	if o.tag.isChecked() {
		s.newestChecked = max(s.newestChecked, o.Sequence)
		return false
	}
	if s.oldEngineID == o.ID || !newer && (s.newestChecked == 0 || o.Sequence <= s.newestChecked) {
		return false
	}
	s.oldEngineID = o.ID
	return true
}

// nextPrefund returns when a prefunding order may follow latest, a prefunding order too: after wait
// and a random time of up to the same length, drawn once for each order.
func (s *accountState) nextPrefund(latest *latestOrder, wait time.Duration) time.Time {
	if id := latest.newestOrderID(); s.prefundWait.order != id {
		s.prefundWait = prefundWait{id, latest.timestamp.Add(wait + rand.N(max(wait, 1)))}
	}
	return s.prefundWait.notBefore
}

// markAwaiting returns true, once for an order, when the order waits for approval.
func (s *accountState) markAwaiting(o Order) (report bool) {
	report = s.awaitingID != o.ID
	s.awaitingID = o.ID
	return report
}

// clearAwaiting returns true, once, for an order reported as waiting that does not wait any more.
func (s *accountState) clearAwaiting(o Order) (report bool) {
	if s.awaitingID != o.ID {
		return false
	}
	s.awaitingID = ledger.ID{}
	return true
}
