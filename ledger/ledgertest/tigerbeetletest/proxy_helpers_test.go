//go:build cgo && unix

package tigerbeetletest

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// echoServer sends all received bytes back.
type echoServer struct {
	listener net.Listener
	serving  sync.WaitGroup
}

func newEchoServer(t *testing.T) *echoServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	e := &echoServer{listener: listener}
	e.serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			e.serving.Go(func() {
				_, _ = io.Copy(conn, conn)
				_ = conn.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		e.serving.Wait()
	})
	return e
}

// proxyTest is a proxy in front of an echo server, and a client of the proxy.
type proxyTest struct {
	t     *testing.T
	proxy *Proxy
	conn  net.Conn
}

func newProxyTest(t *testing.T) *proxyTest {
	t.Helper()
	e := newEchoServer(t)
	p, err := NewProxy(e.listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(p.Close)
	b := &proxyTest{t: t, proxy: p}
	b.dialProxy()
	return b
}

func (b *proxyTest) dialProxy() {
	b.t.Helper()
	conn, err := net.Dial("tcp", b.proxy.Addr())
	require.NoError(b.t, err)
	b.t.Cleanup(func() { _ = conn.Close() })
	b.conn = conn
}

func (b *proxyTest) sendText(text string) {
	b.t.Helper()
	_, err := io.WriteString(b.conn, text)
	require.NoError(b.t, err)
}

// receiveText waits for exactly the given text.
func (b *proxyTest) receiveText(text string) {
	b.t.Helper()
	require.NoError(b.t, b.conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	got := make([]byte, len(text))
	_, err := io.ReadFull(b.conn, got)
	require.NoError(b.t, err)
	require.Equal(b.t, text, string(got))
}

// requireSilence waits 50 ms and fails the test if a byte arrives.
func (b *proxyTest) requireSilence() {
	b.t.Helper()
	require.NoError(b.t, b.conn.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	n, err := b.conn.Read(make([]byte, 1))
	var timeout net.Error
	require.ErrorAs(b.t, err, &timeout)
	require.True(b.t, timeout.Timeout(), "%v", err)
	require.Zero(b.t, n)
}

// requireReset waits for the connection to be reset.
func (b *proxyTest) requireReset() {
	b.t.Helper()
	require.NoError(b.t, b.conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	_, err := b.conn.Read(make([]byte, 1))
	require.ErrorContains(b.t, err, "connection reset by peer")
}

func (b *proxyTest) awaitCondition(condition func() bool) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 10*time.Second)
	defer cancel()
	require.NoError(b.t, b.proxy.Await(ctx, condition))
}
