package settlement

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/peerledger/peerledger/accounts"
)

// register is what an Engine remembers of accounts between two looks at them. It
// decides nothing about money: all of it may be lost. This file is about when an
// account is looked at, known.go about what is known of it.
//
// An account is visited by one goroutine at a time.
type register struct {
	newBackOff func() *backoff.ExponentialBackOff

	mu      sync.Mutex
	entries map[accounts.PeerAccount]*entry
	pending []accounts.PeerAccount             // as packets touched them, not sorted out yet
	touched map[accounts.PeerAccount]struct{}  // to be looked at by the loop
	later   map[accounts.PeerAccount]time.Time // to be looked at then, even if nothing happens
	reached map[scopeKey]struct{}              // limits of which it was told that they are reached
}

type entry struct {
	known

	visit *visit                      // the one under way, or nil
	until time.Time                   // the loop leaves the account alone until then
	waits *backoff.ExponentialBackOff // set from the first error to the next success
}

// visit is a goroutine's turn with an account.
type visit struct {
	account accounts.PeerAccount
	ended   chan struct{}
}

func newRegister(newBackOff func() *backoff.ExponentialBackOff) *register {
	return &register{
		newBackOff: newBackOff,
		entries:    make(map[accounts.PeerAccount]*entry),
		touched:    make(map[accounts.PeerAccount]struct{}),
		later:      make(map[accounts.PeerAccount]time.Time),
		reached:    make(map[scopeKey]struct{}),
	}
}

// pendingMax is how many touches are kept before they are sorted out: what bounds them
// when the loop cannot keep up.
const pendingMax = 1 << 16

// touch notes accounts whose packets were booked. The recorder waits for it, so that it
// only takes the names down.
func (r *register) touch(list []accounts.PeerAccount, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending = append(r.pending, list...)
	if len(r.pending) > pendingMax {
		r.sortOut(now)
	}
}

// sortOut notes each account that was touched once. Our own accounts are not settled.
// The lock is held.
func (r *register) sortOut(now time.Time) {
	for _, a := range r.pending {
		if !a.IsOwn() && !a.IsZero() {
			r.entry(a).activeAt = now.Round(0)
			r.touched[a] = struct{}{}
		}
	}
	clear(r.pending) // it holds on to names of peers
	r.pending = r.pending[:0]
}

// upToDate is a copy of what is known of an account, after what touched it.
func (r *register) upToDate(a accounts.PeerAccount, now time.Time) known {
	r.mu.Lock()
	r.sortOut(now)
	r.mu.Unlock()
	return r.of(a)
}

// look notes accounts to be looked at.
func (r *register) look(list []accounts.PeerAccount) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range list {
		if !a.IsOwn() && !a.IsZero() {
			r.entry(a)
			r.touched[a] = struct{}{}
		}
	}
}

// lookAtAll notes every account that was ever touched.
func (r *register) lookAtAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for a := range r.entries {
		r.touched[a] = struct{}{}
	}
}

// all are the accounts that were ever touched, in no order.
func (r *register) all(now time.Time) []accounts.PeerAccount {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sortOut(now)
	return slices.Collect(maps.Keys(r.entries))
}

// take removes and returns the touched accounts that may be looked at now.
func (r *register) take(now time.Time) (ready []accounts.PeerAccount) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sortOut(now)
	for a, t := range r.later {
		if !t.After(now) {
			delete(r.later, a)
			r.touched[a] = struct{}{}
		}
	}
	for a := range r.touched {
		if e := r.entry(a); e.visit == nil && !e.until.After(now) {
			delete(r.touched, a)
			ready = append(ready, a)
		}
	}
	return ready
}

// next is when the first account has to be looked at though nothing happens to it: zero
// if there is none, or if the end of a visit will tell.
func (r *register) next() (next time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	sooner := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for a := range r.touched {
		if e := r.entry(a); e.visit == nil {
			sooner(e.until)
		}
	}
	for _, t := range r.later {
		sooner(t)
	}
	return next
}

// enter begins a visit. If another one is under way it is returned as busy.
func (r *register) enter(a accounts.PeerAccount) (mine, busy *visit) {
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
// otherwise when the last turn says.
func (r *register) leave(v *visit, failed bool, now time.Time, last turn) {
	r.mu.Lock()
	e := r.entries[v.account]
	e.visit = nil
	if failed || last.backoff {
		r.postpone(v.account, e, now)
	} else {
		e.waits, e.until = nil, last.until
		if !last.until.IsZero() {
			r.touched[v.account] = struct{}{}
		}
		if !last.look.IsZero() {
			r.later[v.account] = last.look
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
func (r *register) failed(list []accounts.PeerAccount, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range list {
		r.postpone(a, r.entry(a), now)
	}
}

// leaveUntil makes the loop leave accounts alone until then.
func (r *register) leaveUntil(list []accounts.PeerAccount, until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range list {
		r.entry(a).until = until
		r.touched[a] = struct{}{}
	}
}

// hurry has the loop look at an account whenever it is told to.
func (r *register) hurry(a accounts.PeerAccount) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entry(a).until = time.Time{}
}

// postpone is failed for one account. The lock is held.
func (r *register) postpone(a accounts.PeerAccount, e *entry, now time.Time) {
	if e.waits == nil {
		e.waits = r.newBackOff()
	}
	e.until = now.Add(e.waits.NextBackOff())
	r.touched[a] = struct{}{}
}

// forget removes an account that nobody visits.
func (r *register) forget(a accounts.PeerAccount) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.entries[a]; e != nil && e.visit == nil {
		delete(r.entries, a)
		delete(r.touched, a)
		delete(r.later, a)
	}
}

// entry is the account's, made if it is missing. The lock is held.
func (r *register) entry(a accounts.PeerAccount) *entry {
	e := r.entries[a]
	if e == nil {
		e = &entry{}
		r.entries[a] = e
	}
	return e
}
