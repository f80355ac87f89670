package transfers

import (
	"context"
	"sync"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// lane sends operations in the order in which they came, one request at a time. A
// batch is whatever queued up while the last request was in flight.
//
// One goroutine runs it. A batch is resolved completely, with all that has to be
// sent again, before the next one is taken, and resolves a packet once: so nothing
// overtakes an operation on its packet.
type lane struct {
	ledger ledger.Ledger
	cfg    *Config       // of the recorder
	wake   chan struct{} // holds one: the queue is not empty, or the lane is closed

	mu       sync.Mutex
	queue    []*pending
	closed   bool // nothing is added any more
	added    uint64
	finished uint64
	progress chan struct{} // closed when more is finished; nil if nobody waits
	left     []*pending    // given up since the lane was closed
	cause    error         // of that: the ledger's last error

	// Of the goroutine alone.
	limit     int // transfers in a request
	transfers []ledger.Transfer
	changed   map[accounts.Account]struct{}
	resolving map[ledger.ID]struct{} // packets that the batch resolves
}

func newLane(l ledger.Ledger, cfg *Config) *lane {
	return &lane{
		ledger: l, cfg: cfg, wake: make(chan struct{}, 1), limit: ledger.BatchMax,
		changed: make(map[accounts.Account]struct{}), resolving: make(map[ledger.ID]struct{}),
	}
}

// push adds an operation; false if the lane is closed.
func (ln *lane) push(p *pending) bool {
	ln.mu.Lock()
	open := !ln.closed
	if open {
		ln.queue = append(ln.queue, p)
		ln.added++
	}
	ln.mu.Unlock()
	if open {
		ln.signal()
	}
	return open
}

func (ln *lane) signal() {
	select {
	case ln.wake <- struct{}{}:
	default: // it is awake, or will be
	}
}

func (ln *lane) close() {
	ln.mu.Lock()
	ln.closed = true
	ln.mu.Unlock()
	ln.signal()
}

// isClosed reports whether close was called.
func (ln *lane) isClosed() bool {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	return ln.closed
}

// count is how many operations were ever added.
func (ln *lane) count() uint64 {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	return ln.added
}

// flush waits until as many operations are finished, in the order in which they
// were added, as target says.
func (ln *lane) flush(ctx context.Context, target uint64) error {
	for {
		progress := ln.awaitProgress(target)
		if progress == nil {
			return nil
		}
		select {
		case <-progress:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// awaitProgress is closed when more is finished; nil if target is reached.
func (ln *lane) awaitProgress(target uint64) <-chan struct{} {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if ln.finished >= target {
		return nil
	}
	if ln.progress == nil {
		ln.progress = make(chan struct{})
	}
	return ln.progress
}

// run sends batches until the lane is closed and empty. If ctx ends, what is left
// is given up.
func (ln *lane) run(ctx context.Context) {
	for {
		queue, closed := ln.take()
		for len(queue) > 0 {
			n := ln.cut(queue)
			ln.resolve(ctx, ln.inTime(queue[:n]))
			ln.finish(queue[:n])
			queue = queue[n:]
		}
		if closed {
			return
		}
		<-ln.wake
	}
}

// take takes the whole queue. If the lane is closed nothing follows it.
func (ln *lane) take() (queue []*pending, closed bool) {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	queue, ln.queue = ln.queue, nil
	return queue, ln.closed
}

// leftovers reports the operations that were given up while the recorder was
// being closed, after the goroutine has ended. Those given up before then have
// told their callers.
func (ln *lane) leftovers(report *CloseError) {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	for _, p := range ln.left {
		op := Op{Kind: p.kind(), Packet: p.result.Packet}
		if p.handed {
			report.Unknown = append(report.Unknown, op)
		} else {
			report.Unsent = append(report.Unsent, op)
		}
	}
	if ln.cause != nil {
		report.Ledger = ln.cause
	}
}
