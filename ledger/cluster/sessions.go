//go:build cgo

package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	tb "github.com/tigerbeetle/tigerbeetle-go"

	"github.com/peerledger/peerledger/ledger"
)

// sessions are the open sessions of a ledger and the calls on them.
//
// A call takes a connection, and gives it back when the native client has answered, even
// if its caller has gone. When a connection is lost (the first call to notice says so) its
// lane is without one until the lane's keeper has opened another.
type sessions struct {
	mu            sync.Mutex
	slots         []*sessionSlot
	nextSlot      int             // the lane to look at first, so that none is idle for long
	changed       chan struct{}   // closed, and made anew, when a lane has a connection again or taking ends
	accepting     context.Context // ends when no call is taken any more; its cause says why and matches ledger.ErrClosed
	stopAccepting context.CancelCauseFunc
	idle          chan struct{} // closed when no call is waited for and taking has ended
	calls         int           // on all connections
	abandoned     int           // of these, those whose callers have gone
	resent        uint64
	reopened      uint64

	nativeCalls sync.WaitGroup // one for each call
}

// sessionSlot is the place of one session.
type sessionSlot struct {
	number int
	lost   chan lostConn // holds one: a lane has one connection at a time
	conn   *conn         // nil while there is none; under sessions.mu
}

// conn is one session of the cluster.
type conn struct {
	slot      *sessionSlot
	client    tb.Client
	addresses []netip.AddrPort
	opened    time.Time

	// Under sessions.mu.
	calls        int
	events       int       // of these calls
	lastProgress time.Time // of the last answer, or of the first call that waits for one
}

// lostConn is a connection that is lost, and why.
type lostConn struct {
	conn  *conn
	cause error
}

func newSessions(n int) *sessions {
	s := &sessions{changed: make(chan struct{}), idle: make(chan struct{})}
	s.accepting, s.stopAccepting = context.WithCancelCause(context.Background()) //nolint:forbidigo // the sessions end with Close and with no caller's context
	for i := range n {
		s.slots = append(s.slots, &sessionSlot{number: i, lost: make(chan lostConn, 1)})
	}
	return s
}

// acquireConn takes the connection whose calls have the fewest events, for one that has so many,
// and waits for one if there is none. So small calls go where no full request is under way,
// and do not stand in the way of the next one. The error is the reason why none is taken any
// more, or the context's.
func (s *sessions) acquireConn(ctx context.Context, events int) (*conn, error) {
	for {
		if ctx.Err() != nil {
			return nil, contextError(ctx)
		}
		c, changed, err := s.tryAcquireConn(events)
		if c != nil || err != nil {
			return c, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, contextError(ctx)
		}
	}
}

// tryAcquireConn returns a connection, or why there will be none, or what to wait for.
func (s *sessions) tryAcquireConn(events int) (*conn, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.accepting.Err() != nil {
		return nil, nil, s.endReason()
	}
	var best *conn
	for i := range s.slots {
		c := s.slots[(s.nextSlot+i)%len(s.slots)].conn
		if c != nil && (best == nil || c.events < best.events) {
			best = c
		}
	}
	if best == nil {
		return nil, s.changed, nil
	}
	s.nextSlot = (best.slot.number + 1) % len(s.slots)
	if best.calls == 0 {
		best.lastProgress = time.Now()
	}
	best.calls++
	best.events += events
	s.calls++
	s.nativeCalls.Add(1) // not after taking has ended, so not while Close waits
	return best, nil, nil
}

// releaseConn gives a connection back after an answer, or after end, which is why there will be
// no more answers.
func (s *sessions) releaseConn(c *conn, events int, endCause error) {
	if endCause != nil {
		s.dropConn(c, endCause)
	}
	s.mu.Lock()
	c.calls--
	c.events -= events
	c.lastProgress = time.Now()
	s.calls--
	s.signalIdle()
	s.mu.Unlock()
	s.nativeCalls.Done()
}

// countAbandoned notes that the caller of a call has gone; with back, that the call has been
// answered since, and is about to be given back.
func (s *sessions) countAbandoned(answeredSince bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if answeredSince {
		s.abandoned--
		return
	}
	s.abandoned++
	s.signalIdle()
}

// signalIdle closes idle when it is time. mu is held.
func (s *sessions) signalIdle() {
	if s.accepting.Err() == nil || s.calls > s.abandoned {
		return
	}
	select {
	case <-s.idle:
	default:
		close(s.idle)
	}
}

// dropConn takes a connection out of its lane and hands it to the lane's keeper. If the cause
// is one that opening another session cannot mend, all calls end. Only the first to notice
// a loss is heard.
func (s *sessions) dropConn(c *conn, cause error) {
	s.mu.Lock()
	first := c.slot.conn == c
	if first {
		c.slot.conn = nil
	}
	s.mu.Unlock()
	if errors.Is(cause, ErrClientRelease) {
		s.endCalls(fmt.Errorf("cluster: %w: %w", ledger.ErrClosed, cause))
	}
	if first {
		c.slot.lost <- lostConn{c, cause} // does not block: the lane had this connection and no other
	}
}

// installConn gives a lane its connection. It returns false if the ledger has ended.
func (s *sessions) installConn(c *conn, reopened bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.accepting.Err() != nil {
		return false
	}
	c.slot.conn = c
	if reopened {
		s.reopened++
	}
	s.signalChanged()
	return true
}

// signalChanged wakes those who wait for a connection. mu is held.
func (s *sessions) signalChanged() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// endCalls ends the taking of calls. The first reason counts.
func (s *sessions) endCalls(reason error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.accepting.Err() == nil {
		s.stopAccepting(reason)
		s.signalChanged()
		s.signalIdle()
	}
}

// countResent notes that a request is sent once more.
func (s *sessions) countResent() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resent++
}

// endReason is why calls are no longer taken, nil if they are.
func (s *sessions) endReason() error { return context.Cause(s.accepting) }

// stalledConn is the connection of a lane if calls have waited for so long without any
// answer.
func (s *sessions) stalledConn(ln *sessionSlot, timeout time.Duration) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := ln.conn; c != nil && c.calls > 0 && time.Since(c.lastProgress) >= timeout {
		return c
	}
	return nil
}

// removeConns takes the connections out of all lanes, to close them.
func (s *sessions) removeConns() (conns []*conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ln := range s.slots {
		if ln.conn != nil {
			conns = append(conns, ln.conn)
			ln.conn = nil
		}
	}
	return conns
}

// removeLostConns takes the connections that were lost and that no keeper has seen, to close them.
func (s *sessions) removeLostConns() (conns []*conn) {
	for _, ln := range s.slots {
		select {
		case lost := <-ln.lost:
			conns = append(conns, lost.conn)
		default:
		}
	}
	return conns
}
