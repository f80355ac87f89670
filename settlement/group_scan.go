package settlement

import (
	"context"
	"sync"
	"time"

	"github.com/peerledger/peerledger/accounts"
)

// groupScans look balances up again for the visits of a queue that had to wait too long (scanLifetime): for the next
// visits together, where each would have made a request of its own.
type groupScans struct {
	book *accounts.Book
	size int // how many visits a scan is for: as many as are settled at once

	mu     sync.Mutex // not held across a ledger call
	newest *groupScan
}

// groupScan is a look-up for the visits of a queue from first on.
type groupScan struct {
	began     time.Time
	urgencies uint64 // of scannedBalance
	first     int
	count     int
	done      chan struct{}      // closed after the look-up
	balances  []accounts.Balance // set before done is closed; nil if the look-up failed
}

// renewScan gives visit i of the queue a new balance if its scan is old. A visit that gets none looks its balance up
// itself.
func (g *groupScans) renewScan(ctx context.Context, visits []queuedVisit, i int) {
	visit := visits[i].visit
	if !visit.needsNewScan() {
		return
	}
	scan, isNew := g.scanFor(i, len(visits), visit.tracker.countUrgencies())
	if isNew {
		scan.lookUp(ctx, g.book, visits)
	}
	<-scan.done // the look-up ends with its context
	if scan.balances != nil {
		visit.scanned = scannedBalance{balance: &scan.balances[i-scan.first], began: scan.began, urgencies: scan.urgencies, isOwn: isNew}
	}
}

// scanFor returns the scan for visit i of n, which may be under way. A new one is for the caller to look up.
func (g *groupScans) scanFor(i, n int, urgencies uint64) (scan *groupScan, isNew bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s := g.newest; s != nil && s.first <= i && i < s.first+s.count && time.Since(s.began) <= scanLifetime {
		return s, false
	}
	g.newest = &groupScan{began: time.Now(), urgencies: urgencies, first: i, count: min(g.size, n-i), done: make(chan struct{})}
	return g.newest, true
}

// lookUp looks the balances of the scan's visits up.
func (s *groupScan) lookUp(ctx context.Context, book *accounts.Book, visits []queuedVisit) {
	defer close(s.done)
	list := make([]accounts.PeerAccount, s.count)
	for i := range list {
		list[i] = visits[s.first+i].visit.account
	}
	if balances, err := book.LookUpBalances(ctx, list...); err == nil {
		s.balances = balances
	}
}
