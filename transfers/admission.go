package transfers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// admission enforces the limits that the ledger cannot enforce. A new packet is refused if a
// peer is suspended, if the sender is in arrears, or if a cap, a rate or a liquidity floor is
// exceeded ([accounts.Limits], [accounts.Config]). The refresher (refresh.go) reads the
// ledger once per poll interval; in between, admission counts the recorder's own packets.
type admission struct {
	book            *accounts.Book
	clock           func() time.Time
	refreshFailed   func(error)     // may be nil
	recorderDone    <-chan struct{} // closed when the recorder is closed
	hasCaps         bool            // some peer has a cap, or some asset a liquidity floor
	hasPacketLimits bool            // some peer has a MaxPacket, MaxHold or rate

	// suspended are the ids of the suspended peers' accounts. The map is replaced, never
	// changed, and empty until the first refresh. A suspension takes effect at most a
	// poll interval after the suspension was made, or after the start of the recorder.
	suspended        atomic.Pointer[map[ledger.ID]struct{}]
	newestSuspension time.Time // ledger time of the newest suspension read; of the refresher alone

	debtors *debtors     // nil with Config.AllowArrears
	holds   *heldPackets // nil without caps

	mu           sync.RWMutex
	limitsByPeer map[ledger.ID]*peerLimits // of each peer with a packet; entries are never removed
	floors       map[uint32]*peerLimits    // our liquidity by ledger number, in assets with a floor; never changed
	refreshed    chan struct{}             // closed and replaced after each refresh

	refreshRequested chan struct{} // holds a token while a caller waits for a refresh
}

func newAdmission(book *accounts.Book, cfg *Config, recorderDone <-chan struct{}) *admission {
	a := &admission{
		book: book, clock: cfg.Clock, refreshFailed: cfg.Events.RefreshFailed, recorderDone: recorderDone,
		hasPacketLimits: book.HasPacketLimits(), floors: newFloorLimits(book), limitsByPeer: make(map[ledger.ID]*peerLimits),
		refreshed: make(chan struct{}), refreshRequested: make(chan struct{}, 1),
	}
	a.suspended.Store(&map[ledger.ID]struct{}{})
	if a.hasCaps = book.HasCaps() || len(a.floors) > 0; a.hasCaps {
		a.holds = newHeldPackets()
	}
	if !cfg.AllowArrears {
		a.debtors = newDebtors()
	}
	return a
}

// limitsOf returns the limits of a peer; nil for ourselves.
func (a *admission) limitsOf(peer accounts.PeerAccount) *peerLimits {
	if peer.IsOwn() {
		return nil
	}
	a.mu.RLock()
	l := a.limitsByPeer[peer.ID()]
	a.mu.RUnlock()
	if l != nil {
		return l
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if l = a.limitsByPeer[peer.ID()]; l == nil {
		l = newPeerLimits(a.book, peer)
		a.limitsByPeer[peer.ID()] = l
	}
	return l
}

// admitOperation takes a place in the backlog, and reserves the packet's amounts against the
// limits of the peers. After an error, place and amounts are free again. Without mayWait
// nothing waits and ctx is not used.
//
// A refusal by a cap may rest on an old balance: other recorders may have resolved packets
// since. So the refused packet is tried a second time after a refresh, unless the balance is
// younger than a poll interval.
func (a *admission) admitOperation(ctx context.Context, o *operation, b *backlog, mayWait bool) error {
	err := a.tryAdmission(ctx, o, b, mayWait)
	if err == nil || !mayWait || !a.isStaleCap(err) || a.waitForRefresh(ctx, a.nextRefresh()) != nil {
		return err
	}
	return a.tryAdmission(ctx, o, b, mayWait)
}

// tryAdmission is one attempt of admitOperation.
func (a *admission) tryAdmission(ctx context.Context, o *operation, b *backlog, mayWait bool) error {
	if mayWait {
		if err := a.waitUntilLoaded(ctx, o); err != nil {
			return err
		}
	}
	if err := b.takePlace(ctx, o.kind.isPromised(), mayWait); err != nil {
		return err
	}
	err := a.reserveLimits(o)
	if err != nil {
		b.releasePlaces(1)
	}
	return err
}

// waitUntilLoaded waits until the caps of a new packet's peers can be checked. The first
// packet of a peer waits for a refresh.
func (a *admission) waitUntilLoaded(ctx context.Context, o *operation) error {
	if o.kind != KindPrepare || !a.hasCaps {
		return nil
	}
	from, to := o.packet.From, o.packet.To
	for _, l := range [...]*peerLimits{a.limitsOf(from), a.limitsOf(to), a.floors[from.Ledger()], a.floors[to.Ledger()]} {
		if l == nil {
			continue
		}
		if err := a.waitForLimits(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

func (a *admission) waitForLimits(ctx context.Context, l *peerLimits) error {
	for {
		next := a.nextRefresh()
		if isLoaded, err := l.checkLoaded(); isLoaded || err != nil {
			return err
		}
		if err := a.waitForRefresh(ctx, next); err != nil {
			return err
		}
	}
}

// reserveLimits counts an operation against the limits of the peers, or returns the exceeded
// limit. An operation not sent afterwards must be passed to cancelReservation.
func (a *admission) reserveLimits(o *operation) error {
	if o.kind == KindPrepare {
		if err := a.checkPeers(&o.packet); err != nil {
			return err
		}
	}
	if err := a.reserveCaps(o); err != nil || o.kind != KindPrepare || !a.hasPacketLimits {
		return err
	}
	err := a.limitsOf(o.packet.From).takeRate(o.packet.In, o.fromAsset.asset, a.clock())
	if err != nil {
		a.cancelReservation(o)
	}
	return err
}

// checkPeers refuses a new packet from or to a suspended peer, and a new packet from a peer
// in arrears. Packets to a peer in arrears are admitted: the peer earns with them.
func (a *admission) checkPeers(p *Packet) error {
	if a.debtors != nil && a.debtors.isInArrears(p.From) {
		return fmt.Errorf("%w: %v", ErrInArrears, p.From)
	}
	suspended := *a.suspended.Load()
	if len(suspended) == 0 {
		return nil
	}
	for _, peer := range [...]accounts.PeerAccount{p.From, p.To} {
		if _, isSuspended := suspended[peer.ID()]; isSuspended {
			return fmt.Errorf("%w: %v", accounts.ErrSuspended, peer)
		}
	}
	return nil
}

// reserveCaps counts an operation against caps and floors. Only a prepare can be refused.
func (a *admission) reserveCaps(o *operation) error {
	if !a.hasCaps || o.legCount == 0 {
		return nil
	}
	var array [maxLimitedAmounts]limitedAmount
	amounts := array[:a.limitedAmounts(o, &array)]
	for i := range amounts {
		limited := &amounts[i]
		if o.kind != KindPrepare || limited.exempt {
			limited.limits.recordSent(o.kind, limited.amount, limited.direction)
			continue
		}
		if err := limited.limits.reserveAmount(limited.amount, limited.direction); err != nil {
			for _, reserved := range amounts[:i] {
				reserved.limits.recordAnswered(KindPrepare, reserved.amount, reserved.direction, answerEffect{})
			}
			return err
		}
	}
	return nil
}

// isStaleCap reports whether a packet was refused by a cap of a peer whose balance is older
// than a poll interval. Liquidity floors are never stale: every refresh reads them.
func (a *admission) isStaleCap(refusal error) bool {
	var limit *PacketLimitError
	if !errors.As(refusal, &limit) || errors.Is(refusal, ErrRateLimited) {
		return false
	}
	return a.limitsOf(limit.Account).isStale(a.book.SuspensionPollInterval())
}

// cancelReservation takes back the reservation of an operation before it is sent.
func (a *admission) cancelReservation(o *operation) { a.settleReservation(o, answerEffect{}) }

// settleReservations counts answered operations.
func (a *admission) settleReservations(done []*operation) {
	if !a.hasCaps {
		return
	}
	for _, o := range done {
		if o.legCount > 0 {
			a.settleReservation(o, a.trackHold(o))
		}
	}
}

// trackHold adds the packet of an applied prepare to the held packets, and takes a resolved
// packet out. trackHold returns the effect of the answer on the limits.
func (a *admission) trackHold(o *operation) answerEffect {
	outcome := o.slot.outcome
	effect := answerEffect{booked: o.unanswered || outcome.Done() && !o.voiding}
	switch o.kind {
	case KindPrepare:
		if effect.booked {
			a.holds.addPacket(&o.packet)
		}
	case KindFulfill:
		effect.late = o.unanswered || o.slot.late
		effect.freesOwnHold = a.takeHold(o) && outcome == ledger.OutcomeApplied && !effect.late
	case KindReject:
		effect.freesOwnHold = a.takeHold(o) && outcome == ledger.OutcomeApplied
	case KindForward:
	}
	return effect
}

// takeHold takes the packet of a fulfill or reject out of the held packets, and reports
// whether the packet was held. An operation refused as a conflict is of a different packet
// with the same id: the held packet stays.
func (a *admission) takeHold(o *operation) bool {
	return !errors.Is(o.slot.err, ledger.ErrIDConflict) && a.holds.takePacket(&o.packet)
}

func (a *admission) settleReservation(o *operation, effect answerEffect) {
	if !a.hasCaps || o.legCount == 0 {
		return
	}
	var array [maxLimitedAmounts]limitedAmount
	for _, limited := range array[:a.limitedAmounts(o, &array)] {
		limited.limits.recordAnswered(o.kind, limited.amount, limited.direction, effect)
	}
}
