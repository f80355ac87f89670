package transfers

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// debtors tracks the peers in arrears, whose new packets are refused. Arrears also come from
// other recorders and from returned payments. So every peer sending through the recorder is
// read once per poll interval, or less often if many peers send.
type debtors struct {
	// inArrears are the accounts of the peers in arrears at the last read of each peer. The
	// map is replaced, never changed.
	inArrears     atomic.Pointer[map[ledger.ID]struct{}]
	maxPerRefresh int

	mu     sync.Mutex
	queue  []accounts.PeerAccount // to be read, in order
	queued map[ledger.ID]struct{} // the accounts in queue
}

// debtorsPerRefresh is how many peers a refresh reads, in two requests. The rest stays
// in the queue for the next refresh.
const debtorsPerRefresh = 4000

func newDebtors() *debtors {
	d := &debtors{maxPerRefresh: debtorsPerRefresh, queued: make(map[ledger.ID]struct{})}
	d.inArrears.Store(&map[ledger.ID]struct{}{})
	return d
}

// isInArrears reports whether a peer was in arrears at the last read.
func (d *debtors) isInArrears(a accounts.PeerAccount) bool {
	inArrears := *d.inArrears.Load()
	if len(inArrears) == 0 {
		return false
	}
	_, found := inArrears[a.ID()]
	return found
}

// enqueuePeers queues peers for the next refreshes, each once.
func (d *debtors) enqueuePeers(peers []accounts.PeerAccount) {
	if len(peers) == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range peers {
		if _, isQueued := d.queued[a.ID()]; !isQueued {
			d.queued[a.ID()] = struct{}{}
			d.queue = append(d.queue, a)
		}
	}
}

// dequeuePeers takes the peers of a refresh out of the queue.
func (d *debtors) dequeuePeers() []accounts.PeerAccount {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := min(len(d.queue), d.maxPerRefresh)
	peers := d.queue[:n:n]
	d.queue = d.queue[n:]
	for _, a := range peers {
		delete(d.queued, a.ID())
	}
	return peers
}

// refreshArrears reads the queued peers. Peers in arrears, and peers whose read failed, are
// queued again; after a failed read a peer keeps its state.
func (d *debtors) refreshArrears(ctx context.Context, book *accounts.Book) error {
	peers := d.dequeuePeers()
	if len(peers) == 0 {
		return nil
	}
	before := *d.inArrears.Load()
	after := maps.Clone(before)
	var requeued []accounts.PeerAccount
	err := lookUpEach(ctx, book, peers, func(i int, b accounts.Balance, err error) {
		if err == nil && b.Arrears.IsZero() {
			delete(after, peers[i].ID())
			return
		}
		if err == nil {
			after[peers[i].ID()] = struct{}{}
		}
		requeued = append(requeued, peers[i])
	})
	d.enqueuePeers(requeued)
	if !maps.Equal(before, after) {
		d.inArrears.Store(&after)
	}
	return err
}
