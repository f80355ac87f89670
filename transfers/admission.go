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
	g := &admission{
		book: book, clock: cfg.Clock, refreshFailed: cfg.Events.RefreshFailed, recorderDone: recorderDone,
		hasPacketLimits: book.HasPacketLimits(), floors: newFloorLimits(book), limitsByPeer: make(map[ledger.ID]*peerLimits),
		refreshed: make(chan struct{}), refreshRequested: make(chan struct{}, 1),
	}
	g.suspended.Store(&map[ledger.ID]struct{}{})
	if g.hasCaps = book.HasCaps() || len(g.floors) > 0; g.hasCaps {
		g.holds = newHeldPackets()
	}
	if !cfg.AllowArrears {
		g.debtors = newDebtors()
	}
	return g
}

// limitSettings returns the limits of a peer; nil for ourselves.
func (g *admission) limitsOf(a accounts.PeerAccount) *peerLimits {
	if a.IsOwn() {
		return nil
	}
	g.mu.RLock()
	l := g.limitsByPeer[a.ID()]
	g.mu.RUnlock()
	if l != nil {
		return l
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if l = g.limitsByPeer[a.ID()]; l == nil {
		l = newPeerLimits(g.book, a)
		g.limitsByPeer[a.ID()] = l
	}
	return l
}

// waitUntilLoaded waits until the caps of a new packet's peers can be checked. The first
// packet of a peer waits for a refresh.
func (g *admission) waitUntilLoaded(ctx context.Context, o *operation) error {
	if o.kind != KindPrepare || !g.hasCaps {
		return nil
	}
	from, to := o.packet.From, o.packet.To
	for _, l := range [...]*peerLimits{g.limitsOf(from), g.limitsOf(to), g.floors[from.Ledger()], g.floors[to.Ledger()]} {
		if l == nil {
			continue
		}
		if err := g.waitForLimits(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

func (g *admission) waitForLimits(ctx context.Context, l *peerLimits) error {
	for {
		next := g.nextRefresh()
		if isLoaded, err := l.checkLoaded(); isLoaded || err != nil {
			return err
		}
		if err := g.waitForRefresh(ctx, next); err != nil {
			return err
		}
	}
}

// reserveLimits counts an operation against the limits of the peers, or returns the exceeded
// limit. An operation not sent afterwards must be passed to cancelReservation.
func (g *admission) reserveLimits(o *operation) error {
	if o.kind == KindPrepare {
		if err := g.checkPeers(&o.packet); err != nil {
			return err
		}
	}
	if err := g.reserveCaps(o); err != nil || o.kind != KindPrepare || !g.hasPacketLimits {
		return err
	}
	err := g.limitsOf(o.packet.From).takeRate(o.packet.In, o.fromAsset.asset, g.clock())
	if err != nil {
		g.cancelReservation(o)
	}
	return err
}

// checkPeers refuses a new packet of a suspended peer, and a new packet from a peer in
// arrears. Packets to a peer in arrears are taken: the peer earns with them.
func (g *admission) checkPeers(p *Packet) error {
	if g.debtors != nil && g.debtors.isInArrears(p.From) {
		return fmt.Errorf("%w: %v", ErrInArrears, p.From)
	}
	suspended := *g.suspended.Load()
	if len(suspended) == 0 {
		return nil
	}
	for _, a := range [...]accounts.PeerAccount{p.From, p.To} {
		if _, isSuspended := suspended[a.ID()]; isSuspended {
			return fmt.Errorf("%w: %v", accounts.ErrSuspended, a)
		}
	}
	return nil
}

// reserveCaps counts an operation against caps and floors. Only a prepare can be refused.
func (g *admission) reserveCaps(o *operation) error {
	if !g.hasCaps || o.legCount == 0 {
		return nil
	}
	var array [maxLimitedAmounts]limitedAmount
	amounts := array[:g.limitedAmounts(o, &array)]
	for i := range amounts {
		a := &amounts[i]
		if o.kind != KindPrepare || a.exempt {
			a.limits.recordSent(o.kind, a.amount, a.direction)
			continue
		}
		if err := a.limits.reserveAmount(a.amount, a.direction); err != nil {
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
func (g *admission) isStaleCap(refusal error) bool {
	var limit *PacketLimitError
	if !errors.As(refusal, &limit) || errors.Is(refusal, ErrRateLimited) {
		return false
	}
	return g.limitsOf(limit.Account).isStale(g.book.SuspensionPollInterval())
}

// cancelReservation takes back the reservation of an operation before it is sent.
func (g *admission) cancelReservation(o *operation) { g.settleReservation(o, answerEffect{}) }

// settleReservations counts answered operations.
func (g *admission) settleReservations(done []*operation) {
	if !g.hasCaps {
		return
	}
	for _, o := range done {
		if o.legCount > 0 {
			g.settleReservation(o, g.trackHold(o))
		}
	}
}

// trackHold adds the packet of an applied prepare to the held packets, and takes a resolved
// packet out. trackHold returns the effect of the answer on the limits.
func (g *admission) trackHold(o *operation) answerEffect {
	outcome := o.slot.outcome
	effect := answerEffect{booked: o.unanswered || outcome.Done() && !o.voiding}
	switch o.kind {
	case KindPrepare:
		if effect.booked {
			g.holds.addPacket(&o.packet)
		}
	case KindFulfill:
		effect.late = o.unanswered || o.slot.late
		effect.freesOwnHold = g.takeHold(o) && outcome == ledger.OutcomeApplied && !effect.late
	case KindReject:
		effect.freesOwnHold = g.takeHold(o) && outcome == ledger.OutcomeApplied
	case KindForward:
	}
	return effect
}

// takeHold takes the packet of a fulfill or reject out of the held packets, and reports
// whether the packet was held. An operation refused as a conflict is of a different packet
// with the same id: the held packet stays.
func (g *admission) takeHold(o *operation) bool {
	return !errors.Is(o.slot.err, ledger.ErrIDConflict) && g.holds.takePacket(&o.packet)
}

func (g *admission) settleReservation(o *operation, effect answerEffect) {
	if !g.hasCaps || o.legCount == 0 {
		return
	}
	var array [maxLimitedAmounts]limitedAmount
	for _, a := range array[:g.limitedAmounts(o, &array)] {
		a.limits.recordAnswered(o.kind, a.amount, a.direction, effect)
	}
}
