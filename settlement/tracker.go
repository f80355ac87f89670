package settlement

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/peerledger/peerledger/accounts"
)

// tracker remembers accounts between two checks of their balances. No decision about money rests on
// the tracker alone: all of its content may be lost. This file schedules checks and visits;
// account_view.go has the facts shared by all goroutines, account_state.go the facts owned by a
// visit.
type tracker struct {
	newBackOff func() *backoff.ExponentialBackOff

	mu            sync.Mutex // not held across a ledger call
	accounts      map[accounts.PeerAccount]*trackedAccount
	pending       []accounts.PeerAccount             // touched by packets, not in touched yet
	touched       map[accounts.PeerAccount]struct{}  // to be checked by the loop
	wakeups       map[accounts.PeerAccount]time.Time // to be checked then, even without a packet
	reachedLimits map[scopeKey]struct{}              // limits reported as reached
	urgencies     uint64                             // how many urgencies were set
}

// trackedAccount is the tracker's memory of one account. tracker.mu guards every field but state.
type trackedAccount struct {
	view  accountView
	state accountState // owned by the visit; unused between visits

	visit     *accountVisit               // nil: no visit is under way
	notBefore time.Time                   // the loop leaves the account alone until then
	backoff   *backoff.ExponentialBackOff // set from the first error to the next success
}

// accountVisit is one goroutine's turn with an account: until the visit ends, no second goroutine
// settles with the account.
type accountVisit struct {
	account accounts.PeerAccount
	state   *accountState   // this goroutine's alone, so it takes no lock
	tracked *trackedAccount // the tracker keeps it at least as long as the visit
	tracker *tracker
	ended   chan struct{}
	scanned scannedBalance // this goroutine's alone; its balance is nil if there is none
}

func newTracker(newBackOff func() *backoff.ExponentialBackOff) *tracker {
	return &tracker{
		newBackOff:    newBackOff,
		accounts:      make(map[accounts.PeerAccount]*trackedAccount),
		touched:       make(map[accounts.PeerAccount]struct{}),
		wakeups:       make(map[accounts.PeerAccount]time.Time),
		reachedLimits: make(map[scopeKey]struct{}),
	}
}

// beginVisit begins a visit. While an earlier visit of the account is under way, begun is nil and
// current is the earlier visit.
func (t *tracker) beginVisit(a accounts.PeerAccount) (begun, current *accountVisit) {
	t.mu.Lock()
	defer t.mu.Unlock()
	acc := t.ensureAccount(a)
	if acc.visit != nil {
		return nil, acc.visit
	}
	acc.visit = &accountVisit{account: a, state: &acc.state, tracked: acc, tracker: t, ended: make(chan struct{})}
	return acc.visit, nil
}

// publishState shows the visit's open order, and until when an open order is another engine's, to
// other goroutines. The calls are after an order was placed or claimed, before each call of a Settler,
// and after each step.
func (v *accountVisit) publishState() {
	t := v.tracker
	t.mu.Lock()
	defer t.mu.Unlock()
	v.tracked.view.setPublished(v.state)
}

// dropStaleLatest forgets the newest order if a balance has shown a newer order of another engine.
func (v *accountVisit) dropStaleLatest() {
	t := v.tracker
	t.mu.Lock()
	defer t.mu.Unlock()
	view := &v.tracked.view
	if view.latestIsStale {
		v.state.latest, view.latestIsStale = nil, false
	}
}

// scheduleNext notes when the loop comes back after a visit's last step: after the next backoff
// if the visit failed, otherwise as the step's result says.
func (t *tracker) scheduleNext(v *accountVisit, failed bool, now time.Time, last *stepResult) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if failed || last.backoff {
		t.backOff(v.account, now)
		return
	}
	v.tracked.backoff, v.tracked.notBefore = nil, last.notBefore
	if !last.notBefore.IsZero() {
		t.touched[v.account] = struct{}{}
	}
	if !last.wakeAt.IsZero() {
		t.wakeups[v.account] = last.wakeAt
	}
}

// endVisit publishes the visit's state and lets the next visit of the account begin.
func (t *tracker) endVisit(v *accountVisit) {
	t.mu.Lock()
	v.tracked.view.setPublished(v.state)
	v.tracked.visit = nil
	t.mu.Unlock()
	close(v.ended)
}

// maxPending bounds the accounts in pending when the loop cannot keep up.
const maxPending = 1 << 16

// addPending notes accounts with booked packets. The recorder waits for addPending, so addPending
// only copies the list.
func (t *tracker) addPending(list []accounts.PeerAccount, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pending = append(t.pending, list...)
	if len(t.pending) > maxPending {
		t.drainPending(now)
	}
}

// drainPending moves pending accounts to touched, each once. Our own accounts are not settled.
// The caller holds t.mu.
func (t *tracker) drainPending(now time.Time) {
	for _, a := range t.pending {
		if !a.IsOwn() && !a.IsZero() {
			t.ensureAccount(a).view.activeAt = now.Round(0)
			t.touched[a] = struct{}{}
		}
	}
	clear(t.pending) // the array holds on to names of peers
	t.pending = t.pending[:0]
}

// markTouched has the loop check accounts at its next look-up.
func (t *tracker) markTouched(list []accounts.PeerAccount) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range list {
		if !a.IsOwn() && !a.IsZero() {
			t.ensureAccount(a)
			t.touched[a] = struct{}{}
		}
	}
}

// markAll has the loop check every tracked account at its next look-up.
func (t *tracker) markAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for a := range t.accounts {
		t.touched[a] = struct{}{}
	}
}

// allAccounts returns every account that was ever touched, in no order.
func (t *tracker) allAccounts(now time.Time) []accounts.PeerAccount {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drainPending(now)
	return slices.Collect(maps.Keys(t.accounts))
}

// takeReady removes and returns the touched accounts that may be checked now.
func (t *tracker) takeReady(now time.Time) (ready []accounts.PeerAccount) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drainPending(now)
	for a, at := range t.wakeups {
		if !at.After(now) {
			delete(t.wakeups, a)
			t.touched[a] = struct{}{}
		}
	}
	for a := range t.touched {
		if acc := t.ensureAccount(a); acc.visit == nil && !acc.notBefore.After(now) {
			delete(t.touched, a)
			ready = append(ready, a)
		}
	}
	return ready
}

// nextWakeup returns when the first account must be checked even without a packet; zero if no account
// must. An account with a visit under way does not count: the end of the visit wakes the loop.
func (t *tracker) nextWakeup() (next time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	lower := func(at time.Time) {
		if !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	for a := range t.touched {
		if acc := t.ensureAccount(a); acc.visit == nil {
			lower(acc.notBefore)
		}
	}
	for _, at := range t.wakeups {
		lower(at)
	}
	return next
}

// backOffAll makes the loop come back to accounts after their next backoff.
func (t *tracker) backOffAll(list []accounts.PeerAccount, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range list {
		t.backOff(a, now)
	}
}

// backOff is backOffAll for one account. The caller holds t.mu.
func (t *tracker) backOff(a accounts.PeerAccount, now time.Time) {
	acc := t.ensureAccount(a)
	if acc.backoff == nil {
		acc.backoff = t.newBackOff()
	}
	acc.notBefore = now.Add(acc.backoff.NextBackOff())
	t.touched[a] = struct{}{}
}

// postponeUntil makes the loop leave accounts alone until a moment, and check them then.
func (t *tracker) postponeUntil(list []accounts.PeerAccount, moment time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range list {
		t.ensureAccount(a).notBefore = moment
		t.touched[a] = struct{}{}
	}
}

// allowNow ends the time for which the loop leaves an account alone.
func (t *tracker) allowNow(a accounts.PeerAccount) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ensureAccount(a).notBefore = time.Time{}
}

// removeAccount forgets an account, unless a visit of it is under way.
func (t *tracker) removeAccount(a accounts.PeerAccount) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if acc := t.accounts[a]; acc != nil && acc.visit == nil {
		delete(t.accounts, a)
		delete(t.touched, a)
		delete(t.wakeups, a)
	}
}

// ensureAccount returns the tracked account, and adds a new account. The caller holds t.mu.
func (t *tracker) ensureAccount(a accounts.PeerAccount) *trackedAccount {
	acc := t.accounts[a]
	if acc == nil {
		acc = &trackedAccount{}
		t.accounts[a] = acc
	}
	return acc
}
