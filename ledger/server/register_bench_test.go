package server_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/server"
)

// From the start of a server to the answered register of a client made by hand. TigerBeetle's
// clients add 0.6 s of their own.
func BenchmarkRegister(b *testing.B) {
	for b.Loop() {
		ctx, stop := context.WithCancel(b.Context())
		listener := listen(b)
		done := make(chan error, 1)
		go func() { done <- server.Serve(ctx, listener, embedded.New(), server.Config{Cluster: cluster}) }()
		s := openSession(b, listener.Addr().String(), 1)
		require.NoError(b, s.Conn.Close())
		stop()
		require.NoError(b, <-done)
	}
}
