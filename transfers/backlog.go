package transfers

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// backlog bounds how many operations are waiting or in flight. At the high water
// mark it is shut: then operations on promised money need a free place, and all
// others wait until it has sunk to the low water mark, so that what was promised
// has the room in between for itself and callers do not wake for one place each.
type backlog struct {
	maxOperations, resumeAt uint64
	onChange                func(full bool) // nil if nobody wants to know
	closed                  chan struct{}   // nobody waits any more

	// state is twice the number of operations, plus one while it is shut. Both
	// change in one step: shut is set by whoever takes the last place, and
	// cleared by whoever takes the number down to the low mark.
	state atomic.Uint64

	notifyMu     sync.Mutex // over calls of changed, so that the last one is true
	notifiedFull bool

	mu         sync.Mutex
	placeFreed chan struct{} // closed when there may be a free place; nil if nobody waits
	reopened   chan struct{} // closed when it is not shut any more; nil if nobody waits
}

func newBacklog(high, low int, changed func(bool)) *backlog {
	return &backlog{maxOperations: uint64(high), resumeAt: uint64(low), onChange: changed, closed: make(chan struct{})}
}

// tryAcquire takes a place if there is one. promised says that the operation is on money
// that was promised already.
func (b *backlog) tryAcquire(promised bool) bool {
	for {
		old := b.state.Load()
		n, shut := old>>1, old&1
		if n >= b.maxOperations || (shut == 1 && !promised) {
			return false
		}
		now := old + 2
		if n+1 == b.maxOperations {
			now |= 1
		}
		if b.state.CompareAndSwap(old, now) {
			b.notifyChange(old, now)
			return true
		}
	}
}

// acquirePlace takes a place, and waits for it. The error matches ErrBacklogFull and the
// context's, or is ErrRecorderClosed.
func (b *backlog) acquirePlace(ctx context.Context, promised bool) error {
	for !b.tryAcquire(promised) {
		// Who gives places back does that before it looks for who waits, so one
		// of the two sees the other.
		changed := b.waitChan(promised)
		if b.tryAcquire(promised) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrBacklogFull, context.Cause(ctx))
		case <-b.closed:
			return ErrRecorderClosed
		}
	}
	return nil
}

// waitChan is closed when try may succeed again.
func (b *backlog) waitChan(promised bool) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := &b.reopened
	if promised {
		c = &b.placeFreed
	}
	if *c == nil {
		*c = make(chan struct{})
	}
	return *c
}

// forceAcquire takes places whether there are any or not, for what is owed from before.
func (b *backlog) forceAcquire(places int) {
	for {
		old := b.state.Load()
		now := old + 2*uint64(places)
		if now>>1 >= b.maxOperations {
			now |= 1
		}
		if b.state.CompareAndSwap(old, now) {
			b.notifyChange(old, now)
			return
		}
	}
}

// releasePlaces gives places back.
func (b *backlog) releasePlaces(places int) {
	for {
		old := b.state.Load()
		now := old - 2*uint64(places)
		if now>>1 <= b.resumeAt {
			now &^= 1
		}
		if !b.state.CompareAndSwap(old, now) {
			continue
		}
		b.notifyChange(old, now)
		if now>>1 < b.maxOperations {
			b.wakeWaiters(&b.placeFreed)
		}
		if now&1 == 0 {
			b.wakeWaiters(&b.reopened)
		}
		return
	}
}

func (b *backlog) wakeWaiters(c *chan struct{}) {
	b.mu.Lock()
	waited := *c
	*c = nil
	b.mu.Unlock()
	if waited != nil {
		close(waited)
	}
}

// notifyChange reports that the backlog was shut or opened.
func (b *backlog) notifyChange(old, now uint64) {
	if (old^now)&1 == 0 || b.onChange == nil {
		return
	}
	b.notifyMu.Lock()
	defer b.notifyMu.Unlock()
	if shut := b.state.Load()&1 == 1; shut != b.notifiedFull {
		b.notifiedFull = shut
		b.onChange(shut)
	}
}

// close ends all waiting. It is called once.
func (b *backlog) close() { close(b.closed) }
