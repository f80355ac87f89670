package transfers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/peerledger/peerledger/accounts"
)

// runRefresher reads the ledger once per poll interval, and whenever a caller has requested
// a refresh, until ctx ends.
func (g *admission) runRefresher(ctx context.Context) {
	ticker := time.NewTicker(g.book.SuspensionPollInterval())
	defer ticker.Stop()
	for {
		if err := g.refreshLimits(ctx); err != nil && ctx.Err() == nil && g.refreshFailed != nil {
			g.refreshFailed(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-g.refreshRequested:
		}
	}
}

// refreshLimits reads the suspensions, the balances of stale peers with caps, our
// liquidity, and the arrears. After a failed read the earlier values stay in use until the
// next refresh.
func (g *admission) refreshLimits(ctx context.Context) error {
	err := g.readSuspensions(ctx)
	if g.hasCaps {
		g.holds.dropExpired(time.Now())
		err = errors.Join(err, g.readPeerBalances(ctx), g.readFloors(ctx))
	}
	if g.debtors != nil {
		err = errors.Join(err, g.debtors.refreshArrears(ctx, g.book))
	}
	g.mu.Lock()
	done := g.refreshed
	g.refreshed = make(chan struct{})
	g.mu.Unlock()
	close(done)
	return err
}

func (g *admission) readSuspensions(ctx context.Context) error {
	changes, newest, err := g.book.Suspensions(ctx, g.newestSuspension)
	g.newestSuspension = newest
	if len(changes) == 0 {
		return err
	}
	suspended := maps.Clone(*g.suspended.Load())
	for _, c := range changes {
		if c.Suspended {
			suspended[c.Peer] = struct{}{}
		} else {
			delete(suspended, c.Peer)
		}
	}
	g.suspended.Store(&suspended)
	return err
}

// readPeerBalances reads the balances of all stale peers, some 2,000 in a request. Peers
// never read before may not be provisioned, and are read in requests of their own.
func (g *admission) readPeerBalances(ctx context.Context) error {
	known, unknown := g.selectStale()
	return errors.Join(g.readBalances(ctx, known), g.readBalances(ctx, unknown))
}

// selectStale marks the start of a read in stale limits. Limits never
// read before are unknown.
func (g *admission) selectStale() (known, unknown []*peerLimits) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	for _, l := range g.limitsByPeer {
		switch isNeeded, isKnown := l.beginRead(); {
		case !isNeeded:
		case isKnown:
			known = append(known, l)
		default:
			unknown = append(unknown, l)
		}
	}
	return known, unknown
}

func (g *admission) readBalances(ctx context.Context, limits []*peerLimits) error {
	if len(limits) == 0 {
		return nil
	}
	peers := make([]accounts.PeerAccount, len(limits))
	for i, l := range limits {
		peers[i] = l.account
	}
	return lookUpEach(ctx, g.book, peers, func(i int, b accounts.Balance, err error) { limits[i].endRead(b, err) })
}

// lookUpEach reads the balances of peers, and calls report once for each peer, with a
// balance or an error. A peer without provisioning fails a whole request. So a failed list
// is halved until the missing peer is alone, to keep the number of requests low. The
// returned error joins the errors of requests, without [accounts.ErrNotProvisioned].
func lookUpEach(ctx context.Context, book *accounts.Book, peers []accounts.PeerAccount, report func(i int, b accounts.Balance, err error)) error {
	balances, err := book.LookUpBalances(ctx, peers...)
	isMissing := errors.Is(err, accounts.ErrNotProvisioned)
	if half := len(peers) / 2; isMissing && half > 0 {
		reportSecond := func(i int, b accounts.Balance, err error) { report(half+i, b, err) }
		return errors.Join(lookUpEach(ctx, book, peers[:half], report), lookUpEach(ctx, book, peers[half:], reportSecond))
	}
	for i := range peers {
		if err != nil {
			report(i, accounts.Balance{}, err)
		} else {
			report(i, balances[i], nil)
		}
	}
	if isMissing {
		return nil
	}
	return err
}

// nextRefresh returns a channel that is closed when the next refresh completes: the
// current refresh, if there is one.
func (g *admission) nextRefresh() <-chan struct{} {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.refreshed
}

// waitForRefresh requests a refresh and waits for next, a channel of nextRefresh.
func (g *admission) waitForRefresh(ctx context.Context, next <-chan struct{}) error {
	g.requestRefresh()
	select {
	case <-next:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrLimitsNotLoaded, context.Cause(ctx))
	case <-g.recorderDone:
		return ErrRecorderClosed
	}
}

// requestRefresh wakes the refresher.
func (g *admission) requestRefresh() {
	select {
	case g.refreshRequested <- struct{}{}:
	default: // a request is pending
	}
}
