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
	// The pause before a session is reopened. It doubles while new sessions last less than
	// steadyAfter, a time longer than maxReopenPause. Otherwise two programs could drop each
	// other's sessions without end.
	minReopenPause = 100 * time.Millisecond
	maxReopenPause = 30 * time.Second
	steadyAfter    = time.Minute
)

// keepSession keeps the session of a slot open until ctx ends. A session evicted by the cluster, or
// ended in any other way, arrives on slot.lost, from sessions.dropConn. keepSession sends no request
// again: that is the caller's sendRequest (request.go).
func (l *Ledger) keepSession(ctx context.Context, slot *sessionSlot) {
	pause := &backoff.ExponentialBackOff{
		InitialInterval: minReopenPause, MaxInterval: maxReopenPause, Multiplier: 2, RandomizationFactor: 0.5,
	}
	watch := time.NewTicker(max(1, l.cfg.StallTimeout/2))
	defer watch.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case lost := <-slot.lost:
			lost.conn.client.Close()
			if time.Since(lost.conn.opened) >= steadyAfter {
				pause.Reset()
			}
			l.reopenSession(ctx, lost, pause)
		case <-watch.C:
			l.checkStalled(ctx, slot)
		}
	}
}

// reopenSession replaces a lost session, and tries until it succeeds or ctx ends.
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
		if err != nil { // a fault of this machine; the cluster was not contacted
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

// replaceConn opens a session in place of a lost one, at the present addresses. A name without an
// answer in time keeps its address.
func (l *Ledger) replaceConn(ctx context.Context, previous *conn) (*conn, error) {
	return l.openConn(previous.slot, l.resolveAgain(ctx, previous.addresses))
}

// resolveAgain returns the present addresses of the replicas. If a new address equals a kept one,
// all replicas keep the previous addresses.
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
func (l *Ledger) openConn(slot *sessionSlot, addresses []netip.AddrPort) (*conn, error) {
	client, err := l.dial(l.cfg.ClusterID, addresses)
	if err != nil {
		return nil, fmt.Errorf("cluster: session %d: %w", slot.number, err)
	}
	return &conn{slot: slot, client: client, addresses: addresses, opened: time.Now()}, nil
}

// checkStalled drops a session without answers for StallTimeout if the address of a replica has
// changed. The native client resolves no names. In every other case waiting is better than a new
// session.
func (l *Ledger) checkStalled(ctx context.Context, slot *sessionSlot) {
	c := l.sessions.stalledConn(slot, l.cfg.StallTimeout)
	if c == nil || !hasNames(l.replicas) {
		return
	}
	addresses := l.resolveAgain(ctx, c.addresses)
	if ctx.Err() == nil && !slices.Equal(addresses, c.addresses) {
		l.sessions.dropConn(c, ErrAddressChanged)
	}
}
