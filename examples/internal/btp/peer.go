package btp

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
)

// ErrNotSent is returned when a packet never left: there is no link to the peer, or too many
// requests wait for answers. The packet moved nothing.
var ErrNotSent = errors.New("btp: packet not sent")

// ErrUnknown is returned when a packet left, or may have left, and no answer tells its outcome: the
// context ended first, or the peer answered without a packet, or with a BTP error. The peer may have
// fulfilled the packet until it expires.
var ErrUnknown = errors.New("btp: outcome of the packet unknown")

// RefusedError is returned when a peer answers with a BTP error.
type RefusedError struct{ ErrorFields }

func (e *RefusedError) Error() string {
	return fmt.Sprintf("btp: the peer answered %q %q: %q", e.Code, e.Name, e.Data)
}

// Handler answers an ILP packet of a peer with an ILP packet. Without an answer (nil) no frame is
// sent: to the peer the outcome is unknown. It is called concurrently, in up to maxHandled
// goroutines for a peer. ctx ends with the peer's Close. packet is the handler's own.
type Handler func(ctx context.Context, packet []byte) []byte

const (
	// maxWaiting bounds the requests to a peer that wait for answers, and those that wait to be written.
	maxWaiting = 4096
	// maxHandled bounds the packets of a peer that are handled at once. Further ones get the answer
	// for a busy peer.
	maxHandled = 1024
	// maxUnread bounds the answers without a handler that a peer has not read yet. Further requests
	// of this kind get no answer.
	maxUnread = 1024
)

// Peer sends packets to a peer and answers its packets, over one link at a time. All methods may be
// called concurrently.
type Peer struct {
	handler Handler
	busy    []byte        // the answer to a packet that finds no slot; empty: none
	slots   chan struct{} // one for each packet in a handler
	writes  chan struct{} // one for each request that is being written
	unread  chan struct{} // one for each answer without a handler that is written
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup // of handlers and writers; none is added after closed

	mu      sync.Mutex
	closed  bool
	link    *link // nil: none
	waiting map[uint32]chan Frame
	lastID  uint32
	linked  chan struct{} // closed while there is a link
}

func newPeer(handler Handler, busy []byte) *Peer {
	ctx, cancel := context.WithCancel(context.Background()) // the peer outlives its caller; close cancels it
	return &Peer{
		handler: handler, busy: busy, slots: make(chan struct{}, maxHandled), writes: make(chan struct{}, maxWaiting), unread: make(chan struct{}, maxUnread), ctx: ctx, cancel: cancel,
		waiting: map[uint32]chan Frame{}, lastID: rand.Uint32(), linked: make(chan struct{}),
	}
}

// WaitLinked waits until there is a link to the peer. The error is the context's; there is none
// while there is a link.
func (p *Peer) WaitLinked(ctx context.Context) error {
	p.mu.Lock()
	linked, isLinked := p.linked, p.link != nil
	p.mu.Unlock()
	if isLinked {
		return nil
	}
	select {
	case <-linked:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Send sends an ILP packet and waits for the answer until ctx ends, which should be the packet's
// expiry: a link that is lost meanwhile is no answer, and the next link may bring it. The error
// matches [ErrNotSent] or [ErrUnknown].
func (p *Peer) Send(ctx context.Context, packet []byte) ([]byte, error) {
	id, answers, l, err := p.openRequest()
	if err != nil {
		return nil, err
	}
	defer p.closeRequest(id)
	frame, err := newPacketFrame(TypeMessage, id, packet).AppendBinary(nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	// A peer that takes no frames delays the writer, and not this call beyond its context. So writers
	// outlive their calls, and have a bound of their own. After an error the frame may have left all the same.
	if !p.startIn(p.writes, func() { l.write(frame) }) {
		return nil, fmt.Errorf("%w: closed, or the peer takes no frames", ErrNotSent)
	}
	select {
	case answer := <-answers:
		return readAnswer(&answer)
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-p.ctx.Done():
		err = errors.New("the peer is closed")
	}
	select {
	case answer := <-answers: // in time all the same
		return readAnswer(&answer)
	default:
		return nil, fmt.Errorf("%w: %w", ErrUnknown, err)
	}
}

// readAnswer returns the ILP packet of an answer.
func readAnswer(answer *Frame) ([]byte, error) {
	if answer.Type == TypeError {
		return nil, fmt.Errorf("%w: %w", ErrUnknown, &RefusedError{answer.Error})
	}
	if packet := answer.ILP(); len(packet) > 0 {
		return packet, nil
	}
	return nil, fmt.Errorf("%w: an answer without an ILP packet", ErrUnknown)
}

// openRequest takes a request id that no waiting request has.
func (p *Peer) openRequest() (id uint32, answers chan Frame, l *link, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.link == nil:
		return 0, nil, nil, fmt.Errorf("%w: no link to the peer", ErrNotSent)
	case len(p.waiting) >= maxWaiting:
		return 0, nil, nil, fmt.Errorf("%w: %d packets wait for answers", ErrNotSent, maxWaiting)
	}
	p.lastID++
	for p.waiting[p.lastID] != nil {
		p.lastID++
	}
	answers = make(chan Frame, 1)
	p.waiting[p.lastID] = answers
	return p.lastID, answers, p.link, nil
}

func (p *Peer) closeRequest(id uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.waiting, id)
}

// deliverAnswer gives an answer to the request that waits for it. An answer that comes twice or too
// late is dropped.
func (p *Peer) deliverAnswer(f Frame) {
	p.mu.Lock()
	answers := p.waiting[f.RequestID]
	delete(p.waiting, f.RequestID)
	p.mu.Unlock()
	if answers != nil {
		answers <- f // has room: the only answer
	}
}

// start runs f in a goroutine that close waits for, and reports whether the peer is open.
func (p *Peer) start(f func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.running.Go(f)
	}
	return !p.closed
}

// startIn runs f as start does, while slots has room for it.
func (p *Peer) startIn(slots chan struct{}, f func()) bool {
	select {
	case slots <- struct{}{}:
		return p.start(func() {
			defer func() { <-slots }()
			f()
		})
	default:
		return false
	}
}

// handleMessage answers a packet of the peer, in a goroutine of its own, and never waits: the frame
// after this one may be an answer, and a fulfillment is worth money until the packet expires. The
// link of the answer may be a later link. It reports whether there was a slot.
func (p *Peer) handleMessage(id uint32, packet []byte) bool {
	return p.startIn(p.slots, func() {
		answer := p.handler(p.ctx, packet)
		if len(answer) == 0 {
			return
		}
		frame, err := newPacketFrame(TypeResponse, id, answer).AppendBinary(nil)
		if err != nil {
			return
		}
		p.mu.Lock()
		l := p.link
		p.mu.Unlock()
		if l != nil {
			l.write(frame)
		}
	})
}

// useLink makes l the peer's link and cuts the earlier one. If a later log-in has a link, l is cut.
func (p *Peer) useLink(l *link) {
	p.mu.Lock()
	earlier := p.link
	if earlier != nil && earlier.number > l.number {
		p.mu.Unlock()
		l.cut()
		return
	}
	p.link = l
	if earlier == nil {
		close(p.linked)
	}
	p.mu.Unlock()
	if earlier != nil {
		earlier.cut()
	}
}

// dropLink forgets l unless a later link is in use.
func (p *Peer) dropLink(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.link == l {
		p.link, p.linked = nil, make(chan struct{})
	}
}

// close cuts the link and waits for handlers and writers. Sends return ErrUnknown.
func (p *Peer) close() {
	p.cancel()
	p.mu.Lock()
	p.closed = true
	l := p.link
	p.mu.Unlock()
	if l != nil {
		l.cut()
	}
	p.running.Wait()
}
