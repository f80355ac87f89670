package settlement

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// register is what an Engine remembers of accounts between two looks at them. It
// decides nothing about money: all of it may be lost.
//
// An account is visited by one goroutine at a time.
type register struct {
	newBackOff func() *backoff.ExponentialBackOff

	mu      sync.Mutex
	entries map[accounts.Account]*entry
	touched map[accounts.Account]struct{} // to be looked at by the loop
}

type entry struct {
	visit *visit                      // the one under way, or nil
	until time.Time                   // the loop leaves the account alone until then
	waits *backoff.ExponentialBackOff // set from the first error to the next success
	open  *OpenOrder                  // our order, while it is open as far as we know
	final *answer                     // the Settler's final answer to it, until it is booked
	halt  error                       // books and rail contradict each other: no more orders
}

// answer is what the Settler finally said about an order.
type answer struct {
	paid     ledger.Amount
	declined error // nil if it was not
}

// visit is a goroutine's turn with an account.
type visit struct {
	account accounts.Account
	ended   chan struct{}
}

func newRegister(newBackOff func() *backoff.ExponentialBackOff) *register {
	return &register{
		newBackOff: newBackOff,
		entries:    make(map[accounts.Account]*entry),
		touched:    make(map[accounts.Account]struct{}),
	}
}

// touch notes accounts to be looked at. Our own accounts are not settled.
func (r *register) touch(list []accounts.Account) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range list {
		if !a.Own() && !a.IsZero() {
			r.entry(a)
			r.touched[a] = struct{}{}
		}
	}
}

// touchAll notes every account that was ever touched.
func (r *register) touchAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for a := range r.entries {
		r.touched[a] = struct{}{}
	}
}

// all are the accounts that were ever touched, in no order.
func (r *register) all() []accounts.Account {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Keys(r.entries))
}

// take removes and returns the touched accounts that may be looked at now.
func (r *register) take(now time.Time) (ready []accounts.Account) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for a := range r.touched {
		if e := r.entry(a); e.visit == nil && !e.until.After(now) {
			delete(r.touched, a)
			ready = append(ready, a)
		}
	}
	return ready
}

// next is when the first of the touched accounts may be looked at: zero if there
// is none, or if the end of a visit will tell.
func (r *register) next() (next time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for a := range r.touched {
		e := r.entry(a)
		if e.visit == nil && !e.until.IsZero() && (next.IsZero() || e.until.Before(next)) {
			next = e.until
		}
	}
	return next
}

// enter begins a visit. If another one is under way it is returned as busy.
func (r *register) enter(a accounts.Account) (mine, busy *visit) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entry(a)
	if e.visit != nil {
		return nil, e.visit
	}
	e.visit = &visit{account: a, ended: make(chan struct{})}
	return e.visit, nil
}

// leave ends a visit. If it failed, the loop comes back after the next backoff;
// otherwise at until, if that is set.
func (r *register) leave(v *visit, failed bool, now, until time.Time) {
	r.mu.Lock()
	e := r.entries[v.account]
	e.visit = nil
	if failed {
		r.postpone(v.account, e, now)
	} else {
		e.waits, e.until = nil, until
		if !until.IsZero() {
			r.touched[v.account] = struct{}{}
		}
	}
	r.mu.Unlock()
	close(v.ended)
}

// release ends a visit that has nothing to say of the account.
func (r *register) release(v *visit) {
	r.mu.Lock()
	r.entries[v.account].visit = nil
	r.mu.Unlock()
	close(v.ended)
}

// failed makes the loop come back to accounts after their next backoff.
func (r *register) failed(list []accounts.Account, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range list {
		r.postpone(a, r.entry(a), now)
	}
}

// postpone is failed for one account. The lock is held.
func (r *register) postpone(a accounts.Account, e *entry, now time.Time) {
	if e.waits == nil {
		e.waits = r.newBackOff()
	}
	e.until = now.Add(e.waits.NextBackOff())
	r.touched[a] = struct{}{}
}

// forget removes an account that nobody visits.
func (r *register) forget(a accounts.Account) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.entries[a]; e != nil && e.visit == nil {
		delete(r.entries, a)
		delete(r.touched, a)
	}
}

// opened notes that an order is open.
func (r *register) opened(o Order) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entry(o.Account)
	if e.open == nil || e.open.ID != o.ID {
		e.open, e.final = &OpenOrder{Mine: true}, nil
	}
	e.open.Order = o
}

// asked notes that the Settler is called for the account's open order.
func (r *register) asked(a accounts.Account) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entry(a).open.Attempts++
}

// answered notes the Settler's final answer to the account's open order.
func (r *register) answered(a accounts.Account, final answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entry(a).final = &final
}

// noted is our order that was open as far as we knew, with the Settler's final
// answer if there was one; ok is false if none was.
func (r *register) noted(a accounts.Account) (open Order, final *answer, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entry(a)
	if e.open == nil {
		return Order{}, nil, false
	}
	return e.open.Order, e.final, true
}

// isOpen reports whether an order of ours is open as far as we know.
func (r *register) isOpen(a accounts.Account) bool {
	_, _, open := r.noted(a)
	return open
}

// halted stops the account's orders for as long as the Engine runs.
func (r *register) halted(a accounts.Account, why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entry(a).halt = why
}

// haltedBy is why the account gets no orders; nil if it does.
func (r *register) haltedBy(a accounts.Account) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.entry(a).halt
}

// stays notes that the account's order is still open, and why.
func (r *register) stays(a accounts.Account, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.entry(a); e.open != nil {
		e.open.LastErr = err
	}
}

// closed notes that the account's order is closed in the ledger.
func (r *register) closed(a accounts.Account) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entry(a)
	e.open, e.final = nil, nil
}

// orders are our open orders, as far as we know.
func (r *register) orders() map[accounts.Account]OpenOrder {
	r.mu.Lock()
	defer r.mu.Unlock()
	open := make(map[accounts.Account]OpenOrder)
	for a, e := range r.entries {
		if e.open != nil {
			open[a] = *e.open
		}
	}
	return open
}

// entry is the account's, made if it is missing. The lock is held.
func (r *register) entry(a accounts.Account) *entry {
	e := r.entries[a]
	if e == nil {
		e = &entry{}
		r.entries[a] = e
	}
	return e
}
