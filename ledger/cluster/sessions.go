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

// sessions are the sessions of a ledger, with the calls under way.
//
// A session with the cluster, its connection (conn) and its native client (tb.Client) are one:
// a native client opens one session, and is of no use after the session. A slot outlives them.
//
// A call acquires a connection, and releases it when the native client has answered, even after the
// caller has returned. When the cluster evicts a session, its native client answers each call with
// an error. sessionEndCause (native.go) turns the error into ErrEvicted, and releaseConn then passes
// the connection to dropConn: the first such call empties the slot. The slot's keeper, keepSession
// (reconnect.go), opens a new connection. sendRequest (request.go) meanwhile sends each unanswered
// request again, on whichever connection is free first.
type sessions struct {
	mu            sync.Mutex
	slots         []*sessionSlot
	nextSlot      int             // the slot to try first, so that no session is idle for long
	changed       chan struct{}   // closed and replaced when a slot gets a connection or accepting ends
	accepting     context.Context // ends when calls are no longer accepted; its cause is the reason and matches ledger.ErrClosed
	stopAccepting context.CancelCauseFunc
	idle          chan struct{} // closed when accepting has ended and no caller waits
	calls         int           // on all connections
	abandoned     int           // calls among calls whose callers have returned
	resent        uint64
	reopened      uint64

	nativeCalls sync.WaitGroup // one for each call
}

// sessionSlot holds one session, and the next after a loss.
type sessionSlot struct {
	number int
	lost   chan lostConn // holds one: a slot has one connection at a time
	conn   *conn         // nil between a loss and the reopening; under sessions.mu
}

// conn is a connection: one session with the cluster, of one native client.
type conn struct {
	slot      *sessionSlot
	client    tb.Client
	addresses []netip.AddrPort
	opened    time.Time

	// Under sessions.mu.
	calls        int
	events       int       // of these calls
	lastProgress time.Time // time of the last answer, or of the first waiting call
}

// lostConn is a lost connection with the cause.
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

// acquireConn acquires a connection for a call of this many events, and waits for one if necessary.
// It chooses the connection with the fewest events under way: small calls then avoid the
// connections of full requests and do not delay the next full request. The error is the reason why
// calls are no longer accepted, or the context's.
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

// tryAcquireConn returns a connection, the error after the end of the ledger, or the channel to
// wait for.
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
	s.nativeCalls.Add(1) // never after accepting has ended, so never while Close waits
	return best, nil, nil
}

// releaseConn releases a connection after an answer. If endCause is not nil, the connection has
// ended.
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

// countAbandoned counts a call whose caller has returned. With answeredSince it takes the call off
// the count, because the native client has answered and the connection is about to be released.
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

// signalIdle closes idle if accepting has ended and no caller waits. mu is held.
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

// dropConn removes a connection from its slot and passes it to the slot's keeper. Only the first
// call for a connection has an effect. ErrClientRelease ends all calls, because a new session would
// be refused too.
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
		c.slot.lost <- lostConn{c, cause} // does not block: the slot had this one connection
	}
}

// installConn puts a connection into its slot. It returns false after the end of the ledger.
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

// signalChanged wakes the calls that wait for a connection. mu is held.
func (s *sessions) signalChanged() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// endCalls stops accepting calls. The first reason counts.
func (s *sessions) endCalls(reason error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.accepting.Err() == nil {
		s.stopAccepting(reason)
		s.signalChanged()
		s.signalIdle()
	}
}

// countResent counts a request that is sent again.
func (s *sessions) countResent() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resent++
}

// endReason returns the reason why calls are no longer accepted, nil if they are.
func (s *sessions) endReason() error { return context.Cause(s.accepting) }

// stalledConn returns the connection of a slot whose calls have waited for the timeout without any
// answer, else nil.
func (s *sessions) stalledConn(slot *sessionSlot, timeout time.Duration) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := slot.conn; c != nil && c.calls > 0 && time.Since(c.lastProgress) >= timeout {
		return c
	}
	return nil
}

// removeConns removes the connections from all slots, for closing.
func (s *sessions) removeConns() (conns []*conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, slot := range s.slots {
		if slot.conn != nil {
			conns = append(conns, slot.conn)
			slot.conn = nil
		}
	}
	return conns
}

// removeLostConns returns the lost connections that no keeper has received, for closing.
func (s *sessions) removeLostConns() (conns []*conn) {
	for _, slot := range s.slots {
		select {
		case lost := <-slot.lost:
			conns = append(conns, lost.conn)
		default:
		}
	}
	return conns
}
