package transfers

import (
	"errors"
	"sync"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// room is what the caps of a peer leave for new packets, as this recorder sees it: the
// balance of the last look at the ledger, and what the recorder has done since.
//
// A look takes time, and it cannot be told which of the operations that were under way
// meanwhile are in its balance. So what makes the room smaller counts from the moment it
// is let in, unless it was answered before the look began; what makes it larger counts
// when it is answered, and only what was handed over after the look had ended.
//
// What makes the room larger counts only if this recorder had let the packet in. The hold of
// another recorder's packet may be younger than the look: then it is not in the balance, and
// must not be taken off it. For the same reason only what this operation did itself counts: an
// answer "already applied" does not say when. What makes the room smaller counts always, also
// if its outcome is unknown.
//
// The recorder's own packets so never exceed a cap; for moments the room may be smaller than
// it is, by what was under way, and by what was resolved for others.
type room struct {
	account accounts.Account
	asset   accounts.Asset
	capped  bool // the peer has a cap
	allowed accounts.Allowance

	mu      sync.Mutex
	looked  time.Time // when the last look ended; zero if there was none
	err     error     // why not
	missing bool      // the peer was not provisioned at the last look
	active  bool      // there were operations since the last look began
	balance accounts.Balance
	heldCap ledger.Amount // of the balance's line
	flows   flows
	begun   flows // when the look under way began
	before  flows // when the look that balance is of began
	after   flows // and when it had ended

	packets bucket // of what the peer sends
	amounts bucket
}

func newRoom(book *accounts.Book, a accounts.Account) *room {
	r := &room{account: a}
	r.asset, _ = book.Asset(a.Ledger())
	var err error
	if r.allowed, err = book.Allowance(a); err != nil {
		r.err = err
		return r
	}
	r.capped = r.allowed.PayableCapped || r.allowed.HeldCapped
	r.packets.rate, r.amounts.rate = r.allowed.PacketRate, r.allowed.AmountRate
	return r
}

// state reports whether the caps can be checked, and what is in the way if they never
// can be, or could not at the last look: that is told once.
func (r *room) state() (known bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	err = r.err
	if r.capped {
		r.err = nil
	}
	known = !r.capped || !r.looked.IsZero()
	r.active = r.active || !known // somebody will wait for a look
	return known, err
}

// admit lets a prepare in, if the caps leave room for it.
func (r *room) admit(amount ledger.Amount, s side) error {
	if r == nil || !r.capped {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.active = true
	if r.looked.IsZero() {
		return ErrNotLookedUp
	}
	if err := r.check(amount, s); err != nil {
		return err
	}
	add(&r.flows[s].admitted, amount)
	return nil
}

// check compares what is used of a side's cap with the cap. REQUIRES: mu is held.
func (r *room) check(amount ledger.Amount, s side) error {
	var used, limit ledger.Amount
	var reason error
	switch {
	case s == incoming && r.allowed.HeldCapped:
		used, limit, reason = r.held(), r.heldLimit(), ErrHeldShare
	case s == outgoing && r.allowed.PayableCapped:
		used, limit, reason = r.payable(), r.payableLimit(), r.payableReason()
	default:
		return nil
	}
	if total, fits := used.Add(amount); fits && !limit.Less(total) {
		return nil
	}
	return &LimitError{Account: r.account, Asset: r.asset, Reason: reason, Limit: limit, Used: used, Wanted: amount}
}

// payable is the most that we may owe the peer by now, packets in flight included, apart
// from what it owes us.
func (r *room) payable() ledger.Amount {
	f := &r.flows[outgoing]
	total := sum(r.balance.Payable, r.balance.HeldOut, f.admitted.SubFloor(r.before[outgoing].answered), f.fulfilling)
	return total.SubFloor(f.voided.SubFloor(r.after[outgoing].voiding))
}

// payableReason is what says that there is no room: our own liquidity has a floor.
func (r *room) payableReason() error {
	if r.account.Own() {
		return ErrLiquidity
	}
	return ErrPayableCap
}

func (r *room) payableLimit() ledger.Amount {
	paid := r.flows[incoming].posted.SubFloor(r.after[incoming].posting)
	return sum(r.allowed.PayableCap, r.balance.Receivable, paid)
}

// held is the most that packets from the peer may hold by now.
func (r *room) held() ledger.Amount {
	f, after := &r.flows[incoming], &r.after[incoming]
	total := sum(r.balance.HeldIn, f.admitted.SubFloor(r.before[incoming].answered))
	return total.SubFloor(f.voided.SubFloor(after.voiding)).SubFloor(f.posted.SubFloor(after.posting))
}

// heldLimit is the share of the line, and what is the peer's own.
func (r *room) heldLimit() ledger.Amount {
	earned := r.flows[outgoing].posted.SubFloor(r.after[outgoing].posting)
	spent := r.flows[incoming].charging.SubFloor(r.before[incoming].charged)
	own := sum(r.balance.Payable, earned).SubFloor(sum(r.balance.Receivable, r.balance.Settling, spent))
	return sum(r.heldCap, own)
}

// hand notes that an operation on a packet is handed over.
func (r *room) hand(kind Kind, amount ledger.Amount, s side) {
	if r == nil || !r.capped {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.active = true
	switch f := &r.flows[s]; kind {
	case KindFulfill:
		add(&f.charging, amount)
		add(&f.fulfilling, amount)
		add(&f.posting, amount)
	case KindReject:
		add(&f.voiding, amount)
	case KindPrepare, KindForward:
		add(&f.admitted, amount)
	}
}

// answer notes what became of an operation.
func (r *room) answer(kind Kind, amount ledger.Amount, s side, became fate) {
	if r == nil || !r.capped {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.active = true
	f := &r.flows[s]
	switch kind {
	case KindPrepare, KindForward:
		add(&f.answered, amount)
		if !became.booked {
			add(&f.voiding, amount)
			add(&f.voided, amount)
		}
	case KindReject:
		count(&f.voiding, &f.voided, amount, became.gains)
	case KindFulfill:
		f.fulfilling = f.fulfilling.SubFloor(amount)
		count(&f.charging, &f.charged, amount, became.booked)
		count(&f.posting, &f.posted, amount, became.gains)
		if became.late && s == outgoing {
			add(&f.admitted, amount)
			add(&f.answered, amount)
		}
	}
}

// stale reports whether there was no look for longer than a round: others may have made
// room since.
func (r *room) stale(round time.Duration) bool {
	if r == nil || !r.capped {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.active = true
	return time.Since(r.looked) > round
}

// begin notes that a look begins. It reports whether one is needed, and whether there was
// one before.
func (r *room) begin() (needed, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known = !r.looked.IsZero()
	switch {
	case !r.capped:
		return false, known
	case r.active:
	case r.missing:
		return false, known // nobody asks for it
	case known && r.balance.HeldIn.IsZero() && r.balance.HeldOut.IsZero():
		return false, known // nothing of ours is under way, and nothing can expire
	}
	r.begun, r.active = r.flows, false
	return true, known
}

// mark notes that a look begins, whoever is active.
func (r *room) mark() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begun, r.active = r.flows, false
}

// end takes in what a look has found; if it has found nothing, err says why.
func (r *room) end(b accounts.Balance, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.missing = errors.Is(err, accounts.ErrNotProvisioned)
	if err != nil {
		r.err, r.active = err, !r.missing
		return
	}
	r.looked, r.err, r.balance, r.heldCap = time.Now(), nil, b, r.allowed.HeldCap(b.CreditLine)
	r.before, r.after = r.begun, r.flows
}
