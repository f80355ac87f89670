//go:build cgo && unix

package tigerbeetletest

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"

	"github.com/peerledger/peerledger/ledger/embedded"
	ledgerserver "github.com/peerledger/peerledger/ledger/server"
)

// inProcess runs a replica as a server in the test's process: package ledger/server with an
// embedded ledger in memory.
type inProcess struct{}

// The connections that a replica of a cluster of one accepts.
const (
	maxConnections            = 32
	maxConnectionsDevelopment = 8
)

func (inProcess) createServer(_ context.Context, spec replicaSpec) (server, error) {
	r := &inProcessServer{address: spec.addresses[spec.replica], ledger: embedded.New()}
	r.logger = slog.New(slog.NewTextHandler(&r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg := ledgerserver.Config{Cluster: spec.cluster, MaxConnections: maxConnections, Log: r.logger, OnRequest: r.waitResumed}
	if spec.development {
		cfg.MaxConnections, cfg.RequestMax = maxConnectionsDevelopment, ledgerserver.RequestMaxDevelopment
	}
	var err error
	r.server, err = ledgerserver.New(r.ledger, cfg)
	return r, err
}

// inProcessServer is a replica as a server in this process. Its ledger and its sessions survive a
// stop, as a data file keeps both. A stop and a kill are the same.
type inProcessServer struct {
	address string
	ledger  *embedded.Ledger
	server  *ledgerserver.Server
	logger  *slog.Logger
	log     lockedBuffer

	cancel context.CancelFunc // nil unless started
	ended  chan error         // has the result of the server

	mu      sync.Mutex
	resumed chan struct{} // nil unless paused; closed by resumeServer
}

func (s *inProcessServer) startServer(ctx context.Context) error {
	var listening net.ListenConfig
	listener, err := listening.Listen(ctx, "tcp", s.address)
	if err != nil {
		return err
	}
	s.logger.Info("listening on " + s.address)
	serving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- s.server.Serve(serving, listener) }() // killServer waits for the end
	s.cancel, s.ended = cancel, ended
	return nil
}

func (s *inProcessServer) stopServer(ctx context.Context) error { return s.killServer(ctx) }

func (s *inProcessServer) killServer(ctx context.Context) error {
	s.cancel()
	select {
	case err := <-s.ended:
		s.cancel = nil
		return errors.Join(err, s.resumeServer(ctx))
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// pauseServer lets each further request wait.
func (s *inProcessServer) pauseServer(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resumed = make(chan struct{})
	return nil
}

func (s *inProcessServer) resumeServer(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.resumed != nil {
		close(s.resumed)
		s.resumed = nil
	}
	return nil
}

// waitResumed is the server's OnRequest. The end of the server, and so of ctx, ends its wait.
func (s *inProcessServer) waitResumed(ctx context.Context, _ ledgerserver.Message) error {
	s.mu.Lock()
	resumed := s.resumed
	s.mu.Unlock()
	if resumed == nil {
		return nil
	}
	select {
	case <-resumed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *inProcessServer) readLog(context.Context) (string, error) { return s.log.readText(), nil }

func (s *inProcessServer) removeServer(ctx context.Context) error {
	if s.cancel != nil {
		if err := s.killServer(ctx); err != nil {
			return err
		}
	}
	return s.ledger.Close()
}

// lockedBuffer is a log in memory. Its methods may be called concurrently.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(line)
}

func (b *lockedBuffer) readText() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
