package aggregate

import (
	"context"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// holdBackLimit is how long a hold-back lasts at most: prepares wait for its end.
const holdBackLimit = 3 * time.Second

// holdBack keeps a peer's reservations at what its packets need.
type holdBack struct {
	peer      *peer
	until     time.Duration // by the monotonic clock
	isEnded   bool
	isReached bool          // the ledger has the rest of the headroom; set before answered is closed
	answered  chan struct{} // closed when isReached is set, or will not be; nil from then on
}

// holdBack begins a hold-back: the next round renews no more of the peer's reservations than its packets
// need, and top-ups wait.
func (m *machine) holdBack(now moment, p *peer) *holdBack {
	m.observe(now)
	h := &holdBack{peer: p, until: m.mono + holdBackLimit, answered: make(chan struct{})}
	m.holdBacks = append(m.holdBacks, h)
	p.heldBack++
	// A reservation of the round under way may be larger than what counts until its answer.
	isCut := m.round != nil && p.cutIn == m.round.round.number
	if isCut || p.kept().Less(ledger.NewAmount(p.reservedInAll())) {
		m.dueRenewal(p)
		m.cutNow = true
	}
	return h
}

// isHeldBack reports whether the ledger has the peer's headroom but for what packets need.
func (m *machine) isHeldBack(p *peer) bool {
	return p.asked == 0 && !p.renew && (m.round == nil || p.cutIn != m.round.round.number)
}

// endHoldBack ends a hold-back, once. The prepares that waited for it get their top-up.
func (m *machine) endHoldBack(h *holdBack) {
	if h.isEnded {
		return
	}
	h.isEnded = true
	if h.peer.heldBack--; h.peer.heldBack == 0 && !m.closing {
		m.want(h.peer)
	}
}

// endHoldBacks ends the hold-backs whose time has passed.
func (m *machine) endHoldBacks() {
	for _, h := range m.holdBacks {
		if h.until <= m.mono || m.closing {
			m.endHoldBack(h)
		}
	}
}

// takeAnswers returns the channels of the hold-backs that have an answer, and forgets those that have ended.
func (m *machine) takeAnswers() (answered []chan struct{}) {
	if len(m.holdBacks) == 0 { // nearly always
		return nil
	}
	kept := m.holdBacks[:0]
	for _, h := range m.holdBacks {
		h.isReached = h.isReached || !h.isEnded && m.stopped == nil && m.isHeldBack(h.peer)
		if h.answered != nil && (h.isReached || h.isEnded || m.stopped != nil) {
			answered = append(answered, h.answered)
			h.answered = nil
		}
		if !h.isEnded {
			kept = append(kept, h)
		}
	}
	clear(m.holdBacks[len(kept):])
	m.holdBacks = kept
	return answered
}

// HoldBack implements settlement.Reservations: it gives the headroom that is reserved for the peer's next
// packets back to the ledger, and returns when the ledger has it. Packets in flight keep their part. Until
// release is called, for at most 3 s, prepares beyond that part wait, and no others.
//
// The error is the context's, or matches [ErrStopped]. A closed recorder has no reservations beyond those of
// packets in flight.
func (r *Recorder) HoldBack(ctx context.Context, account accounts.PeerAccount) (release func(), err error) {
	none := func() {}
	r.mu.Lock()
	p := r.machine.byID.find(account.ID())
	if p == nil || p.isOwn || r.closed || r.machine.stopped != nil {
		defer r.mu.Unlock()
		return none, r.machine.stopped
	}
	h := r.machine.holdBack(r.clock.now(), p)
	answered := h.answered
	work := r.takeWork()
	r.mu.Unlock()
	r.publish(work)
	select {
	case <-answered:
	case <-r.loopDone:
	case <-ctx.Done():
		r.releaseHeldBack(h)
		return nil, context.Cause(ctx)
	}
	r.mu.Lock()
	isReached, closed, stopped := h.isReached, r.closed, r.machine.stopped
	r.mu.Unlock()
	switch {
	case isReached:
		return func() { r.releaseHeldBack(h) }, nil
	case stopped != nil:
		return nil, stopped
	case closed:
		return none, nil
	default:
		return nil, fmt.Errorf("the ledger has not answered within %v: %w", holdBackLimit, context.DeadlineExceeded)
	}
}

// releaseHeldBack ends a hold-back.
func (r *Recorder) releaseHeldBack(h *holdBack) {
	r.mu.Lock()
	r.machine.endHoldBack(h)
	work := r.takeWork()
	r.mu.Unlock()
	r.publish(work)
}
