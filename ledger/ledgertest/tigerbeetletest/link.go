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
// Each direction ends by itself, when its sender has closed it and what was sent before has
// been delivered; with both the link ends. If one side breaks its connection, the other is
// reset.
type link struct {
	proxy  *Proxy
	client *net.TCPConn
	ctx    context.Context
	cancel context.CancelFunc

	mu     sync.Mutex
	server *net.TCPConn // nil until it is connected
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
	// Else the target heard of the connection through a black hole, or the client that the
	// target is not there.
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

// closeEnds closes both ends, if they are not broken: what is written will arrive.
func (l *link) closeEnds() {
	l.cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended {
		l.ended = true
		_ = l.client.Close() // nobody is left who could be told
		_ = l.server.Close()
	}
}

// breakConn closes with a reset. An error means that the connection is gone already.
func breakConn(conn *net.TCPConn) {
	_ = conn.SetLinger(0)
	_ = conn.Close()
}

// chunk is what was read at once, and when.
type chunk struct {
	data []byte // nil for the end
	sent time.Time
}

// pumpDirection passes one direction on until it ends. The end of what one side sends is passed on
// too; anything else breaks the link.
func (l *link) pumpDirection(direction int, from, to *net.TCPConn) {
	chunks := make(chan chunk, 1024) // what is on its way while there is a delay
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

// writeChunk writes a chunk when it is due, or the end of a direction. It returns false if that
// cannot be done.
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
