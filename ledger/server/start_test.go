package server_test

import (
	"context"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/vsr/vsrtest"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/server"
)

// listen listens on a free port of loopback.
func listen(tb testing.TB) net.Listener {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	return listener
}

// start serves a ledger until the test ends, and returns its address.
func start(tb testing.TB, l ledger.Ledger, cfg server.Config) (s *server.Server, address string) {
	tb.Helper()
	s, err := server.New(l, cfg)
	require.NoError(tb, err)
	listener := listen(tb)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, listener) }()
	tb.Cleanup(func() {
		stop()
		require.NoError(tb, <-done)
	})
	return s, listener.Addr().String()
}

// The release and the cluster of clients made by hand.
var (
	release = vsrtest.Release
	cluster = vsrtest.Cluster
)

// openSession registers a client, whose requests are look-ups.
func openSession(tb testing.TB, address string, client uint64) *vsrtest.Session {
	tb.Helper()
	return vsrtest.OpenSession(tb, address, client, uint8(server.LookupAccounts))
}
