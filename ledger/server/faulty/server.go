package faulty

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/server"
)

// Config configures a [Server].
type Config struct {
	// Server configures the server itself. OnRequest and OnAnswer must be nil: see [Server.Inject].
	Server server.Config
	// OpenLedger opens the ledger at the start, and again after it was closed by
	// [Server.Restart]. Default [embedded.New] in memory.
	OpenLedger func() (ledger.Ledger, error)
	// Addresses are the addresses of the server, 1 to 6, with an IP address and a port each. Port 0
	// takes a free port. Default one address, "127.0.0.1:0".
	Addresses []string
}

// Server is a server that a test disturbs. All methods may be called concurrently.
type Server struct {
	cfg       Config
	addresses []string

	changing sync.Mutex // for Restart, Leave, Return and Close, one at a time
	closed   bool       // changing is held

	mu         sync.Mutex
	ledger     ledger.Ledger
	server     *server.Server
	doors      []*door // by address; nil while the server is away from it
	injections []*Injection
	resumed    chan struct{} // not closed while the server stalls

	later sync.WaitGroup // delayed answers
}

// Start starts a server. It needs Close. It returns the errors of OpenLedger, of the configuration, and
// of the network.
func Start(cfg Config) (*Server, error) {
	if cfg.OpenLedger == nil {
		cfg.OpenLedger = func() (ledger.Ledger, error) { return embedded.New(), nil }
	}
	if cfg.Server.OnRequest != nil || cfg.Server.OnAnswer != nil {
		return nil, errors.New("faulty: Server.OnRequest and Server.OnAnswer must be nil: use Inject")
	}
	if len(cfg.Addresses) == 0 {
		cfg.Addresses = []string{"127.0.0.1:0"}
	}
	if len(cfg.Addresses) > 6 {
		return nil, fmt.Errorf("faulty: %d Addresses, at most 6: clients take no more", len(cfg.Addresses))
	}
	s := &Server{cfg: cfg, resumed: make(chan struct{})}
	close(s.resumed)
	s.cfg.Server.OnRequest, s.cfg.Server.OnAnswer = s.disturbRequest, s.disturbAnswer
	if err := s.renew(KeepFolder); err != nil {
		return nil, err
	}
	s.doors = make([]*door, len(cfg.Addresses))
	s.addresses = slices.Clone(cfg.Addresses)
	for i, address := range cfg.Addresses {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("faulty: %w", err), s.Close())
		}
		s.addresses[i] = listener.Addr().String()
		s.serve(i, listener)
	}
	return s, nil
}

// Addresses returns the addresses, which stay the same for the life of the server.
func (s *Server) Addresses() []string { return slices.Clone(s.addresses) }

// Ledger returns the ledger of now, for a look into it.
func (s *Server) Ledger() ledger.Ledger {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ledger
}

// Stats returns the figures of the server of now.
func (s *Server) Stats() server.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.server.Stats()
}

// Stall makes the server silent: connections stay, and messages wait until [Server.Resume].
func (s *Server) Stall() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.resumed:
		s.resumed = make(chan struct{})
	default: // stalled already
	}
}

// Resume ends a stall. The messages that came meanwhile are handled.
func (s *Server) Resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.resumed:
	default:
		close(s.resumed)
	}
}

// Cut ends all connections. Clients connect again.
func (s *Server) Cut() {
	for _, d := range s.openDoors() {
		d.cut()
	}
}

// EvictAll ends all sessions: each client is evicted at its next request or ping.
func (s *Server) EvictAll() {
	s.mu.Lock()
	current := s.server
	s.mu.Unlock()
	current.ForgetSessions()
}

// Leave makes the server leave an address, by its position in Addresses, from 0: connections there
// end, and new ones are refused until [Server.Return]. It panics if there is no such position.
func (s *Server) Leave(address int) {
	s.changing.Lock()
	defer s.changing.Unlock()
	s.close(address)
}

// Return brings the server back to an address, by its position in Addresses. It returns an error of
// the network, and after Close an error matching [ledger.ErrClosed]. It panics if there is no such position.
func (s *Server) Return(address int) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	if s.closed {
		return errClosed
	}
	if s.door(address) != nil {
		return nil
	}
	return s.open(address)
}

// Kept is the part of its state that a server has after a restart.
type Kept uint8

// The parts.
const (
	// KeepSessions restarts as a TigerBeetle does: ledger and sessions stay, and clients go on.
	KeepSessions Kept = iota
	// KeepLedger keeps the ledger. Each client loses its session and is evicted at its next request.
	KeepLedger
	// KeepFolder restarts as "peerledger serve --folder" does: the ledger is closed, OpenLedger opens it
	// again, and each client loses its session. With the default OpenLedger the books are empty afterwards.
	KeepFolder
)

// Restart restarts the server, as after a crash: connections end, and the answers to requests under
// way are lost. It returns the error of closing or opening the ledger, or of the network; then the
// server has left the addresses that it has not opened again, until Return. After Close the error
// matches [ledger.ErrClosed]. With an unknown Kept it returns an error and changes nothing.
func (s *Server) Restart(keep Kept) error {
	if keep > KeepFolder {
		return fmt.Errorf("faulty: Restart: there is no Kept %d", keep)
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	if s.closed {
		return errClosed
	}
	var open []int
	for i := range s.addresses {
		if s.door(i) != nil {
			open = append(open, i)
			s.close(i)
		}
	}
	if err := s.renew(keep); err != nil {
		return err
	}
	for _, i := range open {
		if err := s.open(i); err != nil {
			return err
		}
	}
	return nil
}

// errClosed is the error of a method after Close.
var errClosed = fmt.Errorf("faulty: %w", ledger.ErrClosed)

// Close ends the server and closes its ledger.
func (s *Server) Close() error {
	s.changing.Lock()
	defer s.changing.Unlock()
	s.closed = true
	for i := range s.addresses {
		s.close(i)
	}
	s.later.Wait()
	return s.Ledger().Close()
}

// renew replaces the part of the server that is not kept.
func (s *Server) renew(keep Kept) error {
	if keep == KeepSessions {
		return nil
	}
	l := s.Ledger()
	if keep == KeepFolder {
		if l != nil {
			if err := l.Close(); err != nil {
				return fmt.Errorf("faulty: close the ledger: %w", err)
			}
		}
		opened, err := s.cfg.OpenLedger()
		if err != nil {
			return fmt.Errorf("faulty: open the ledger: %w", err)
		}
		l = opened
	}
	renewed, err := server.New(l, s.cfg.Server)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ledger, s.server = l, renewed
	return nil
}

// open listens on an address again and serves it. changing is held.
func (s *Server) open(address int) error {
	listener, err := net.Listen("tcp", s.addresses[address])
	if err != nil {
		return fmt.Errorf("faulty: %w", err)
	}
	s.serve(address, listener)
	return nil
}

// serve serves an address.
func (s *Server) serve(address int, listener net.Listener) {
	d := &door{Listener: listener, conns: map[net.Conn]bool{}, done: make(chan struct{})}
	ctx, stop := context.WithCancel(context.Background()) //nolint:forbidigo // the server ends with Close and with no caller's context
	d.stop = stop
	s.mu.Lock()
	s.doors[address] = d
	current := s.server
	s.mu.Unlock()
	go func() { // close waits for it
		defer close(d.done)
		_ = current.Serve(ctx, d) // an ended ledger shows at Close
	}()
}

// close stops serving an address and waits for its connections. changing is held.
func (s *Server) close(address int) {
	d := s.door(address)
	if d == nil {
		return
	}
	d.cut()
	d.stop()
	<-d.done
	s.mu.Lock()
	s.doors[address] = nil
	s.mu.Unlock()
}

func (s *Server) door(address int) *door {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.doors[address]
}

func (s *Server) openDoors() (open []*door) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.doors {
		if d != nil {
			open = append(open, d)
		}
	}
	return open
}
