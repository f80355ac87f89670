package settlement

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/peerledger/peerledger/accounts"
)

// tracker is what an Engine remembers of accounts between two looks at them. It
// decides nothing about money: all of it may be lost. This file is about when an
// account is looked at, known.go about what is known of it.
//
// An account is visited by one goroutine at a time.
type tracker struct {
	newBackOff func() *backoff.ExponentialBackOff

	mu      sync.Mutex
	entries map[accounts.PeerAccount]*trackedAccount
	pending []accounts.PeerAccount             // as packets touched them, not sorted out yet
	touched map[accounts.PeerAccount]struct{}  // to be looked at by the loop
	later   map[accounts.PeerAccount]time.Time // to be looked at then, even if nothing happens
	reached map[scopeKey]struct{}              // limits of which it was told that they are reached
}

type trackedAccount struct {
	accountState

	visit     *visit                      // the one under way, or nil
	notBefore time.Time                   // the loop leaves the account alone until then
	backoff   *backoff.ExponentialBackOff // set from the first error to the next success
}

// visit is a goroutine's turn with an account.
type visit struct {
	account accounts.PeerAccount
	ended   chan struct{}
}

func newTracker(newBackOff func() *backoff.ExponentialBackOff) *tracker {
	return &tracker{
		newBackOff: newBackOff,
		entries:    make(map[accounts.PeerAccount]*trackedAccount),
		touched:    make(map[accounts.PeerAccount]struct{}),
		later:      make(map[accounts.PeerAccount]time.Time),
		reached:    make(map[scopeKey]struct{}),
	}
}

// maxPending is how many touches are kept before they are sorted out: what bounds them
// when the loop cannot keep up.
const maxPending = 1 << 16

// addPending notes accounts whose packets were booked. The recorder waits for it, so that it
// only takes the names down.
func (r *tracker) addPending(list []accounts.PeerAccount, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending = append(r.pending, list...)
	if len(r.pending) > maxPending {
		r.drainPending(now)
	}
}

// drainPending notes each account that was touched once. Our own accounts are not settled.
// The lock is held.
func (r *tracker) drainPending(now time.Time) {
	for _, a := range r.pending {
		if !a.IsOwn() && !a.IsZero() {
			r.ensureAccount(a).activeAt = now.Round(0)
			r.touched[a] = struct{}{}
		}
	}
	clear(r.pending) // it holds on to names of peers
	r.pending = r.pending[:0]
}

// readDrained is a copy of what is known of an account, after what touched it.
func (r *tracker) readDrained(a accounts.PeerAccount, now time.Time) accountState {
	r.mu.Lock()
	r.drainPending(now)
	r.mu.Unlock()
	return r.stateOf(a)
}

// markTouched notes accounts to be looked at.
func (r *tracker) markTouched(list []accounts.PeerAccount) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range list {
		if !a.IsOwn() && !a.IsZero() {
			r.ensureAccount(a)
			r.touched[a] = struct{}{}
		}
	}
}

// markAll notes every account that was ever touched.
func (r *tracker) markAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for a := range r.entries {
		r.touched[a] = struct{}{}
	}
}

// allAccounts are the accounts that were ever touched, in no order.
func (r *tracker) allAccounts(now time.Time) []accounts.PeerAccount {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drainPending(now)
	return slices.Collect(maps.Keys(r.entries))
}

// takeReady removes and returns the touched accounts that may be looked at now.
func (r *tracker) takeReady(now time.Time) (ready []accounts.PeerAccount) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drainPending(now)
	for a, t := range r.later {
		if !t.After(now) {
			delete(r.later, a)
			r.touched[a] = struct{}{}
		}
	}
	for a := range r.touched {
		if e := r.ensureAccount(a); e.visit == nil && !e.notBefore.After(now) {
			delete(r.touched, a)
			ready = append(ready, a)
		}
	}
	return ready
}

// nextWakeup is when the first account has to be looked at though nothing happens to it: zero
// if there is none, or if the end of a visit will tell.
func (r *tracker) nextWakeup() (next time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	sooner := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for a := range r.touched {
		if e := r.ensureAccount(a); e.visit == nil {
			sooner(e.notBefore)
		}
	}
	for _, t := range r.later {
		sooner(t)
	}
	return next
}

// beginVisit begins a visit. If another one is under way it is returned as busy.
func (r *tracker) beginVisit(a accounts.PeerAccount) (mine, busy *visit) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.ensureAccount(a)
	if e.visit != nil {
		return nil, e.visit
	}
	e.visit = &visit{account: a, ended: make(chan struct{})}
	return e.visit, nil
}

// endVisit ends a visit. If it failed, the loop comes back after the next backoff;
// otherwise when the last turn says.
func (r *tracker) endVisit(v *visit, failed bool, now time.Time, last stepResult) {
	r.mu.Lock()
	e := r.entries[v.account]
	e.visit = nil
	if failed || last.backoff {
		r.backOff(v.account, e, now)
	} else {
		e.backoff, e.notBefore = nil, last.notBefore
		if !last.notBefore.IsZero() {
			r.touched[v.account] = struct{}{}
		}
		if !last.wakeAt.IsZero() {
			r.later[v.account] = last.wakeAt
		}
	}
	r.mu.Unlock()
	close(v.ended)
}

// cancelVisit ends a visit that has nothing to say of the account.
func (r *tracker) cancelVisit(v *visit) {
	r.mu.Lock()
	r.entries[v.account].visit = nil
	r.mu.Unlock()
	close(v.ended)
}

// backOffAll makes the loop come back to accounts after their next backoff.
func (r *tracker) backOffAll(list []accounts.PeerAccount, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range list {
		r.backOff(a, r.ensureAccount(a), now)
	}
}

// postponeUntil makes the loop leave accounts alone until then.
func (r *tracker) postponeUntil(list []accounts.PeerAccount, until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range list {
		r.ensureAccount(a).notBefore = until
		r.touched[a] = struct{}{}
	}
}

// allowNow has the loop look at an account whenever it is told to.
func (r *tracker) allowNow(a accounts.PeerAccount) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ensureAccount(a).notBefore = time.Time{}
}

// backOff is failed for one account. The lock is held.
func (r *tracker) backOff(a accounts.PeerAccount, e *trackedAccount, now time.Time) {
	if e.backoff == nil {
		e.backoff = r.newBackOff()
	}
	e.notBefore = now.Add(e.backoff.NextBackOff())
	r.touched[a] = struct{}{}
}

// removeAccount removes an account that nobody visits.
func (r *tracker) removeAccount(a accounts.PeerAccount) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.entries[a]; e != nil && e.visit == nil {
		delete(r.entries, a)
		delete(r.touched, a)
		delete(r.later, a)
	}
}

// ensureAccount is the account's, made if it is missing. The lock is held.
func (r *tracker) ensureAccount(a accounts.PeerAccount) *trackedAccount {
	e := r.entries[a]
	if e == nil {
		e = &trackedAccount{}
		r.entries[a] = e
	}
	return e
}
