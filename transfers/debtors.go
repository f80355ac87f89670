package transfers

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// debtors is the peers in arrears, whose new packets are refused. Others can put a peer into
// arrears too (another recorder, a returned payment), so those that send through this
// recorder are looked at, once a round if there are not too many.
type debtors struct {
	// inArrears are the accounts of the peers that were in arrears at the last look at each. The
	// map is replaced, not changed.
	inArrears     atomic.Pointer[map[ledger.ID]struct{}]
	maxPerRefresh int // peers in a look

	mu     sync.Mutex
	queue  []accounts.PeerAccount // to be looked at, in this order
	queued map[ledger.ID]struct{} // the accounts in queue
}

// debtorsPerRefresh is how many peers are looked at in a round, in two requests. The others
// wait for the next one.
const debtorsPerRefresh = 4000

func newDebtors() *debtors {
	d := &debtors{maxPerRefresh: debtorsPerRefresh, queued: make(map[ledger.ID]struct{})}
	d.inArrears.Store(&map[ledger.ID]struct{}{})
	return d
}

// isInArrears reports whether a peer was in arrears at the last look.
func (d *debtors) isInArrears(a accounts.PeerAccount) bool {
	owing := *d.inArrears.Load()
	if len(owing) == 0 {
		return false
	}
	_, is := owing[a.ID()]
	return is
}

// enqueuePeers has the next looks look at peers.
func (d *debtors) enqueuePeers(peers []accounts.PeerAccount) {
	if len(peers) == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range peers {
		if _, queued := d.queued[a.ID()]; !queued {
			d.queued[a.ID()] = struct{}{}
			d.queue = append(d.queue, a)
		}
	}
}

// dequeuePeers takes the peers to look at now.
func (d *debtors) dequeuePeers() []accounts.PeerAccount {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := min(len(d.queue), d.maxPerRefresh)
	now := d.queue[:n:n]
	d.queue = d.queue[n:]
	for _, a := range now {
		delete(d.queued, a.ID())
	}
	return now
}

// refreshArrears looks at those who have sent since the last look at them, and at those in arrears.
// Who could not be looked at stays as it was, and is looked at again.
func (d *debtors) refreshArrears(ctx context.Context, book *accounts.Book) error {
	peers := d.dequeuePeers()
	if len(peers) == 0 {
		return nil
	}
	before := *d.inArrears.Load()
	owing := maps.Clone(before)
	var again []accounts.PeerAccount
	err := lookUpEach(ctx, book, peers, func(i int, b accounts.Balance, err error) {
		if err == nil && b.Arrears.IsZero() {
			delete(owing, peers[i].ID())
			return
		}
		if err == nil {
			owing[peers[i].ID()] = struct{}{}
		}
		again = append(again, peers[i])
	})
	d.enqueuePeers(again)
	if !maps.Equal(before, owing) {
		d.inArrears.Store(&owing)
	}
	return err
}
