package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
)

// Server serves a ledger. All methods may be called concurrently.
type Server struct {
	ledger   ledger.Ledger
	cfg      settings
	sessions *sessions
	clock    atomic.Uint64 // the newest timestamp of a reply

	connections  atomic.Int64
	askedCluster atomic.Pointer[uint128.Uint128] // the other cluster that the log has named last
}

// New returns a server of a ledger, with no sessions. The ledger stays the caller's, who closes it
// after the server. The errors match [ErrConfig].
func New(l ledger.Ledger, cfg Config) (*Server, error) {
	s, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	return &Server{ledger: l, cfg: s, sessions: newSessions(s.Sessions)}, nil
}

// Serve serves a ledger on a listener: see [New] and [Server.Serve].
func Serve(ctx context.Context, listener net.Listener, l ledger.Ledger, cfg Config) error {
	s, err := New(l, cfg)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	return s.Serve(ctx, listener)
}

// ErrRemote is returned by [Server.Serve] for a listener beyond loopback without
// [Config.AllowRemote].
var ErrRemote = errors.New("server: the address is beyond loopback, and the protocol has no authentication")

// Serve serves connections until ctx ends, and then waits for the requests under way, at most
// [Config.CloseTimeout]. It closes the listener and all its connections, and returns nil. The address
// is free then.
//
// A server may serve several listeners, at the same time or one after the other: the sessions are
// the server's. A client that finds its session again goes on as after a cut of the network.
//
// Errors: [ErrRemote]; an error of the listener; an error matching [ledger.ErrClosed] if the ledger
// has ended.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	if !s.cfg.AllowRemote && !isLoopback(listener.Addr()) {
		return errors.Join(fmt.Errorf("%w: %v", ErrRemote, listener.Addr()), listener.Close())
	}
	if !isLoopback(listener.Addr()) {
		s.cfg.Log.Warn("the protocol has no authentication and no encryption: every program that reaches this address can move every balance",
			"address", listener.Addr().String())
	}
	serving, stop := context.WithCancelCause(ctx)
	working, stopWork := context.WithCancel(context.WithoutCancel(ctx)) // requests under way outlast ctx
	closed := make(chan struct{})
	context.AfterFunc(serving, func() {
		_ = listener.Close() // ends Accept, and then frees the address
		close(closed)
	})
	var connections sync.WaitGroup
	err := s.acceptConnections(serving, listener, func(conn net.Conn) {
		connections.Go(func() { s.serveConnection(serving, working, stop, conn) })
	})
	if serving.Err() != nil {
		err = context.Cause(serving)
	}
	stop(nil)
	<-closed
	late := time.AfterFunc(s.cfg.CloseTimeout, stopWork)
	connections.Wait()
	late.Stop()
	stopWork()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// acceptWait is the time to wait for a free file of the process, before the next connection is
// accepted.
const acceptWait = 50 * time.Millisecond

// acceptConnections passes connections to serve until serving ends or the listener fails.
func (s *Server) acceptConnections(serving context.Context, listener net.Listener, serve func(net.Conn)) error {
	for {
		conn, err := listener.Accept()
		switch {
		case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ECONNABORTED):
			s.cfg.Log.Warn("a connection was not accepted", "cause", err)
			select {
			case <-time.After(acceptWait):
			case <-serving.Done():
			}
		case err != nil:
			return fmt.Errorf("server: accept connections: %w", err)
		case s.connections.Add(1) > int64(s.cfg.MaxConnections):
			s.connections.Add(-1)
			_ = conn.Close()
		default:
			serve(conn)
		}
	}
}

func isLoopback(address net.Addr) bool {
	tcp, isTCP := address.(*net.TCPAddr)
	return !isTCP || tcp.IP.IsLoopback()
}

// ForgetSessions ends every session, as the restart of a server without a log does. Each client is
// evicted at its next request or ping.
func (s *Server) ForgetSessions() { s.sessions.forgetAll() }

// Stats are figures of a [Server].
type Stats struct {
	Sessions    int
	Connections int
}

// Stats returns the figures of the moment.
func (s *Server) Stats() Stats {
	return Stats{Sessions: s.sessions.count(), Connections: int(s.connections.Load())}
}

// nextTimestamp returns the timestamp of a reply: last, the newest timestamp in the reply, or if
// last is 0 the time of now. Timestamps grow.
func (s *Server) nextTimestamp(last uint64) uint64 {
	for {
		newest := s.clock.Load()
		next := max(last, newest+1)
		if last == 0 {
			next = max(uint64(time.Now().UnixNano()), newest+1)
		}
		if s.clock.CompareAndSwap(newest, next) {
			return next
		}
	}
}
