package server_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/vsr"
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

// patience bounds every wait for an answer.
const patience = 20 * time.Second

// rawClient is a client made by hand: it sends whatever it is told to.
type rawClient struct {
	t    testing.TB
	conn net.Conn
}

func dial(tb testing.TB, address string) *rawClient {
	tb.Helper()
	conn, err := net.Dial("tcp", address)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = conn.Close() })
	return &rawClient{tb, conn}
}

// write sends bytes as they are. An error shows at the next read.
func (c *rawClient) write(parts ...[]byte) {
	for _, part := range parts {
		_, _ = c.conn.Write(part)
	}
}

// read reads a message and checks its checksums.
func (c *rawClient) read() (h vsr.Header, body []byte) {
	c.t.Helper()
	h, body, err := c.tryRead(patience)
	require.NoError(c.t, err)
	return h, body
}

func (c *rawClient) tryRead(wait time.Duration) (h vsr.Header, body []byte, err error) {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(wait))
	if _, err := io.ReadFull(c.conn, h[:]); err != nil {
		return h, nil, err
	}
	require.True(c.t, h.ChecksumHolds())
	body = make([]byte, h.Size()-vsr.HeaderSize)
	_, err = io.ReadFull(c.conn, body)
	require.True(c.t, err != nil || h.BodyHolds(body))
	return h, body, err
}

// requireEnd requires that the server ends the connection without another message.
func (c *rawClient) requireEnd() {
	c.t.Helper()
	_, _, err := c.tryRead(patience)
	require.Error(c.t, err)
	var timeout net.Error
	require.False(c.t, errors.As(err, &timeout) && timeout.Timeout(), "the connection is open")
}

// requireSilence requires that the server has not answered: its next message answers a ping.
func (c *rawClient) requireSilence(client uint128.Uint128) {
	c.t.Helper()
	ping := vsr.Ping{Release: release, Client: client}.Encode(cluster)
	c.write(ping[:])
	h, _ := c.read()
	require.Equal(c.t, vsr.CommandPongClient, h.Command())
}

// The release and the cluster of raw clients.
var (
	release = vsr.NewRelease(0, 17, 9)
	cluster = uint128.From64(7)
)
