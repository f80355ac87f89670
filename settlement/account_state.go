package settlement

import (
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// accountState is what an Engine knows of an account from earlier looks.
type accountState struct {
	// Moments are kept without the reading of a monotonic clock: that stands still while a
	// machine is suspended, and what is owed or idle for a day is so by the calendar.
	openOrder    *trackedOrder // our order, while it is open as far as we know
	latest       *latestOrder  // the newest order, closed, as far as we know; nil: to be read
	foreignUntil time.Time     // another engine's order is open, and not ours before
	haltReason   error         // books and rail contradict each other: no more orders
	urgency      urgency
	urgentAfter  time.Time // a peer that presses is not heard before

	refundWanted    bool      // an operator wants the prepayment to be paid back
	placedID        ledger.ID // the newest order that this Engine placed
	checkedID       ledger.ID // the newest order that passed its check
	newestChecked   uint64    // the number of the newest order with a check
	oldEngineOrder  ledger.ID // the order of an old engine that was reported
	nextPrefund     prefundWait
	hasPending      bool      // an order was open at the last look, whoever's
	cutID           ledger.ID // the newest order that was cut to the largest one
	awaitingID      ledger.ID // the newest order of which it was told that it waits to be approved
	partialPayments int       // how many orders in a row were paid in part
	lineMissing     bool      // it was reported that the policy cannot pay ahead

	owed     owedDuration
	activeAt time.Time // when packets last touched it, as far as we know
	passed   passed
}

// trackedOrder is an open order of ours.
type trackedOrder struct {
	OpenOrder

	settlerAnswer *settlerAnswer // the Settler's final answer, until it is booked
	claimNumber   uint64         // the number of our newest claim on it; the order itself is number 0
	stuckReported bool           // Events.Stuck was told

	closeRefused bool  // the ledger refused to close it
	voidReason   error // why it is to be given back, until that is done
}

// settlerAnswer is what the Settler finally said about an order.
type settlerAnswer struct {
	paid          ledger.Amount
	declineReason error // why the rest is given back; nil if the order is closed with a payment alone
}

// urgency is why a payment should not wait for its policy.
type urgency uint8

const (
	urgencyNone       urgency = iota
	urgencyByPeer             // it refuses packets; at most once in Config.OrderCooldown
	urgencyByOperator         // at once
)

// prefundWait is when the next order that pays ahead may follow one.
type prefundWait struct {
	order     ledger.ID
	notBefore time.Time
}

// owedDuration is since when something is owed.
type owedDuration struct {
	known bool      // else since is the zero time, and the ledger has to be asked
	since time.Time // zero: nothing is owed
}

// observeOwed takes in whether something is owed now.
func (o *owedDuration) observeOwed(owed bool, now time.Time) {
	switch {
	case !owed:
		*o = owedDuration{known: true}
	case o.known && o.since.IsZero():
		o.since = now
	}
}

// setOpen notes that an order of ours is open.
func (r *tracker) setOpen(o Order) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.ensureAccount(o.Account)
	if e.openOrder == nil || e.openOrder.ID != o.ID {
		e.openOrder = &trackedOrder{OpenOrder: OpenOrder{OwnedByThisInstance: true}}
	}
	e.openOrder.Order, e.latest, e.foreignUntil = o, nil, time.Time{}
}

// countAttempt notes that the Settler is called for the account's open order: a refund that was
// asked for is on its way.
func (r *tracker) countAttempt(a accounts.PeerAccount) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.ensureAccount(a)
	e.openOrder.Attempts++
	if e.openOrder.Refund {
		e.refundWanted = false
	}
}

// setAnswer notes the Settler's final answer to the account's open order.
func (r *tracker) setAnswer(a accounts.PeerAccount, final settlerAnswer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ensureAccount(a).openOrder.settlerAnswer = &final
}

// setCloseRefused notes that the ledger refused to close an order of ours.
func (r *tracker) setCloseRefused(o Order) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if own := r.ensureAccount(o.Account).openOrder; own != nil && own.ID == o.ID {
		own.closeRefused = true
	}
}

// setVoidReason notes that an order of ours is not to be paid, and why.
func (r *tracker) setVoidReason(o Order, why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if own := r.ensureAccount(o.Account).openOrder; own != nil && own.ID == o.ID {
		own.voidReason = why
	}
}

func (r *tracker) wasCloseRefused(o Order) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	own := r.ensureAccount(o.Account).openOrder
	return own != nil && own.ID == o.ID && own.closeRefused
}

// notedOrder is our order that was open as far as we knew, with the Settler's final
// answer if there was one; ok is false if none was.
func (r *tracker) notedOrder(a accounts.PeerAccount) (open Order, final *settlerAnswer, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	own := r.ensureAccount(a).openOrder
	if own == nil {
		return Order{}, nil, false
	}
	return own.Order, own.settlerAnswer, true
}

// setStillOpen notes that the account's order is still open, and why. It returns the order the
// first time that it is open for too long.
func (r *tracker) setStillOpen(a accounts.PeerAccount, err error, placedBefore time.Time) (stuck OpenOrder, tell bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	own := r.ensureAccount(a).openOrder
	if own == nil {
		return OpenOrder{}, false
	}
	own.LastErr = err
	tell = !own.stuckReported && !own.PlacedAt.IsZero() && own.PlacedAt.Before(placedBefore)
	own.stuckReported = own.stuckReported || tell
	return own.OpenOrder, tell
}

// setClosed notes that the account's order is closed in the ledger, or not ours any more.
func (r *tracker) setClosed(a accounts.PeerAccount) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ensureAccount(a).openOrder = nil
}

// setPaid notes that our order was posted, at that time by our clock: it is the newest one.
func (r *tracker) setPaid(o Order, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.ensureAccount(o.Account)
	e.openOrder, e.latest = nil, &latestOrder{Order: o, timestamp: at, posted: true}
	if !e.owed.since.IsZero() {
		e.owed.since = latestTime(e.owed.since, at) // a payment begins a new time
	}
}

// setLatest notes the newest order; nil if it has to be read again.
func (r *tracker) setLatest(a accounts.PeerAccount, h *latestOrder) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ensureAccount(a).latest = h
}

// setForeign notes that another engine's order is open, and whose it is until then.
func (r *tracker) setForeign(a accounts.PeerAccount, until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.ensureAccount(a)
	e.openOrder, e.foreignUntil = nil, until
}

// setHalted stops the account's orders for as long as the Engine runs.
func (r *tracker) setHalted(a accounts.PeerAccount, why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ensureAccount(a).haltReason = why
}

// haltReason is why the account gets no orders; nil if it does.
func (r *tracker) haltReason(a accounts.PeerAccount) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ensureAccount(a).haltReason
}

// openOrdersError are our open orders, as far as we know.
func (r *tracker) openOrders() map[accounts.PeerAccount]trackedOrder {
	r.mu.Lock()
	defer r.mu.Unlock()
	open := make(map[accounts.PeerAccount]trackedOrder)
	for a, e := range r.entries {
		if e.openOrder != nil {
			open[a] = *e.openOrder
		}
	}
	return open
}

// setClaim notes the number of our newest claim on an order.
func (r *tracker) setClaim(o Order, number uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if own := r.ensureAccount(o.Account).openOrder; own != nil && own.ID == o.ID {
		own.claimNumber = max(own.claimNumber, number)
	}
}

// setUrgent notes that the account should not wait for its policy.
func (r *tracker) setUrgent(a accounts.PeerAccount, by urgency) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.ensureAccount(a)
	e.urgency = max(e.urgency, by)
}

// deferUrgent notes when a peer that presses is heard.
func (r *tracker) deferUrgent(a accounts.PeerAccount, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ensureAccount(a).urgentAfter = at
}

// clearUrgent notes that a visit has dealt with that.
func (r *tracker) clearUrgent(a accounts.PeerAccount) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ensureAccount(a).urgency = urgencyNone
}

// stateOf is a copy of what is known of an account.
func (r *tracker) stateOf(a accounts.PeerAccount) accountState {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.ensureAccount(a).accountState
	if k.openOrder != nil {
		own := *k.openOrder
		k.openOrder = &own
	}
	return k
}

// updateState changes what is known of an account.
func (r *tracker) updateState(a accounts.PeerAccount, f func(*accountState)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.ensureAccount(a).accountState)
}
