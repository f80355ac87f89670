//go:build cgo && unix

package tigerbeetletest

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestProxyPasses(t *testing.T) {
	t.Parallel()
	b := newProxyTest(t)
	b.sendText("hello")
	b.receiveText("hello")
	require.Equal(t, 1, b.proxy.Connections())
	b.awaitCondition(func() bool { // the count follows the bytes
		to, back := b.proxy.Passed()
		return to == 5 && back == 5
	})
	require.NoError(t, b.conn.Close())
	b.awaitCondition(func() bool { return b.proxy.Connections() == 0 })
}

func TestProxyPassesMuchUnchanged(t *testing.T) {
	t.Parallel()
	for _, delay := range []time.Duration{0, 5 * time.Millisecond} {
		b := newProxyTest(t)
		b.proxy.Delay(delay)
		data := make([]byte, 8<<20)
		for i := range data {
			data[i] = byte(rand.Uint32())
		}
		var sending sync.WaitGroup
		sending.Go(func() {
			_, err := b.conn.Write(data)
			assert.NoError(t, err)
			assert.NoError(t, b.conn.(*net.TCPConn).CloseWrite())
		})
		got, err := io.ReadAll(b.conn)
		require.NoError(t, err)
		sending.Wait()
		require.True(t, bytes.Equal(data, got))
	}
}

func TestProxyBlackHole(t *testing.T) {
	t.Parallel()
	b := newProxyTest(t)
	b.sendText("a")
	b.receiveText("a")
	b.proxy.BlackHole()
	b.sendText("b")
	b.requireSilence()
	old := b.conn
	b.dialProxy()
	b.sendText("new")
	b.requireSilence()
	require.NoError(t, b.proxy.Heal())
	b.receiveText("new")
	b.conn = old
	b.receiveText("b")
}

// Behind a black hole the target does not hear of a new connection, and the client does not hear
// that the target is down.
func TestProxyBlackHoleHidesConnections(t *testing.T) {
	t.Parallel()
	target, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = target.Close() })
	p, err := NewProxy(target.Addr().String())
	require.NoError(t, err)
	t.Cleanup(p.Close)
	p.BlackHole()
	b := &proxyTest{t: t, proxy: p}
	b.dialProxy()
	b.awaitCondition(func() bool { return p.Connections() == 1 })
	require.NoError(t, target.(*net.TCPListener).SetDeadline(time.Now().Add(50*time.Millisecond)))
	_, err = target.Accept()
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, target.Close())
	b.dialProxy()
	b.requireSilence()
	require.NoError(t, p.Heal())
	b.requireReset()
}

func TestProxyDropsReplies(t *testing.T) {
	t.Parallel()
	b := newProxyTest(t)
	b.proxy.DropReplies()
	b.sendText("paid")
	b.awaitCondition(func() bool {
		to, _ := b.proxy.Passed()
		return to == 4
	})
	b.requireSilence()
	b.proxy.Reset()
	b.requireReset()
	_, back := b.proxy.Passed()
	require.Zero(t, back, "the reply is lost for good")
	require.NoError(t, b.proxy.Heal())
	b.dialProxy()
	b.sendText("again")
	b.receiveText("again")
}

func TestProxyDelay(t *testing.T) {
	t.Parallel()
	b := newProxyTest(t)
	b.proxy.Delay(50 * time.Millisecond)
	start := time.Now()
	b.sendText("slow")
	b.receiveText("slow")
	require.GreaterOrEqual(t, time.Since(start), 100*time.Millisecond, "there and back")
}

// A new latency also applies to bytes in flight.
func TestProxyDelayEnds(t *testing.T) {
	t.Parallel()
	b := newProxyTest(t)
	for _, end := range []func(){
		func() { b.proxy.Delay(0) },
		func() { require.NoError(t, b.proxy.Heal()) },
	} {
		b.proxy.Delay(time.Hour)
		b.sendText("late")
		b.requireSilence()
		end()
		b.receiveText("late")
	}
}

func TestProxyRefuses(t *testing.T) {
	t.Parallel()
	b := newProxyTest(t)
	b.sendText("a")
	b.receiveText("a")
	b.proxy.Refuse()
	b.requireReset()
	_, err := net.Dial("tcp", b.proxy.Addr())
	require.ErrorContains(t, err, "connection refused")
	b.proxy.Refuse()
	require.NoError(t, b.proxy.Heal())
	b.dialProxy()
	b.sendText("b")
	b.receiveText("b")
}

// No other process gets the proxy's port, even while the proxy refuses connections.
func TestProxyKeepsItsPort(t *testing.T) {
	t.Parallel()
	p, err := NewProxy("127.0.0.1:1")
	require.NoError(t, err)
	t.Cleanup(p.Close)
	_, port, err := net.SplitHostPort(p.Addr())
	require.NoError(t, err)
	number, err := strconv.Atoi(port)
	require.NoError(t, err)
	require.Less(t, number, 32768, "ephemeral ports begin there")
	address := p.Addr()
	for range 20 {
		var calls sync.WaitGroup
		calls.Go(p.Refuse)
		for range 4 {
			calls.Go(func() { assert.NoError(t, p.Heal()) })
		}
		calls.Wait()
	}
	require.Equal(t, address, p.Addr())
}

// A client learns that the target is down, as it would without a proxy.
func TestProxyTargetDown(t *testing.T) {
	t.Parallel()
	b := newProxyTest(t)
	b.sendText("a")
	b.receiveText("a")
	down, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, down.Close())
	target := b.proxy.target
	b.proxy.SetTarget(down.Addr().String())
	b.sendText("b")
	b.receiveText("b")
	if conn, err := net.Dial("tcp", b.proxy.Addr()); err == nil {
		t.Cleanup(func() { _ = conn.Close() })
		b.conn = conn
		b.requireReset()
	} else { // the reset was faster than Dial
		require.ErrorContains(t, err, "connection reset by peer")
	}
	b.proxy.SetTarget(target)
	b.dialProxy()
	b.sendText("c")
	b.receiveText("c")
}

// Close ends connections in every state, and every wait in Await.
func TestProxyCloses(t *testing.T) {
	t.Parallel()
	for _, fault := range []func(*Proxy){
		func(*Proxy) {}, (*Proxy).BlackHole, (*Proxy).DropReplies, (*Proxy).Refuse,
		func(p *Proxy) { p.Delay(time.Hour) },
	} {
		b := newProxyTest(t)
		fault(b.proxy)
		_, _ = io.WriteString(b.conn, "x") // may be refused
		b.proxy.Close()
		b.proxy.Close()
		require.Zero(t, b.proxy.Connections())
		require.NoError(t, b.proxy.Heal(), "does not open it again")
		_, err := net.Dial("tcp", b.proxy.Addr())
		require.ErrorContains(t, err, "connection refused")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, newProxyTest(t).proxy.Await(ctx, func() bool { return false }), context.Canceled)
}
