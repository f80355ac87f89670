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
	high, low uint64
	changed   func(full bool) // nil if nobody wants to know
	closed    chan struct{}   // nobody waits any more

	// state is twice the number of operations, plus one while it is shut. Both
	// change in one step: shut is set by whoever takes the last place, and
	// cleared by whoever takes the number down to the low mark.
	state atomic.Uint64

	telling sync.Mutex // over calls of changed, so that the last one is true
	told    bool

	mu    sync.Mutex
	free  chan struct{} // closed when there may be a free place; nil if nobody waits
	opens chan struct{} // closed when it is not shut any more; nil if nobody waits
}

func newBacklog(high, low int, changed func(bool)) *backlog {
	return &backlog{high: uint64(high), low: uint64(low), changed: changed, closed: make(chan struct{})}
}

// try takes a place if there is one. promised says that the operation is on money
// that was promised already.
func (b *backlog) try(promised bool) bool {
	for {
		old := b.state.Load()
		n, shut := old>>1, old&1
		if n >= b.high || (shut == 1 && !promised) {
			return false
		}
		now := old + 2
		if n+1 == b.high {
			now |= 1
		}
		if b.state.CompareAndSwap(old, now) {
			b.tell(old, now)
			return true
		}
	}
}

// enter takes a place, and waits for it. The error matches ErrBacklogFull and the
// context's, or is ErrRecorderClosed.
func (b *backlog) enter(ctx context.Context, promised bool) error {
	for !b.try(promised) {
		// Who gives places back does that before it looks for who waits, so one
		// of the two sees the other.
		changed := b.await(promised)
		if b.try(promised) {
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

// await is closed when try may succeed again.
func (b *backlog) await(promised bool) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := &b.opens
	if promised {
		c = &b.free
	}
	if *c == nil {
		*c = make(chan struct{})
	}
	return *c
}

// force takes places whether there are any or not, for what is owed from before.
func (b *backlog) force(places int) {
	for {
		old := b.state.Load()
		now := old + 2*uint64(places)
		if now>>1 >= b.high {
			now |= 1
		}
		if b.state.CompareAndSwap(old, now) {
			b.tell(old, now)
			return
		}
	}
}

// leave gives places back.
func (b *backlog) leave(places int) {
	for {
		old := b.state.Load()
		now := old - 2*uint64(places)
		if now>>1 <= b.low {
			now &^= 1
		}
		if !b.state.CompareAndSwap(old, now) {
			continue
		}
		b.tell(old, now)
		if now>>1 < b.high {
			b.wake(&b.free)
		}
		if now&1 == 0 {
			b.wake(&b.opens)
		}
		return
	}
}

func (b *backlog) wake(c *chan struct{}) {
	b.mu.Lock()
	waited := *c
	*c = nil
	b.mu.Unlock()
	if waited != nil {
		close(waited)
	}
}

// tell reports that the backlog was shut or opened.
func (b *backlog) tell(old, now uint64) {
	if (old^now)&1 == 0 || b.changed == nil {
		return
	}
	b.telling.Lock()
	defer b.telling.Unlock()
	if shut := b.state.Load()&1 == 1; shut != b.told {
		b.told = shut
		b.changed(shut)
	}
}

// close ends all waiting. It is called once.
func (b *backlog) close() { close(b.closed) }
