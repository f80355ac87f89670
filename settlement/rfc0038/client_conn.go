package rfc0038

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http/httptrace"
	"sync/atomic"
)

// errStaleAnswer is returned for an answer that was read before its request was written: the engine has
// answered an earlier request twice.
var errStaleAnswer = errors.New("the engine answered before it was asked")

// watchedConn is a connection that tells an answer to the request in hand from a second answer to the request
// before, which net/http gives to the next request if it is quick enough. An answer that arrives later than
// the request cannot be told apart.
type watchedConn struct {
	net.Conn

	reads  atomic.Uint64 // those that brought bytes
	before atomic.Uint64 // reads before the request in hand was written
	begun  atomic.Bool   // its first bytes are written
}

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.reads.Add(1)
	}
	return n, err
}

func (c *watchedConn) Write(p []byte) (int, error) {
	if c.begun.CompareAndSwap(false, true) {
		c.before.Store(c.reads.Load())
	}
	return c.Conn.Write(p)
}

// watchConn returns a context for a request, and the connection that the request was sent on, which is known when
// its answer is.
func watchConn(ctx context.Context) (context.Context, *atomic.Pointer[watchedConn]) {
	used := new(atomic.Pointer[watchedConn])
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
		conn := got.Conn
		if secure, is := conn.(*tls.Conn); is {
			conn = secure.NetConn()
		}
		if watched, is := conn.(*watchedConn); is {
			watched.begun.Store(false)
			used.Store(watched)
		}
	}}), used
}

// isStale reports whether the request was not written yet, or nothing was read since.
func (c *watchedConn) isStale() bool {
	return c != nil && (!c.begun.Load() || c.reads.Load() == c.before.Load())
}
