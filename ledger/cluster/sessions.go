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
	mu        sync.Mutex
	lanes     []*lane
	next      int             // the lane to look at first, so that none is idle for long
	changed   chan struct{}   // closed, and made anew, when a lane has a connection again or taking ends
	taking    context.Context // ends when no call is taken any more; its cause says why and matches ledger.ErrClosed
	stop      context.CancelCauseFunc
	idle      chan struct{} // closed when no call is waited for and taking has ended
	calls     int           // on all connections
	abandoned int           // of these, those whose callers have gone
	resent    uint64
	reopened  uint64

	native sync.WaitGroup // one for each call
}

// lane is the place of one session.
type lane struct {
	number int
	lost   chan lostConn // holds one: a lane has one connection at a time
	conn   *conn         // nil while there is none; under sessions.mu
}

// conn is one session of the cluster.
type conn struct {
	lane      *lane
	client    tb.Client
	addresses []netip.AddrPort
	opened    time.Time

	// Under sessions.mu.
	calls    int
	events   int       // of these calls
	progress time.Time // of the last answer, or of the first call that waits for one
}

// lostConn is a connection that is lost, and why.
type lostConn struct {
	conn  *conn
	cause error
}

func newSessions(n int) *sessions {
	s := &sessions{changed: make(chan struct{}), idle: make(chan struct{})}
	s.taking, s.stop = context.WithCancelCause(context.Background()) //nolint:forbidigo // the sessions end with Close and with no caller's context
	for i := range n {
		s.lanes = append(s.lanes, &lane{number: i, lost: make(chan lostConn, 1)})
	}
	return s
}

// take takes the connection whose calls have the fewest events, for one that has so many,
// and waits for one if there is none. So small calls go where no full request is under way,
// and do not stand in the way of the next one. The error is the reason why none is taken any
// more, or the context's.
func (s *sessions) take(ctx context.Context, events int) (*conn, error) {
	for {
		if ctx.Err() != nil {
			return nil, ended(ctx)
		}
		c, changed, err := s.tryTake(events)
		if c != nil || err != nil {
			return c, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ended(ctx)
		}
	}
}

// tryTake returns a connection, or why there will be none, or what to wait for.
func (s *sessions) tryTake(events int) (*conn, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taking.Err() != nil {
		return nil, nil, s.reason()
	}
	var best *conn
	for i := range s.lanes {
		c := s.lanes[(s.next+i)%len(s.lanes)].conn
		if c != nil && (best == nil || c.events < best.events) {
			best = c
		}
	}
	if best == nil {
		return nil, s.changed, nil
	}
	s.next = (best.lane.number + 1) % len(s.lanes)
	if best.calls == 0 {
		best.progress = time.Now()
	}
	best.calls++
	best.events += events
	s.calls++
	s.native.Add(1) // not after taking has ended, so not while Close waits
	return best, nil, nil
}

// give gives a connection back after an answer, or after end, which is why there will be
// no more answers.
func (s *sessions) give(c *conn, events int, end error) {
	if end != nil {
		s.lose(c, end)
	}
	s.mu.Lock()
	c.calls--
	c.events -= events
	c.progress = time.Now()
	s.calls--
	s.tellIdle()
	s.mu.Unlock()
	s.native.Done()
}

// abandon notes that the caller of a call has gone; with back, that the call has been
// answered since, and is about to be given back.
func (s *sessions) abandon(back bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if back {
		s.abandoned--
		return
	}
	s.abandoned++
	s.tellIdle()
}

// tellIdle closes idle when it is time. mu is held.
func (s *sessions) tellIdle() {
	if s.taking.Err() == nil || s.calls > s.abandoned {
		return
	}
	select {
	case <-s.idle:
	default:
		close(s.idle)
	}
}

// lose takes a connection out of its lane and hands it to the lane's keeper. If the cause
// is one that opening another session cannot mend, all calls end. Only the first to notice
// a loss is heard.
func (s *sessions) lose(c *conn, cause error) {
	s.mu.Lock()
	first := c.lane.conn == c
	if first {
		c.lane.conn = nil
	}
	s.mu.Unlock()
	if errors.Is(cause, ErrClientRelease) {
		s.end(fmt.Errorf("cluster: %w: %w", ledger.ErrClosed, cause))
	}
	if first {
		c.lane.lost <- lostConn{c, cause} // does not block: the lane had this connection and no other
	}
}

// install gives a lane its connection. It returns false if the ledger has ended.
func (s *sessions) install(c *conn, again bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taking.Err() != nil {
		return false
	}
	c.lane.conn = c
	if again {
		s.reopened++
	}
	s.tellChanged()
	return true
}

// tellChanged wakes those who wait for a connection. mu is held.
func (s *sessions) tellChanged() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// end ends the taking of calls. The first reason counts.
func (s *sessions) end(reason error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taking.Err() == nil {
		s.stop(reason)
		s.tellChanged()
		s.tellIdle()
	}
}

// countResent notes that a request is sent once more.
func (s *sessions) countResent() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resent++
}

// reason is why calls are no longer taken, nil if they are.
func (s *sessions) reason() error { return context.Cause(s.taking) }

// stalled is the connection of a lane if calls have waited for so long without any
// answer.
func (s *sessions) stalled(ln *lane, least time.Duration) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := ln.conn; c != nil && c.calls > 0 && time.Since(c.progress) >= least {
		return c
	}
	return nil
}

// takeAll takes the connections out of all lanes, to close them.
func (s *sessions) takeAll() (conns []*conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ln := range s.lanes {
		if ln.conn != nil {
			conns = append(conns, ln.conn)
			ln.conn = nil
		}
	}
	return conns
}

// takeLost takes the connections that were lost and that no keeper has seen, to close them.
func (s *sessions) takeLost() (conns []*conn) {
	for _, ln := range s.lanes {
		select {
		case lost := <-ln.lost:
			conns = append(conns, lost.conn)
		default:
		}
	}
	return conns
}
