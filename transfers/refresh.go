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
func (a *admission) runRefresher(ctx context.Context) {
	ticker := time.NewTicker(a.book.SuspensionPollInterval())
	defer ticker.Stop()
	for {
		if err := a.refreshLimits(ctx); err != nil && ctx.Err() == nil && a.refreshFailed != nil {
			a.refreshFailed(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-a.refreshRequested:
		}
	}
}

// refreshLimits reads the suspensions, the balances of stale peers with caps, our
// liquidity, and the arrears. After a failed read the earlier values stay in use until the
// next refresh.
func (a *admission) refreshLimits(ctx context.Context) error {
	err := a.readSuspensions(ctx)
	if a.hasCaps {
		a.holds.dropExpired(time.Now()) // addPacket's clock, not Config.Clock: see heldPacket
		err = errors.Join(err, a.readPeerBalances(ctx), a.readFloors(ctx))
	}
	if a.debtors != nil {
		err = errors.Join(err, a.debtors.refreshArrears(ctx, a.book))
	}
	a.mu.Lock()
	done := a.refreshed
	a.refreshed = make(chan struct{})
	a.mu.Unlock()
	close(done)
	return err
}

func (a *admission) readSuspensions(ctx context.Context) error {
	changes, newest, err := a.book.Suspensions(ctx, a.newestSuspension)
	a.newestSuspension = newest
	if len(changes) == 0 {
		return err
	}
	suspended := maps.Clone(*a.suspended.Load())
	for _, c := range changes {
		if c.Suspended {
			suspended[c.Peer] = struct{}{}
		} else {
			delete(suspended, c.Peer)
		}
	}
	a.suspended.Store(&suspended)
	return err
}

// readPeerBalances reads the balances of all stale peers, some 2,000 in a request. Peers
// never read before may not be provisioned, and are read in requests of their own.
func (a *admission) readPeerBalances(ctx context.Context) error {
	known, unknown := a.selectStale()
	return errors.Join(a.readBalances(ctx, known), a.readBalances(ctx, unknown))
}

// selectStale returns the limits that need a read, and marks the start of the read in them.
// unknown are the limits never read before.
func (a *admission) selectStale() (known, unknown []*peerLimits) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	for _, l := range a.limitsByPeer {
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

func (a *admission) readBalances(ctx context.Context, limits []*peerLimits) error {
	if len(limits) == 0 {
		return nil
	}
	peers := make([]accounts.PeerAccount, len(limits))
	for i, l := range limits {
		peers[i] = l.account
	}
	return lookUpEach(ctx, a.book, peers, func(i int, b accounts.Balance, err error) { limits[i].endRead(b, err) })
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

// nextRefresh returns a channel that is closed when a refresh completes: the refresh under
// way, or else the next one.
func (a *admission) nextRefresh() <-chan struct{} {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.refreshed
}

// waitForRefresh requests a refresh and waits for next, a channel of nextRefresh.
func (a *admission) waitForRefresh(ctx context.Context, next <-chan struct{}) error {
	a.requestRefresh()
	select {
	case <-next:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrLimitsNotLoaded, context.Cause(ctx))
	case <-a.recorderDone:
		return ErrRecorderClosed
	}
}

// requestRefresh wakes the refresher.
func (a *admission) requestRefresh() {
	select {
	case a.refreshRequested <- struct{}{}:
	default: // a request is pending
	}
}
