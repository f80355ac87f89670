package vsrtest

import (
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/vsr"
)

// Replica is a server that answers pings like a replica, and nothing else.
type Replica struct {
	ClusterID uint128.Uint128
	Index     int
	View      uint32
	Release   vsr.Release
	// Silent accepts connections and answers nothing.
	Silent bool
	// Full ends connections at once.
	Full bool
}

// Serve serves a [Replica] on a free port of 127.0.0.1 until the test ends, and returns its
// address.
func Serve(tb testing.TB, r Replica) (address string) {
	tb.Helper()
	return Listen(tb, r.answerPing)
}

// Listen serves each connection with a function, until the test ends.
func Listen(tb testing.TB, serve func(net.Conn)) (address string) {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	var serving sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // the listener is closed
			}
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			serving.Go(func() {
				serve(conn)
				_ = conn.Close()
			})
		}
	})
	tb.Cleanup(func() {
		_ = listener.Close()
		mu.Lock()
		for _, conn := range open {
			_ = conn.Close()
		}
		mu.Unlock()
		serving.Wait()
	})
	return listener.Addr().String()
}

// answerPing answers one ping.
func (r Replica) answerPing(conn net.Conn) {
	if r.Full {
		return
	}
	var message vsr.Header
	if _, err := io.ReadFull(conn, message[:]); err != nil {
		return
	}
	if r.Silent {
		_, _ = conn.Read(message[:]) // until the connection is closed
		return
	}
	ping, _ := vsr.DecodePing(&message)
	if message.Cluster() != r.ClusterID {
		return // hangs up
	}
	answer := vsr.Pong{Replica: r.Index, View: r.View, Release: r.Release}.Encode(r.ClusterID, ping.Timestamp)
	if ping.Release > r.Release {
		answer = vsr.EncodeEviction(r.ClusterID, r.View, r.Release, ping.Client, vsr.EvictionReleaseTooHigh)
	}
	_, _ = conn.Write(answer[:])
}
