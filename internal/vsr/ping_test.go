package vsr_test

import (
	"context"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/vsr"
	"github.com/peerledger/peerledger/internal/vsr/vsrtest"
)

var release = vsr.NewRelease(0, 17, 9)

// pingServer pings with a deadline that an answering server keeps easily.
func pingServer(t *testing.T, address string, cluster uint64, release vsr.Release, patience time.Duration) (vsr.Pong, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return vsr.PingReplica(ctx, address, uint128.From64(cluster), release)
}

func TestPing(t *testing.T) {
	t.Parallel()
	address := vsrtest.Serve(t, vsrtest.Replica{ClusterID: uint128.From64(7), Index: 2, View: 5, Release: release})
	pong, err := pingServer(t, address, 7, release, time.Minute)
	require.NoError(t, err)
	require.Equal(t, vsr.Pong{Replica: 2, View: 5, Release: release}, pong)

	_, err = pingServer(t, address, 8, release, time.Minute)
	require.ErrorIs(t, err, vsr.ErrHungUp)

	_, err = pingServer(t, address, 7, vsr.NewRelease(0, 18, 0), time.Minute)
	var evicted *vsr.EvictedError
	require.ErrorAs(t, err, &evicted)
	require.True(t, evicted.TooHigh)
	require.Equal(t, release, evicted.Server)
}

func TestPingOfASilentServer(t *testing.T) {
	t.Parallel()
	_, err := pingServer(t, vsrtest.Serve(t, vsrtest.Replica{Silent: true}), 7, release, 50*time.Millisecond)
	require.ErrorIs(t, err, vsr.ErrSilent)
}

func TestPingOfAFullServer(t *testing.T) {
	t.Parallel()
	_, err := pingServer(t, vsrtest.Serve(t, vsrtest.Replica{Full: true}), 7, release, time.Minute)
	require.ErrorIs(t, err, vsr.ErrFull)
}

// A server that ends between two connections is not reported as one of another cluster.
func TestPingOfAServerThatEnds(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.88:0") // no other test gets the port
	if err != nil {
		t.Skipf("needs a second loopback address: add 127.0.0.88 to the loopback interface (%v)", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		conn, err := listener.Accept()
		_ = listener.Close()
		if err == nil {
			_ = conn.Close()
		}
	}()
	_, err = pingServer(t, listener.Addr().String(), 7, release, time.Minute)
	<-ended
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
}

func TestPingOfSomethingElse(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]error{
		"SSH-2.0-OpenSSH_9.2p1\r\n":        vsr.ErrForeign,
		"":                                 vsr.ErrHungUp,
		"HTTP/1.1 400 Bad Request\r\n\r\n": vsr.ErrForeign,
		string(make([]byte, 255)) + "a whole header": vsr.ErrForeign,
	} {
		address := vsrtest.Listen(t, func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 256))
			_, _ = conn.Write([]byte(said))
		})
		_, err := pingServer(t, address, 7, release, time.Minute)
		require.ErrorIs(t, err, want, "%q", said)
	}
}

func TestPingOfNobody(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.88:0") // no other test gets the port
	if err != nil {
		t.Skipf("needs a second loopback address: add 127.0.0.88 to the loopback interface (%v)", err)
	}
	require.NoError(t, listener.Close())
	_, err = pingServer(t, listener.Addr().String(), 7, release, time.Minute)
	var opErr *net.OpError
	require.ErrorAs(t, err, &opErr)
	require.Equal(t, "dial", opErr.Op)
}
