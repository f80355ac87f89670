//go:build cgo && unix

package tigerbeetletest

import (
	"bytes"
	"context"
	"log/slog"
	"sync"

	ledgerserver "github.com/peerledger/peerledger/ledger/server"
	"github.com/peerledger/peerledger/ledger/server/faulty"
)

// inProcess runs a replica as a server in the test's process: package ledger/server with an
// embedded ledger in memory, disturbed by package faulty.
type inProcess struct{}

// The connections that a replica of a cluster of one accepts.
const (
	maxConnections            = 32
	maxConnectionsDevelopment = 8
)

func (inProcess) createServer(_ context.Context, spec replicaSpec) (server, error) {
	s := &inProcessServer{}
	s.logger = slog.New(slog.NewTextHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg := ledgerserver.Config{Cluster: spec.cluster, MaxConnections: maxConnections, Log: s.logger}
	if spec.development {
		cfg.MaxConnections, cfg.RequestMax = maxConnectionsDevelopment, ledgerserver.RequestMaxDevelopment
	}
	var err error
	if s.server, err = faulty.Start(faulty.Config{Server: cfg, Addresses: []string{spec.addresses[spec.replica]}}); err != nil {
		return nil, err
	}
	s.server.Leave(0) // until startServer
	return s, nil
}

// inProcessServer is a replica as a server in this process. Its ledger and its sessions survive a
// stop, as a data file keeps both. A stop and a kill are the same.
type inProcessServer struct {
	server *faulty.Server
	logger *slog.Logger
	log    lockedBuffer
}

func (s *inProcessServer) startServer(context.Context) error {
	if err := s.server.Return(0); err != nil {
		return err
	}
	s.logger.Info("listening on " + s.server.Addresses()[0])
	return nil
}

func (s *inProcessServer) stopServer(ctx context.Context) error { return s.killServer(ctx) }

func (s *inProcessServer) killServer(context.Context) error {
	s.server.Leave(0)
	s.server.Resume()
	return nil
}

func (s *inProcessServer) pauseServer(context.Context) error {
	s.server.Stall()
	return nil
}

func (s *inProcessServer) resumeServer(context.Context) error {
	s.server.Resume()
	return nil
}

func (s *inProcessServer) removeServer(context.Context) error { return s.server.Close() }

func (s *inProcessServer) readLog(context.Context) (string, error) { return s.log.readText(), nil }

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
