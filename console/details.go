package console

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/settlement"
)

// detail is all that a peer's page shows beside the look. Each part has its own error: a part that
// could not be read is shown as unknown.
type detail struct {
	at         time.Time
	balance    accounts.Balance
	balanceErr error
	holds      []hold // the first maxHolds to expire
	holdsCount int    // all
	holdsErr   error
	orders     []settlement.OpenOrder
	ordersErr  error
}

// maxDetails is the number of peers whose details are kept.
const maxDetails = 100

// details shares the details of a peer between browsers: a peer is read at most once per interval. It keeps
// none for longer.
type details struct {
	interval time.Duration

	mu      sync.Mutex
	entries map[accounts.PeerAccount]*detailEntry
}

// detailEntry is the reading of a peer. found is set before done is closed.
type detailEntry struct {
	begun time.Time
	done  chan struct{}
	found *detail
}

// get returns the details of a peer. Of several callers one reads, and the others wait for it.
func (d *details) get(ctx context.Context, account accounts.PeerAccount, read func() *detail) (*detail, error) {
	entry, isReader := d.enter(account)
	if isReader {
		entry.found = read()
		close(entry.done)
		time.AfterFunc(d.interval-time.Since(entry.begun), func() { d.drop(account, entry) })
		return entry.found, nil
	}
	select {
	case <-entry.done:
		return entry.found, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// enter returns the newest reading of a peer, and whether the caller must do it.
func (d *details) enter(account accounts.PeerAccount) (entry *detailEntry, isReader bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if entry, exists := d.entries[account]; exists && time.Since(entry.begun) < d.interval {
		return entry, false
	}
	if len(d.entries) >= maxDetails {
		clear(d.entries) // waiting callers have their entries
	}
	entry = &detailEntry{begun: time.Now(), done: make(chan struct{})}
	d.entries[account] = entry
	return entry, true
}

// drop forgets a reading that is too old for other callers, unless a newer one has taken its place.
func (d *details) drop(account accounts.PeerAccount, entry *detailEntry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.entries[account] == entry {
		delete(d.entries, account)
	}
}

// forget drops the reading of a peer, which a change has made old.
func (d *details) forget(account accounts.PeerAccount) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.entries, account)
}

// readDetail reads a peer. It goes on when the request of one browser ends, since others may wait for it.
func (c *Console) readDetail(ctx context.Context, account accounts.PeerAccount, asset accounts.Asset) (*detail, error) {
	shared := context.WithoutCancel(ctx)
	return c.details.get(ctx, account, func() *detail {
		d := &detail{at: time.Now()}
		err := c.readLedger(shared, c.cfg.Timeout, func(ctx context.Context) error {
			d.balance, d.balanceErr = c.cfg.Book.Balance(ctx, account)
			var holds []hold
			holds, d.holdsErr = c.readHolds(ctx, account, asset)
			d.holds, d.holdsCount = slices.Clone(holds[:min(len(holds), maxHolds)]), len(holds) // without the memory of the others
			if c.cfg.Settlement == nil {
				d.ordersErr = errNoEngine
			} else {
				d.orders, d.ordersErr = c.cfg.Settlement.Orders(ctx, account)
			}
			return nil
		})
		if err != nil { // read was not called
			d.balanceErr, d.holdsErr, d.ordersErr = err, err, err
		}
		return d
	})
}
