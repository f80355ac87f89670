package transfers

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// backlog bounds how many operations wait or are in flight. At maxOperations the backlog is
// full, until it has drained to resumeAt. Meanwhile prepares wait, and operations on promised
// money need only a free place. So the places above resumeAt are reserved for promised
// money, and waiting callers do not wake up for every single place.
type backlog struct {
	maxOperations, resumeAt uint64
	onChange                func(full bool) // may be nil
	closed                  chan struct{}   // ends all waits

	// state is twice the number of operations, plus one while the backlog is full. Both parts
	// change in one step: taking the last place sets full, releasing places down to resumeAt
	// clears full.
	state atomic.Uint64

	notifyMu     sync.Mutex // serializes onChange, so the last call is true
	notifiedFull bool

	mu         sync.Mutex
	placeFreed chan struct{} // closed when a place may be free; nil without waiters
	reopened   chan struct{} // closed when the backlog is no longer full; nil without waiters
}

func newBacklog(maxOperations, resumeAt int, onChange func(bool)) *backlog {
	return &backlog{maxOperations: uint64(maxOperations), resumeAt: uint64(resumeAt), onChange: onChange, closed: make(chan struct{})}
}

// tryAcquire takes a place if there is one.
func (b *backlog) tryAcquire(isPromised bool) bool {
	for {
		before := b.state.Load()
		n, full := before>>1, before&1
		if n >= b.maxOperations || (full == 1 && !isPromised) {
			return false
		}
		after := before + 2
		if n+1 == b.maxOperations {
			after |= 1
		}
		if b.state.CompareAndSwap(before, after) {
			b.notifyChange(before, after)
			return true
		}
	}
}

// acquirePlace waits for a place for an operation. The error matches ErrBacklogFull and the
// context's, or is ErrRecorderClosed.
func (b *backlog) acquirePlace(ctx context.Context, isPromised bool) error {
	for !b.tryAcquire(isPromised) {
		// releasePlaces changes state before it looks for waiters, and the second attempt
		// comes after waitChan: either this attempt finds the place, or the waiter is woken.
		changed := b.waitChan(isPromised)
		if b.tryAcquire(isPromised) {
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

// takePlace takes a place. Without mayWait it returns ErrBacklogFull if there is none.
func (b *backlog) takePlace(ctx context.Context, isPromised, mayWait bool) error {
	switch {
	case mayWait:
		return b.acquirePlace(ctx, isPromised)
	case b.tryAcquire(isPromised):
		return nil
	default:
		return ErrBacklogFull
	}
}

// waitChan returns a channel that is closed when tryAcquire may succeed again.
func (b *backlog) waitChan(isPromised bool) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := &b.reopened
	if isPromised {
		c = &b.placeFreed
	}
	if *c == nil {
		*c = make(chan struct{})
	}
	return *c
}

// forceAcquire takes places without regard to maxOperations, for the fulfills left in the
// journal.
func (b *backlog) forceAcquire(places int) {
	for {
		before := b.state.Load()
		after := before + 2*uint64(places)
		if after>>1 >= b.maxOperations {
			after |= 1
		}
		if b.state.CompareAndSwap(before, after) {
			b.notifyChange(before, after)
			return
		}
	}
}

// releasePlaces gives places back, and wakes the callers waiting for them.
func (b *backlog) releasePlaces(places int) {
	for {
		before := b.state.Load()
		after := before - 2*uint64(places)
		if after>>1 <= b.resumeAt {
			after &^= 1
		}
		if !b.state.CompareAndSwap(before, after) {
			continue
		}
		b.notifyChange(before, after)
		if after>>1 < b.maxOperations {
			b.wakeWaiters(&b.placeFreed)
		}
		if after&1 == 0 {
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

// notifyChange calls onChange if full was set or cleared.
func (b *backlog) notifyChange(before, after uint64) {
	if (before^after)&1 == 0 || b.onChange == nil {
		return
	}
	b.notifyMu.Lock()
	defer b.notifyMu.Unlock()
	if full := b.state.Load()&1 == 1; full != b.notifiedFull {
		b.notifiedFull = full
		b.onChange(full)
	}
}

// close ends all waits. REQUIRES: called once.
func (b *backlog) close() { close(b.closed) }
