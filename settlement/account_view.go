package settlement

import (
	"time"

	"github.com/peerledger/peerledger/accounts"
)

// accountView is the shared part of a tracked account: any goroutine may read a copy, and change the
// view through the tracker's methods.
//
// Times are kept without their monotonic reading. The monotonic clock stands still while a machine
// is suspended, and a day of debt is a day of the calendar.
type accountView struct {
	// Published by visits.
	openOrder    *trackedOrder // our open order, as a copy that never changes; nil if none is known
	foreignUntil time.Time     // until then the open order belongs to another engine

	urgency      urgency
	urgentNumber uint64    // tracker.urgencies when the urgency was last set
	urgentAfter  time.Time // urgencyByPeer counts from then on
	refundWanted bool      // an operator wants the prepayment to be paid back

	// Taken from balances and packets.
	hasPending    bool // an order of any engine was open at the last look
	latestIsStale bool // another engine has ordered since the newest order was read
	owedFor       owedDuration
	activeAt      time.Time // of the newest packet, as far as we know
	holdBackAfter time.Time // the account's reservations are left alone until then
	lineMissing   bool      // it was reported that the policy cannot pay ahead
	crossed       crossedThresholds
}

// urgency is why a payment should not wait for its policy.
type urgency uint8

const (
	urgencyNone       urgency = iota
	urgencyByPeer             // the peer refuses packets; counts once in Config.OrderCooldown
	urgencyByOperator         // counts at once
)

// owedDuration is since when something is owed.
type owedDuration struct {
	known bool      // false: since is zero, and the ledger has to be asked
	since time.Time // zero: nothing is owed
}

// observe updates the duration by whether something is owed now.
func (o *owedDuration) observe(owed bool, now time.Time) {
	switch {
	case !owed:
		*o = owedDuration{known: true}
	case o.known && o.since.IsZero():
		o.since = now
	}
}

// hasOrder reports whether an order of the account is open, ours or another engine's.
func (v *accountView) hasOrder() bool { return v.openOrder != nil || v.hasPending }

// setPublished copies the open order and foreignUntil of a visit into the view.
func (v *accountView) setPublished(s *accountState) {
	v.foreignUntil, v.openOrder = s.foreignUntil, nil
	if s.openOrder != nil {
		copied := *s.openOrder
		v.openOrder = &copied
	}
}

// viewOf returns a copy of an account's view.
func (t *tracker) viewOf(a accounts.PeerAccount) accountView {
	return t.updateView(a, func(*accountView) {})
}

// updateView changes an account's view and returns a copy of it.
func (t *tracker) updateView(a accounts.PeerAccount, update func(*accountView)) accountView {
	t.mu.Lock()
	defer t.mu.Unlock()
	view := &t.ensureAccount(a).view
	update(view)
	return *view
}

// viewAfterPackets is viewOf after the pending packets were noted.
func (t *tracker) viewAfterPackets(a accounts.PeerAccount, now time.Time) accountView {
	t.mu.Lock()
	t.drainPending(now)
	t.mu.Unlock()
	return t.viewOf(a)
}

// openOrders returns our open orders, as far as we know.
func (t *tracker) openOrders() map[accounts.PeerAccount]*trackedOrder {
	t.mu.Lock()
	defer t.mu.Unlock()
	open := make(map[accounts.PeerAccount]*trackedOrder)
	for a, acc := range t.accounts {
		if acc.view.openOrder != nil {
			open[a] = acc.view.openOrder
		}
	}
	return open
}

// setUrgent notes that an account's payment should not wait for its policy.
func (t *tracker) setUrgent(a accounts.PeerAccount, by urgency) {
	t.updateView(a, func(v *accountView) {
		t.urgencies++
		v.urgency, v.urgentNumber = max(v.urgency, by), t.urgencies
	})
}

// countUrgencies returns how many urgencies were set. A balance read afterwards has what was owed when they were set.
func (t *tracker) countUrgencies() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.urgencies
}

// deferUrgent notes from when on a peer's urgency counts.
func (t *tracker) deferUrgent(a accounts.PeerAccount, from time.Time) {
	t.updateView(a, func(v *accountView) { v.urgentAfter = from })
}

// clearUrgent notes that the urgency handled was dealt with, by a balance read after so many urgencies were set. An
// urgency set since stays: the balance may lack what it is about.
func (t *tracker) clearUrgent(a accounts.PeerAccount, handled urgency, urgencies uint64) {
	t.updateView(a, func(v *accountView) {
		if v.urgency == handled && v.urgentNumber <= urgencies {
			v.urgency = urgencyNone
		}
	})
}

// setRefundWanted notes whether an operator wants the account's prepayment to be paid back.
func (t *tracker) setRefundWanted(a accounts.PeerAccount, wanted bool) {
	t.updateView(a, func(v *accountView) { v.refundWanted = wanted })
}

// markLatestStale makes the next step of a visit read the newest order again.
func (t *tracker) markLatestStale(a accounts.PeerAccount) {
	t.updateView(a, func(v *accountView) { v.latestIsStale = true })
}

// markLineMissing notes whether the account's policy wants to pay ahead without a credit line.
// It returns true once, until the peer has a line.
func (t *tracker) markLineMissing(a accounts.PeerAccount, missing bool) (report bool) {
	t.updateView(a, func(v *accountView) {
		report = missing && !v.lineMissing
		v.lineMissing = missing
	})
	return report
}

// setPaid notes a payment at a time of [Config.Clock]: the duration of the debt begins anew. moreDue
// means that the order was cut to the largest order and paid in full. The rest then waits for no
// policy: it was due with the order.
func (t *tracker) setPaid(o Order, at time.Time, moreDue bool) {
	t.updateView(o.Account, func(v *accountView) {
		if !v.owedFor.since.IsZero() {
			v.owedFor.since = latestTime(v.owedFor.since, at)
		}
		if moreDue {
			v.urgency = urgencyByOperator
			v.refundWanted = v.refundWanted || o.Refund
		}
	})
}

// markReached returns true once for a limit, until clearReached.
func (t *tracker) markReached(limit scopeKey) (report bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, reported := t.reachedLimits[limit]
	t.reachedLimits[limit] = struct{}{}
	return !reported
}

// clearReached notes that an order fits a limit.
func (t *tracker) clearReached(limit scopeKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.reachedLimits, limit)
}
