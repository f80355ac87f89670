//go:build cgo && unix

package tigerbeetletest

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// Proxy passes TCP connections on to a target, well or badly. Its address stays the same
// whatever happens to the target. All methods may be called concurrently; what they change
// holds for present and for new connections.
type Proxy struct {
	address string

	mu       sync.Mutex
	listener net.Listener // nil while connections are refused, and after Close
	target   string
	blocked  [2]bool // by direction
	delay    time.Duration
	changed  chan struct{} // closed, and made anew, when something of the above or a count changes
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
// ("host:port"). The system does not give the port to others, also not while the proxy
// refuses connections.
func NewProxy(target string) (p *Proxy, err error) {
	for range portTries {
		if p, err = NewProxyOn(randomAddress(proxyPorts), target); err == nil {
			return p, nil
		}
	}
	return nil, err
}

// NewProxyOn is NewProxy with an address of the caller's to listen on.
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

// Addr is the proxy's address, "127.0.0.1:port".
func (p *Proxy) Addr() string { return p.address }

// SetTarget changes where new connections go. Present ones stay.
func (p *Proxy) SetTarget(target string) { p.changeState(func() { p.target = target }) }

// Delay adds a latency to each direction. Bytes keep their order, and the throughput is not
// bounded. 0 takes the latency away. What is on its way goes by the new latency.
func (p *Proxy) Delay(d time.Duration) { p.changeState(func() { p.delay = d }) }

// BlackHole lets nothing through any more, in neither direction. Connections stay, and new
// ones are accepted, of which the target does not hear. What was sent meanwhile gets through
// after Heal, as it does when a network is whole again.
func (p *Proxy) BlackHole() { p.changeState(func() { p.blocked = [2]bool{true, true} }) }

// DropReplies lets what clients send through, and nothing of what the target sends.
func (p *Proxy) DropReplies() { p.changeState(func() { p.blocked = [2]bool{toClient: true} }) }

// Heal takes all faults away.
func (p *Proxy) Heal() error {
	p.changeState(func() { p.blocked, p.delay = [2]bool{}, 0 })
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil || p.closed {
		return nil
	}
	return p.openListener(p.address)
}

// Reset ends all present connections with a reset, at both ends. What was under way on them
// is lost.
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

// Refuse has new connections refused, and resets the present ones.
func (p *Proxy) Refuse() {
	p.changeState(func() {
		if p.listener != nil {
			_ = p.listener.Close() // an error means that nobody listens any more, which is what is wanted
			p.listener = nil
		}
	})
	p.Reset()
}

// Connections is how many connections pass at the moment.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

// Passed is how many bytes have passed since the beginning, to the target and back.
func (p *Proxy) Passed() (toTarget, back uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.passed[toServer], p.passed[toClient]
}

// Await waits until the condition holds. It is asked again after each change to the proxy,
// its connections or what has passed. The error is the context's.
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

// changeState makes a change and tells those who wait for one.
func (p *Proxy) changeState(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.changed)
	p.changed = make(chan struct{})
}

// acceptConnections takes connections until the listener is closed.
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

// waitOpen waits until a direction is open and what was sent at a time is due. It returns false if
// the connection has ended before.
func (p *Proxy) waitOpen(direction int, sent time.Time, ended <-chan struct{}) (open bool) {
	for {
		p.mu.Lock()
		blocked, changed := p.blocked[direction], p.changed
		wait := time.Until(sent.Add(p.delay))
		p.mu.Unlock()
		var due <-chan time.Time // never, while it is blocked
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
