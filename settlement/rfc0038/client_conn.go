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

	reads atomic.Uint64 // those that brought bytes
	sent  atomic.Pointer[sentRequest]
}

// sentRequest is a request on a connection. Another request may have the connection before the first one's
// answer is looked at: each has its own state.
type sentRequest struct {
	conn   *watchedConn
	before atomic.Uint64 // reads before the request was written
	begun  atomic.Bool   // its first bytes are written; set behind before
}

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.reads.Add(1)
	}
	return n, err
}

func (c *watchedConn) Write(p []byte) (int, error) {
	if r := c.sent.Load(); r != nil && !r.begun.Load() {
		r.before.Store(c.reads.Load())
		r.begun.Store(true)
	}
	return c.Conn.Write(p)
}

// watchConn returns a context for a request, and the request on its connection, which is known when the answer is.
func watchConn(ctx context.Context) (context.Context, *atomic.Pointer[sentRequest]) {
	sent := new(atomic.Pointer[sentRequest])
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
		conn := got.Conn
		if secure, is := conn.(*tls.Conn); is {
			conn = secure.NetConn()
		}
		if watched, is := conn.(*watchedConn); is {
			r := &sentRequest{conn: watched}
			watched.sent.Store(r)
			sent.Store(r)
		}
	}}), sent
}

// isStale reports whether the answer was there before the request: the request was not written yet, or nothing was read since.
func (r *sentRequest) isStale() bool {
	return r != nil && (!r.begun.Load() || r.conn.reads.Load() == r.before.Load())
}
