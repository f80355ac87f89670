package settlement

import (
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// known is what an Engine knows of an account from earlier looks.
type known struct {
	// Moments are kept without the reading of a monotonic clock: that stands still while a
	// machine is suspended, and what is owed or idle for a day is so by the calendar.
	own     *ownOrder // our order, while it is open as far as we know
	head    *head     // the newest order, closed, as far as we know; nil: to be read
	foreign time.Time // another engine's order is open, and not ours before
	halt    error     // books and rail contradict each other: no more orders
	pressed press
	deaf    time.Time // a peer that presses is not heard before

	refund   bool      // an operator wants the prepayment to be paid back
	placed   ledger.ID // the newest order that this Engine placed
	checked  ledger.ID // the newest order that passed its check
	newest   uint64    // the number of the newest order with a check
	old      ledger.ID // the order of an old engine that was reported
	ahead    aheadWait
	settling bool      // an order was open at the last look, whoever's
	cut      ledger.ID // the newest order that was cut to the largest one
	held     ledger.ID // the newest order of which it was told that it waits to be approved
	parts    int       // how many orders in a row were paid in part
	noLine   bool      // it was reported that the policy cannot pay ahead

	owed     owedTime
	activeAt time.Time // when packets last touched it, as far as we know
	passed   passed
}

// ownOrder is an open order of ours.
type ownOrder struct {
	OpenOrder

	final *answer // the Settler's final answer, until it is booked
	claim uint64  // the number of our newest claim on it; the order itself is number 0
	stuck bool    // Events.Stuck was told

	refused bool  // the ledger refused to close it
	back    error // why it is to be given back, until that is done
}

// answer is what the Settler finally said about an order.
type answer struct {
	paid   ledger.Amount
	giving error // why the rest is given back; nil if the order is closed with a payment alone
}

// press is why a payment should not wait for its policy.
type press uint8

const (
	pressedByNobody press = iota
	pressedByPeer         // it refuses packets; at most once in Config.OrderCooldown
	pressedByHand         // at once
)

// aheadWait is when the next order that pays ahead may follow one.
type aheadWait struct {
	order ledger.ID
	until time.Time
}

// owedTime is since when something is owed.
type owedTime struct {
	known bool      // else since is the zero time, and the ledger has to be asked
	since time.Time // zero: nothing is owed
}

// see takes in whether something is owed now.
func (o *owedTime) see(owed bool, now time.Time) {
	switch {
	case !owed:
		*o = owedTime{known: true}
	case o.known && o.since.IsZero():
		o.since = now
	}
}

// opened notes that an order of ours is open.
func (r *register) opened(o Order) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entry(o.Account)
	if e.own == nil || e.own.ID != o.ID {
		e.own = &ownOrder{OpenOrder: OpenOrder{OwnedByThisInstance: true}}
	}
	e.own.Order, e.head, e.foreign = o, nil, time.Time{}
}

// asked notes that the Settler is called for the account's open order: a refund that was
// asked for is on its way.
func (r *register) asked(a accounts.PeerAccount) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entry(a)
	e.own.Attempts++
	if e.own.Refund {
		e.refund = false
	}
}

// answered notes the Settler's final answer to the account's open order.
func (r *register) answered(a accounts.PeerAccount, final answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entry(a).own.final = &final
}

// refused notes that the ledger refused to close an order of ours.
func (r *register) refused(o Order) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if own := r.entry(o.Account).own; own != nil && own.ID == o.ID {
		own.refused = true
	}
}

// toGiveBack notes that an order of ours is not to be paid, and why.
func (r *register) toGiveBack(o Order, why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if own := r.entry(o.Account).own; own != nil && own.ID == o.ID {
		own.back = why
	}
}

func (r *register) wasRefused(o Order) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	own := r.entry(o.Account).own
	return own != nil && own.ID == o.ID && own.refused
}

// noted is our order that was open as far as we knew, with the Settler's final
// answer if there was one; ok is false if none was.
func (r *register) noted(a accounts.PeerAccount) (open Order, final *answer, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	own := r.entry(a).own
	if own == nil {
		return Order{}, nil, false
	}
	return own.Order, own.final, true
}

// stays notes that the account's order is still open, and why. It returns the order the
// first time that it is open for too long.
func (r *register) stays(a accounts.PeerAccount, err error, placedBefore time.Time) (stuck OpenOrder, tell bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	own := r.entry(a).own
	if own == nil {
		return OpenOrder{}, false
	}
	own.LastErr = err
	tell = !own.stuck && !own.PlacedAt.IsZero() && own.PlacedAt.Before(placedBefore)
	own.stuck = own.stuck || tell
	return own.OpenOrder, tell
}

// closed notes that the account's order is closed in the ledger, or not ours any more.
func (r *register) closed(a accounts.PeerAccount) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entry(a).own = nil
}

// paid notes that our order was posted, at that time by our clock: it is the newest one.
func (r *register) paid(o Order, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entry(o.Account)
	e.own, e.head = nil, &head{Order: o, at: at, posted: true}
	if !e.owed.since.IsZero() {
		e.owed.since = later(e.owed.since, at) // a payment begins a new time
	}
}

// setHead notes the newest order; nil if it has to be read again.
func (r *register) setHead(a accounts.PeerAccount, h *head) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entry(a).head = h
}

// notOurs notes that another engine's order is open, and whose it is until then.
func (r *register) notOurs(a accounts.PeerAccount, until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entry(a)
	e.own, e.foreign = nil, until
}

// halted stops the account's orders for as long as the Engine runs.
func (r *register) halted(a accounts.PeerAccount, why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entry(a).halt = why
}

// haltedBy is why the account gets no orders; nil if it does.
func (r *register) haltedBy(a accounts.PeerAccount) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.entry(a).halt
}

// orders are our open orders, as far as we know.
func (r *register) orders() map[accounts.PeerAccount]ownOrder {
	r.mu.Lock()
	defer r.mu.Unlock()
	open := make(map[accounts.PeerAccount]ownOrder)
	for a, e := range r.entries {
		if e.own != nil {
			open[a] = *e.own
		}
	}
	return open
}

// claimed notes the number of our newest claim on an order.
func (r *register) claimed(o Order, number uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if own := r.entry(o.Account).own; own != nil && own.ID == o.ID {
		own.claim = max(own.claim, number)
	}
}

// press notes that the account should not wait for its policy.
func (r *register) press(a accounts.PeerAccount, by press) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entry(a)
	e.pressed = max(e.pressed, by)
}

// hearLater notes when a peer that presses is heard.
func (r *register) hearLater(a accounts.PeerAccount, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entry(a).deaf = at
}

// relieve notes that a visit has dealt with that.
func (r *register) relieve(a accounts.PeerAccount) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entry(a).pressed = pressedByNobody
}

// of is a copy of what is known of an account.
func (r *register) of(a accounts.PeerAccount) known {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.entry(a).known
	if k.own != nil {
		own := *k.own
		k.own = &own
	}
	return k
}

// learn changes what is known of an account.
func (r *register) learn(a accounts.PeerAccount, f func(*known)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.entry(a).known)
}
