package transfers

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/peerledger/peerledger/accounts"
)

// watch looks at the ledger once a round, and when somebody waits for it, until ctx ends.
func (g *gate) watch(ctx context.Context) {
	round := time.NewTicker(g.book.Round())
	defer round.Stop()
	for {
		if err := g.lookOnce(ctx); err != nil && ctx.Err() == nil && g.failed != nil {
			g.failed(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-round.C:
		case <-g.wake:
		}
	}
}

// lookOnce reads who is suspended, and the balances of the peers with caps that need it.
// What could not be read stays as it was, for the next look.
func (g *gate) lookOnce(ctx context.Context) error {
	err := g.readSuspensions(ctx)
	if g.capped {
		err = errors.Join(err, g.readRooms(ctx))
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.looked)
	g.looked = make(chan struct{})
	return err
}

func (g *gate) readSuspensions(ctx context.Context) error {
	changes, seen, err := g.book.Suspensions(ctx, g.seen)
	g.seen = seen
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

// readRooms looks at the balances of all rooms that need it, some 2,000 in a request.
func (g *gate) readRooms(ctx context.Context) error {
	rooms := g.begin()
	if len(rooms) == 0 {
		return nil
	}
	handles := make([]accounts.Account, len(rooms))
	for i, r := range rooms {
		handles[i] = r.account
	}
	balances, err := g.book.LookUpBalances(ctx, handles...)
	if errors.Is(err, accounts.ErrNotProvisioned) {
		return g.readEach(ctx, rooms)
	}
	for i, r := range rooms {
		if err != nil {
			r.end(accounts.Balance{}, err)
		} else {
			r.end(balances[i], nil)
		}
	}
	return err
}

// readEach looks at one after another: one that is not provisioned must not keep the
// others from being looked at. Its packets are told.
func (g *gate) readEach(ctx context.Context, rooms []*room) error {
	var errs []error
	for _, r := range rooms {
		var b accounts.Balance
		found, err := g.book.LookUpBalances(ctx, r.account)
		if err == nil {
			b = found[0]
		}
		r.end(b, err)
		if err != nil && !errors.Is(err, accounts.ErrNotProvisioned) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// begin begins a look at the rooms that need one.
func (g *gate) begin() []*room {
	g.mu.RLock()
	defer g.mu.RUnlock()
	var rooms []*room
	for _, r := range g.rooms {
		if r.begin() {
			rooms = append(rooms, r)
		}
	}
	return rooms
}
