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
	minReopenPause = 100 * time.Millisecond
	maxReopenPause = 30 * time.Second
	steadyAfter    = time.Minute
)

// keepSession keeps a lane's session open until ctx ends.
func (l *Ledger) keepSession(ctx context.Context, ln *sessionSlot) {
	pause := &backoff.ExponentialBackOff{
		InitialInterval: minReopenPause, MaxInterval: maxReopenPause, Multiplier: 2, RandomizationFactor: 0.5,
	}
	watch := time.NewTicker(max(1, l.cfg.StallTimeout/2))
	defer watch.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case lost := <-ln.lost:
			lost.conn.client.Close()
			if time.Since(lost.conn.opened) >= steadyAfter {
				pause.Reset()
			}
			l.reopenSession(ctx, lost, pause)
		case <-watch.C:
			l.checkStalled(ctx, ln)
		}
	}
}

// reopenSession opens another session in place of a lost one, however often it takes.
func (l *Ledger) reopenSession(ctx context.Context, lost lostConn, pause backoff.BackOff) {
	lostAt := time.Now()
	for attempt := 1; ; attempt++ {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause.NextBackOff()):
		}
		if l.sessions.endReason() != nil {
			return
		}
		c, err := l.replaceConn(ctx, lost.conn)
		if err != nil { // a fault of this machine; the cluster was not asked
			if notify := l.cfg.Events.ReopenFailed; notify != nil {
				notify(lost.conn.slot.number, err)
			}
			continue
		}
		if !l.sessions.installConn(c, true) {
			c.client.Close()
			return
		}
		if notify := l.cfg.Events.Reopened; notify != nil {
			notify(SessionReopened{
				Session: c.slot.number, Cause: lost.cause, Attempts: attempt,
				Downtime: time.Since(lostAt), Addresses: slices.Clone(c.addresses),
			})
		}
		return
	}
}

// replaceConn opens a session in place of another, at the addresses as they are now. A name
// that cannot be resolved, or not in time, keeps the address it had.
func (l *Ledger) replaceConn(ctx context.Context, previous *conn) (*conn, error) {
	return l.openConn(previous.slot, l.resolveAgain(ctx, previous.addresses))
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

// openConn opens a session. It does not wait for the cluster.
func (l *Ledger) openConn(ln *sessionSlot, addresses []netip.AddrPort) (*conn, error) {
	client, err := l.dial(l.cfg.ClusterID, addresses)
	if err != nil {
		return nil, fmt.Errorf("cluster: session %d: %w", ln.number, err)
	}
	return &conn{slot: ln, client: client, addresses: addresses, opened: time.Now()}, nil
}

// checkStalled gives up a session that has had no answers for a while if a replica is no longer
// where the session looks for it. The native client asks no resolver; all else it is
// better at waiting for than a new one would be.
func (l *Ledger) checkStalled(ctx context.Context, ln *sessionSlot) {
	c := l.sessions.stalledConn(ln, l.cfg.StallTimeout)
	if c == nil || !hasNames(l.replicas) {
		return
	}
	addresses := l.resolveAgain(ctx, c.addresses)
	if ctx.Err() == nil && !slices.Equal(addresses, c.addresses) {
		l.sessions.dropConn(c, ErrAddressChanged)
	}
}
