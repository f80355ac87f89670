//go:build cgo && unix

package tigerbeetletest

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// Proxy passes TCP connections on to a target, with faults on demand. Its address stays the same,
// whatever happens to the target. All methods may be called concurrently. A fault applies to
// present and to new connections.
type Proxy struct {
	address string

	mu       sync.Mutex
	listener net.Listener // nil while connections are refused, and after Close
	target   string
	blocked  [2]bool // by direction
	delay    time.Duration
	changed  chan struct{} // closed and replaced when a field above or a count changes
	links    map[*link]struct{}
	passed   [2]uint64 // bytes by direction
	closed   bool

	running sync.WaitGroup
}

// Directions of a proxy.
const (
	toServer = iota
	toClient
)

// NewProxy listens on a free port of 127.0.0.1, and passes connections on to the target
// ("host:port"). The system gives the port to no other process, even while the proxy refuses
// connections.
func NewProxy(target string) (p *Proxy, err error) {
	for range portTries {
		if p, err = NewProxyOn(pickAddress(proxyPorts), target); err == nil {
			return p, nil
		}
	}
	return nil, err
}

// NewProxyOn is [NewProxy] on a given address.
func NewProxyOn(address, target string) (*Proxy, error) {
	p := &Proxy{target: target, changed: make(chan struct{}), links: make(map[*link]struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.openListener(address); err != nil {
		return nil, err
	}
	p.address = p.listener.Addr().String()
	return p, nil
}

// openListener is called with the mutex held.
func (p *Proxy) openListener(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("tigerbeetletest: proxy: %w", err)
	}
	p.listener = listener
	p.running.Go(func() { p.acceptConnections(listener) })
	return nil
}

// Addr returns the proxy's address, "127.0.0.1:port".
func (p *Proxy) Addr() string { return p.address }

// SetTarget changes the target of new connections. Present connections stay.
func (p *Proxy) SetTarget(target string) { p.changeState(func() { p.target = target }) }

// Delay adds a latency to each direction. Bytes keep their order, and the throughput is not
// bounded. 0 removes the latency. A new latency also applies to bytes in flight.
func (p *Proxy) Delay(d time.Duration) { p.changeState(func() { p.delay = d }) }

// BlackHole stops all bytes in both directions. Connections stay open. New connections are
// accepted, but the target does not hear of them. Bytes sent meanwhile arrive after [Proxy.Heal],
// as after the repair of a network.
func (p *Proxy) BlackHole() { p.changeState(func() { p.blocked = [2]bool{true, true} }) }

// DropReplies passes the bytes of clients on, and stops all bytes of the target.
func (p *Proxy) DropReplies() { p.changeState(func() { p.blocked = [2]bool{toClient: true} }) }

// Heal removes all faults.
func (p *Proxy) Heal() error {
	p.changeState(func() { p.blocked, p.delay = [2]bool{}, 0 })
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil || p.closed {
		return nil
	}
	return p.openListener(p.address)
}

// Reset ends all present connections with a reset at both ends. Bytes in flight are lost.
func (p *Proxy) Reset() {
	p.mu.Lock()
	all := make([]*link, 0, len(p.links))
	for l := range p.links {
		all = append(all, l)
	}
	p.mu.Unlock()
	for _, l := range all {
		l.resetEnds()
	}
}

// Refuse refuses new connections, and resets the present ones.
func (p *Proxy) Refuse() {
	p.changeState(func() {
		if p.listener != nil {
			_ = p.listener.Close() // after an error the listener is closed, too
			p.listener = nil
		}
	})
	p.Reset()
}

// Connections returns the number of present connections.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

// Passed returns the number of bytes passed since the beginning, to the target and back.
func (p *Proxy) Passed() (toTarget, back uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.passed[toServer], p.passed[toClient]
}

// Await waits until the condition holds. It checks the condition after each change to the proxy,
// its connections or the bytes passed. The error is the context's.
func (p *Proxy) Await(ctx context.Context, condition func() bool) error {
	for {
		p.mu.Lock()
		changed := p.changed
		p.mu.Unlock()
		if condition() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Close ends the proxy and its connections. A second Close does nothing.
func (p *Proxy) Close() {
	p.changeState(func() { p.closed = true })
	p.Refuse()
	p.running.Wait()
}

// changeState makes a change and wakes everything that waits for one.
func (p *Proxy) changeState(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.changed)
	p.changed = make(chan struct{})
}

// acceptConnections accepts connections until the listener is closed.
func (p *Proxy) acceptConnections(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		l := newLink(p, client.(*net.TCPConn))
		open := false
		p.changeState(func() {
			if open = p.listener == listener; open {
				p.links[l] = struct{}{}
			}
		})
		if !open {
			l.resetEnds()
			continue
		}
		p.running.Go(l.passBytes)
	}
}

// waitOpen waits until a direction is open and bytes sent at the given time are due. It returns
// false if the connection ends first.
func (p *Proxy) waitOpen(direction int, sent time.Time, ended <-chan struct{}) (open bool) {
	for {
		p.mu.Lock()
		blocked, changed := p.blocked[direction], p.changed
		wait := time.Until(sent.Add(p.delay))
		p.mu.Unlock()
		var due <-chan time.Time // never ready while blocked
		if !blocked {
			if wait <= 0 {
				return true
			}
			due = time.After(wait)
		}
		select {
		case <-due:
		case <-changed:
		case <-ended:
			return false
		}
	}
}
