//go:build cgo

package cluster

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// The pause before a session is opened again, so that two programs that drop each
	// other's sessions do not do so all the time: it doubles while new sessions last less
	// than steady, which is longer than the longest pause.
	pauseLeast = 100 * time.Millisecond
	pauseMost  = 30 * time.Second
	steady     = time.Minute
)

// keep keeps a lane's session open until ctx ends.
func (l *Ledger) keep(ctx context.Context, ln *lane) {
	pause := &backoff.ExponentialBackOff{
		InitialInterval: pauseLeast, MaxInterval: pauseMost, Multiplier: 2, RandomizationFactor: 0.5,
	}
	watch := time.NewTicker(max(1, l.cfg.StallTimeout/2))
	defer watch.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case lost := <-ln.lost:
			lost.conn.client.Close()
			if time.Since(lost.conn.opened) >= steady {
				pause.Reset()
			}
			l.reopen(ctx, lost, pause)
		case <-watch.C:
			l.watch(ctx, ln)
		}
	}
}

// reopen opens another session in place of a lost one, however often it takes.
func (l *Ledger) reopen(ctx context.Context, lost lostConn, pause backoff.BackOff) {
	since := time.Now()
	for attempt := 1; ; attempt++ {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause.NextBackOff()):
		}
		if l.sessions.reason() != nil {
			return
		}
		c, err := l.reconnect(ctx, lost.conn)
		if err != nil { // a fault of this machine; the cluster was not asked
			if told := l.cfg.Events.ReopenFailed; told != nil {
				told(lost.conn.lane.number, err)
			}
			continue
		}
		if !l.sessions.install(c, true) {
			c.client.Close()
			return
		}
		if told := l.cfg.Events.Reopened; told != nil {
			told(SessionReopened{
				Session: c.lane.number, Cause: lost.cause, Attempts: attempt,
				Downtime: time.Since(since), Addresses: slices.Clone(c.addresses),
			})
		}
		return
	}
}

// reconnect opens a session in place of another, at the addresses as they are now. A name
// that cannot be resolved, or not in time, keeps the address it had.
func (l *Ledger) reconnect(ctx context.Context, previous *conn) (*conn, error) {
	return l.connect(previous.lane, l.resolveAgain(ctx, previous.addresses))
}

// resolveAgain finds where the replicas are now. If what is new and what is kept do not go
// together, since two replicas would be at one address, all keep the addresses they had.
func (l *Ledger) resolveAgain(ctx context.Context, previous []netip.AddrPort) []netip.AddrPort {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.StallTimeout)
	defer cancel()
	addresses, err := resolveAll(ctx, l.cfg.Resolver, l.replicas, previous)
	if err != nil {
		return previous
	}
	return addresses
}

// connect opens a session. It does not wait for the cluster.
func (l *Ledger) connect(ln *lane, addresses []netip.AddrPort) (*conn, error) {
	client, err := l.dial(l.cfg.ClusterID, addresses)
	if err != nil {
		return nil, fmt.Errorf("cluster: session %d: %w", ln.number, err)
	}
	return &conn{lane: ln, client: client, addresses: addresses, opened: time.Now()}, nil
}

// watch gives up a session that has had no answers for a while if a replica is no longer
// where the session looks for it. The native client asks no resolver; all else it is
// better at waiting for than a new one would be.
func (l *Ledger) watch(ctx context.Context, ln *lane) {
	c := l.sessions.stalled(ln, l.cfg.StallTimeout)
	if c == nil || !hasNames(l.replicas) {
		return
	}
	addresses := l.resolveAgain(ctx, c.addresses)
	if ctx.Err() == nil && !slices.Equal(addresses, c.addresses) {
		l.sessions.lose(c, ErrAddressChanged)
	}
}
