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

// gate decides whether a new packet is taken, by what the ledger cannot enforce: the
// peers are not suspended, the sender is not in arrears, and the caps leave room for it
// (accounts.Limits). Its loop looks at the ledger once a round.
type gate struct {
	book    *accounts.Book
	failed  func(error) // may be nil
	capped  bool        // there are caps at all, or floors
	limited bool        // there is a limit on packets by themselves
	clock   func() time.Time

	// suspended are the ids of the suspended peers' accounts. The map is replaced, not
	// changed. Until the first look it is empty: a suspension is heeded at the latest one
	// round after it, or after the start.
	suspended atomic.Pointer[map[ledger.ID]struct{}]
	seen      time.Time // the ledger's time of the newest suspension read; the loop's

	debtors *debtors // nil if the packets of peers in arrears are taken

	holds  *holds // nil if there are no caps
	mu     sync.RWMutex
	rooms  map[ledger.ID]*room // of each peer with a packet; none is ever taken out
	floors map[uint32]*room    // our liquidity in each asset with a floor; never changed
	looked chan struct{}       // closed and replaced after each look

	wake chan struct{} // holds one: somebody waits for a look
}

func newGate(book *accounts.Book, cfg *Config) *gate {
	g := &gate{
		book: book, failed: cfg.Events.RefreshFailed, limited: book.HasPacketLimits(), clock: cfg.Clock, floors: newFloors(book),
		rooms: make(map[ledger.ID]*room), looked: make(chan struct{}), wake: make(chan struct{}, 1),
	}
	g.suspended.Store(&map[ledger.ID]struct{}{})
	if g.capped = book.HasCaps() || len(g.floors) > 0; g.capped {
		g.holds = newHolds()
	}
	if !cfg.AllowArrears {
		g.debtors = newDebtors()
	}
	return g
}

// wait waits until the caps of a packet's peers can be checked: once for each peer, for
// one look at the ledger. life ends with the recorder.
func (g *gate) wait(ctx, life context.Context, p *Packet) error {
	rooms := [...]*room{g.room(p.From), g.room(p.To), g.floors[p.From.Ledger()], g.floors[p.To.Ledger()]}
	for _, r := range rooms {
		if r != nil {
			if err := g.waitFor(ctx, life, r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *gate) waitFor(ctx, life context.Context, r *room) error {
	for {
		next := g.nextLook()
		if known, err := r.state(); known || err != nil {
			return err
		}
		if err := g.waitLook(ctx, life, next); err != nil {
			return err
		}
	}
}

// again waits for a look if a packet was refused by a cap of a peer that nobody has
// looked at for a while; at our liquidity there is one each round. It reports whether there was one.
func (g *gate) again(ctx, life context.Context, refused error) bool {
	var limit *PacketLimitError
	if !errors.As(refused, &limit) || errors.Is(refused, ErrRateLimited) || !g.room(limit.Account).stale(g.book.SuspensionPollInterval()) {
		return false
	}
	return g.waitLook(ctx, life, g.nextLook()) == nil
}

// nextLook is closed when a look ends that begins from now on, or the one that is under
// way.
func (g *gate) nextLook() <-chan struct{} {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.looked
}

func (g *gate) waitLook(ctx, life context.Context, next <-chan struct{}) error {
	g.look()
	select {
	case <-next:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrLimitsNotLoaded, context.Cause(ctx))
	case <-life.Done():
		return ErrRecorderClosed
	}
}

// look has the loop look at the ledger now.
func (g *gate) look() {
	select {
	case g.wake <- struct{}{}:
	default: // it has been told
	}
}

// room is what a peer's caps leave; nil for ourselves.
func (g *gate) room(a accounts.PeerAccount) *room {
	if a.IsOwn() {
		return nil
	}
	g.mu.RLock()
	r := g.rooms[a.ID()]
	g.mu.RUnlock()
	if r != nil {
		return r
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if r = g.rooms[a.ID()]; r == nil {
		r = newRoom(g.book, a)
		g.rooms[a.ID()] = r
	}
	return r
}

// enter lets an operation in, or says why its packet is not taken. Who is let in and is
// not sent then must leave.
func (g *gate) enter(o *operation) error {
	if o.kind == KindPrepare {
		if err := g.open(&o.packet); err != nil {
			return err
		}
	}
	if err := g.admit(o); err != nil || o.kind != KindPrepare || !g.limited {
		return err
	}
	err := g.room(o.packet.From).pace(o.packet.In, o.from.asset, g.clock())
	if err != nil {
		g.leave(o)
	}
	return err
}

// admit notes an operation, and refuses a prepare that the caps and floors leave no room for.
func (g *gate) admit(o *operation) error {
	if !g.capped || o.count == 0 {
		return nil
	}
	var all [maxStakes]stake
	stakes := all[:g.stakes(o, &all)]
	for i := range stakes {
		s := &stakes[i]
		if o.kind != KindPrepare || s.free {
			s.room.hand(o.kind, s.amount, s.side)
			continue
		}
		if err := s.room.admit(s.amount, s.side); err != nil {
			for _, before := range stakes[:i] {
				before.room.answer(KindPrepare, before.amount, before.side, fate{})
			}
			return err
		}
	}
	return nil
}

// open refuses new packets of suspended peers, and those from peers in arrears: what such a
// peer earns must still come in.
func (g *gate) open(p *Packet) error {
	if g.debtors != nil && g.debtors.owes(p.From) {
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

// leave takes back what enter has noted of an operation that is not sent.
func (g *gate) leave(o *operation) { g.note(o, fate{}) }

// answered notes what became of operations.
func (g *gate) answered(done []*operation) {
	if !g.capped {
		return
	}
	for _, o := range done {
		if o.count > 0 {
			g.note(o, g.fateOf(o))
		}
	}
}

// fateOf is what became of an operation.
func (g *gate) fateOf(o *operation) fate {
	outcome := o.slot.outcome
	became := fate{booked: o.lost || outcome.Done() && !o.giveBack}
	switch o.kind {
	case KindPrepare:
		if became.booked {
			g.holds.add(&o.packet)
		}
	case KindFulfill:
		became.late = o.lost || o.slot.late
		became.gains = g.takeHold(o) && outcome == ledger.OutcomeApplied && !became.late
	case KindReject:
		became.gains = g.takeHold(o) && outcome == ledger.OutcomeApplied
	case KindForward:
	}
	return became
}

// takeHold takes the packet of a fulfill or reject out of the holds, and reports whether it was in.
// One that was refused as a conflict is of another packet under the same id: that one is held still.
func (g *gate) takeHold(o *operation) bool {
	return !errors.Is(o.slot.err, ledger.ErrIDConflict) && g.holds.take(&o.packet)
}

func (g *gate) note(o *operation, became fate) {
	if !g.capped || o.count == 0 {
		return
	}
	var all [maxStakes]stake
	for _, s := range all[:g.stakes(o, &all)] {
		s.room.answer(o.kind, s.amount, s.side, became)
	}
}
