//go:build cgo && unix

package tigerbeetletest

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// link is one connection through a proxy.
//
// Each direction ends when its sender has closed the connection and all bytes sent before have been
// delivered. The link ends with both directions. If one end breaks its connection, the opposite end
// is reset.
type link struct {
	proxy  *Proxy
	client *net.TCPConn
	ctx    context.Context
	cancel context.CancelFunc

	mu     sync.Mutex
	server *net.TCPConn // nil until connected
	ended  bool
}

func newLink(p *Proxy, client *net.TCPConn) *link {
	l := &link{proxy: p, client: client}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// passBytes connects to the target and passes bytes until the connection has ended.
func (l *link) passBytes() {
	defer l.proxy.changeState(func() { delete(l.proxy.links, l) })
	if !l.dialTarget() {
		l.resetEnds()
		return
	}
	var pumps sync.WaitGroup
	pumps.Go(func() { l.pumpDirection(toServer, l.client, l.server) })
	pumps.Go(func() { l.pumpDirection(toClient, l.server, l.client) })
	pumps.Wait()
	l.closeEnds()
}

func (l *link) dialTarget() bool {
	// Before a black hole is lifted, the target must not hear of the connection, and the client
	// must not hear that the target is down.
	if !l.proxy.waitOpen(toServer, time.Time{}, l.ctx.Done()) {
		return false
	}
	l.proxy.mu.Lock()
	target := l.proxy.target
	l.proxy.mu.Unlock()
	var dialer net.Dialer
	server, err := dialer.DialContext(l.ctx, "tcp", target)
	if err != nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.server = server.(*net.TCPConn)
	if l.ended {
		breakConn(l.server)
	}
	return !l.ended
}

// resetEnds breaks both ends.
func (l *link) resetEnds() {
	l.cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	l.ended = true
	breakConn(l.client)
	if l.server != nil {
		breakConn(l.server)
	}
}

// closeEnds closes both ends, unless broken. Written bytes will arrive.
func (l *link) closeEnds() {
	l.cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended {
		l.ended = true
		_ = l.client.Close() // both directions are done, so an error changes nothing
		_ = l.server.Close()
	}
}

// breakConn closes a connection with a reset. An error means that the connection is already gone.
func breakConn(conn *net.TCPConn) {
	_ = conn.SetLinger(0)
	_ = conn.Close()
}

// chunk is the bytes of one read, and the time of the read.
type chunk struct {
	data []byte // nil at the end of the direction
	sent time.Time
}

// pumpDirection passes one direction on until its end. The sender's end of file is passed on too;
// any other error breaks the link.
func (l *link) pumpDirection(direction int, from, to *net.TCPConn) {
	chunks := make(chan chunk, 1024) // bytes in flight while there is a delay
	var writing sync.WaitGroup
	writing.Go(func() {
		for c := range chunks {
			if !l.writeChunk(direction, to, c) {
				l.resetEnds()
			}
		}
	})
	defer writing.Wait()
	defer close(chunks)
	for {
		buffer := make([]byte, 32<<10)
		n, err := from.Read(buffer)
		sent := time.Now()
		if !l.proxy.waitOpen(direction, time.Time{}, l.ctx.Done()) {
			return
		}
		if n > 0 {
			chunks <- chunk{buffer[:n], sent}
		}
		if errors.Is(err, io.EOF) {
			chunks <- chunk{nil, sent}
			return
		}
		if err != nil {
			l.resetEnds()
			return
		}
	}
}

// writeChunk writes a chunk when due, or ends the direction. It returns false on failure.
func (l *link) writeChunk(direction int, to *net.TCPConn, c chunk) bool {
	if !l.proxy.waitOpen(direction, c.sent, l.ctx.Done()) {
		return false
	}
	if c.data == nil {
		return to.CloseWrite() == nil
	}
	n, err := to.Write(c.data)
	l.proxy.changeState(func() { l.proxy.passed[direction] += uint64(n) })
	return err == nil
}
