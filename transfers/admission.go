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

// admission decides whether a new packet is taken, by what the ledger cannot enforce: the
// peers are not suspended, the sender is not in arrears, and the caps leave room for it
// (accounts.Limits). Its loop looks at the ledger once a round.
type admission struct {
	book            *accounts.Book
	refreshFailed   func(error) // may be nil
	hasCaps         bool        // there are caps at all, or floors
	hasPacketLimits bool        // there is a limit on packets by themselves
	clock           func() time.Time

	// suspended are the ids of the suspended peers' accounts. The map is replaced, not
	// changed. Until the first look it is empty: a suspension is heeded at the latest one
	// round after it, or after the start.
	suspended        atomic.Pointer[map[ledger.ID]struct{}]
	newestSuspension uint64 // the ledger's time of the newest suspension read; the loop's

	debtors *debtors // nil if the packets of peers in arrears are taken

	holds        *heldPackets // nil if there are no caps
	mu           sync.RWMutex
	limitsByPeer map[ledger.ID]*peerLimits // of each peer with a packet; none is ever taken out
	floors       map[uint32]*peerLimits    // our liquidity in each asset with a floor; never changed
	refreshed    chan struct{}             // closed and replaced after each look

	refreshRequested chan struct{} // holds one: somebody waits for a look
}

func newAdmission(book *accounts.Book, cfg *Config) *admission {
	g := &admission{
		book: book, refreshFailed: cfg.Events.RefreshFailed, hasPacketLimits: book.HasPacketLimits(), clock: cfg.Clock, floors: newFloorLimits(book),
		limitsByPeer: make(map[ledger.ID]*peerLimits), refreshed: make(chan struct{}), refreshRequested: make(chan struct{}, 1),
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

// waitForPeers waits until the caps of a packet's peers can be checked: once for each peer, for
// one look at the ledger. life ends with the recorder.
func (g *admission) waitForPeers(ctx, life context.Context, p *Packet) error {
	rooms := [...]*peerLimits{g.limitsOf(p.From), g.limitsOf(p.To), g.floors[p.From.Ledger()], g.floors[p.To.Ledger()]}
	for _, r := range rooms {
		if r != nil {
			if err := g.waitForLimits(ctx, life, r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *admission) waitForLimits(ctx, life context.Context, r *peerLimits) error {
	for {
		next := g.nextRefresh()
		if known, err := r.checkLoaded(); known || err != nil {
			return err
		}
		if err := g.waitForRefresh(ctx, life, next); err != nil {
			return err
		}
	}
}

// refreshStaleCap waits for a look if a packet was refused by a cap of a peer that nobody has
// looked at for a while; at our liquidity there is one each round. It reports whether there was one.
func (g *admission) refreshStaleCap(ctx, life context.Context, refused error) bool {
	var limit *PacketLimitError
	if !errors.As(refused, &limit) || errors.Is(refused, ErrRateLimited) || !g.limitsOf(limit.Account).isStale(g.book.SuspensionPollInterval()) {
		return false
	}
	return g.waitForRefresh(ctx, life, g.nextRefresh()) == nil
}

// nextRefresh is closed when a look ends that begins from now on, or the one that is under
// way.
func (g *admission) nextRefresh() <-chan struct{} {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.refreshed
}

func (g *admission) waitForRefresh(ctx, life context.Context, next <-chan struct{}) error {
	g.requestRefresh()
	select {
	case <-next:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrLimitsNotLoaded, context.Cause(ctx))
	case <-life.Done():
		return ErrRecorderClosed
	}
}

// requestRefresh has the loop look at the ledger now.
func (g *admission) requestRefresh() {
	select {
	case g.refreshRequested <- struct{}{}:
	default: // it has been told
	}
}

// limitsOf is what a peer's caps leave; nil for ourselves.
func (g *admission) limitsOf(a accounts.PeerAccount) *peerLimits {
	if a.IsOwn() {
		return nil
	}
	g.mu.RLock()
	r := g.limitsByPeer[a.ID()]
	g.mu.RUnlock()
	if r != nil {
		return r
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if r = g.limitsByPeer[a.ID()]; r == nil {
		r = newPeerLimits(g.book, a)
		g.limitsByPeer[a.ID()] = r
	}
	return r
}

// reserveLimits lets an operation in, or says why its packet is not taken. Who is let in and is
// not sent then must leave.
func (g *admission) reserveLimits(o *operation) error {
	if o.kind == KindPrepare {
		if err := g.checkPeers(&o.packet); err != nil {
			return err
		}
	}
	if err := g.reserveCaps(o); err != nil || o.kind != KindPrepare || !g.hasPacketLimits {
		return err
	}
	err := g.limitsOf(o.packet.From).takeRate(o.packet.In, o.from.asset, g.clock())
	if err != nil {
		g.cancelReservation(o)
	}
	return err
}

// reserveCaps notes an operation, and refuses a prepare that the caps and floors leave no room for.
func (g *admission) reserveCaps(o *operation) error {
	if !g.hasCaps || o.count == 0 {
		return nil
	}
	var all [maxLimitedAmounts]limitedAmount
	stakes := all[:g.limitedAmounts(o, &all)]
	for i := range stakes {
		s := &stakes[i]
		if o.kind != KindPrepare || s.exempt {
			s.limits.recordSent(o.kind, s.amount, s.direction)
			continue
		}
		if err := s.limits.reserveAmount(s.amount, s.direction); err != nil {
			for _, before := range stakes[:i] {
				before.limits.recordAnswered(KindPrepare, before.amount, before.direction, answerEffect{})
			}
			return err
		}
	}
	return nil
}

// checkPeers refuses new packets of suspended peers, and those from peers in arrears: what such a
// peer earns must still come in.
func (g *admission) checkPeers(p *Packet) error {
	if g.debtors != nil && g.debtors.isInArrears(p.From) {
		return fmt.Errorf("%w: %v", ErrInArrears, p.From)
	}
	suspended := *g.suspended.Load()
	if len(suspended) == 0 {
		return nil
	}
	for _, a := range [...]accounts.PeerAccount{p.From, p.To} {
		if _, is := suspended[a.ID()]; is {
			return fmt.Errorf("%w: %v", accounts.ErrSuspended, a)
		}
	}
	return nil
}

// cancelReservation takes back what enter has noted of an operation that is not sent.
func (g *admission) cancelReservation(o *operation) { g.settleReservation(o, answerEffect{}) }

// settleReservations notes what became of operations.
func (g *admission) settleReservations(done []*operation) {
	if !g.hasCaps {
		return
	}
	for _, o := range done {
		if o.count > 0 {
			g.settleReservation(o, g.trackHold(o))
		}
	}
}

// trackHold is what became of an operation.
func (g *admission) trackHold(o *operation) answerEffect {
	outcome := o.slot.outcome
	became := answerEffect{booked: o.lost || outcome.Done() && !o.giveBack}
	switch o.kind {
	case KindPrepare:
		if became.booked {
			g.holds.addPacket(&o.packet)
		}
	case KindFulfill:
		became.late = o.lost || o.slot.late
		became.freesOwnHold = g.holds.takePacket(&o.packet) && outcome == ledger.OutcomeApplied && !became.late
	case KindReject:
		became.freesOwnHold = g.holds.takePacket(&o.packet) && outcome == ledger.OutcomeApplied
	case KindForward:
	}
	return became
}

func (g *admission) settleReservation(o *operation, became answerEffect) {
	if !g.hasCaps || o.count == 0 {
		return
	}
	var all [maxLimitedAmounts]limitedAmount
	for _, s := range all[:g.limitedAmounts(o, &all)] {
		s.limits.recordAnswered(o.kind, s.amount, s.direction, became)
	}
}
