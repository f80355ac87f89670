package transfers

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/peerledger/peerledger/accounts"
)

// runRefresher looks at the ledger once a round, and when somebody waits for it, until ctx ends.
func (g *admission) runRefresher(ctx context.Context) {
	round := time.NewTicker(g.book.SuspensionPollInterval())
	defer round.Stop()
	for {
		if err := g.refreshLimits(ctx); err != nil && ctx.Err() == nil && g.refreshFailed != nil {
			g.refreshFailed(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-round.C:
		case <-g.refreshRequested:
		}
	}
}

// refreshLimits reads who is suspended, the balances of the peers with caps that need it, and
// who is in arrears. What could not be read stays as it was, for the next look.
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
	defer g.mu.Unlock()
	close(g.refreshed)
	g.refreshed = make(chan struct{})
	return err
}

func (g *admission) readSuspensions(ctx context.Context) error {
	changes, seen, err := g.book.Suspensions(ctx, g.newestSuspension)
	g.newestSuspension = seen
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

// readPeerBalances looks at the balances of all rooms that need it, some 2,000 in a request. Those
// never looked at may be of peers that are not provisioned, so they are read apart.
func (g *admission) readPeerBalances(ctx context.Context) error {
	known, fresh := g.beginRefresh()
	return errors.Join(g.readBalances(ctx, known), g.readBalances(ctx, fresh))
}

func (g *admission) readBalances(ctx context.Context, rooms []*peerLimits) error {
	if len(rooms) == 0 {
		return nil
	}
	handles := make([]accounts.PeerAccount, len(rooms))
	for i, r := range rooms {
		handles[i] = r.account
	}
	return lookUpEach(ctx, g.book, handles, func(i int, b accounts.Balance, err error) { rooms[i].endRefresh(b, err) })
}

// lookUpEach looks peers up and tells what is found of each: its balance, or why there is none.
// One that is not provisioned must not keep the others from being looked at, nor cost a
// request for each of them: the list is halved until it is alone. The error is that of the
// requests; a peer that is not provisioned is none.
func lookUpEach(ctx context.Context, book *accounts.Book, list []accounts.PeerAccount, tell func(i int, b accounts.Balance, err error)) error {
	balances, err := book.LookUpBalances(ctx, list...)
	missing := errors.Is(err, accounts.ErrNotProvisioned)
	if half := len(list) / 2; missing && half > 0 {
		second := func(i int, b accounts.Balance, err error) { tell(half+i, b, err) }
		return errors.Join(lookUpEach(ctx, book, list[:half], tell), lookUpEach(ctx, book, list[half:], second))
	}
	for i := range list {
		if err != nil {
			tell(i, accounts.Balance{}, err)
		} else {
			tell(i, balances[i], nil)
		}
	}
	if missing {
		return nil
	}
	return err
}

// beginRefresh begins a look at the rooms that need one; fresh are those never looked at.
func (g *admission) beginRefresh() (known, fresh []*peerLimits) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	for _, r := range g.limitsByPeer {
		switch needed, isKnown := r.beginRefresh(); {
		case !needed:
		case isKnown:
			known = append(known, r)
		default:
			fresh = append(fresh, r)
		}
	}
	return known, fresh
}
