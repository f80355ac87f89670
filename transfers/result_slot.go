package transfers

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// resultSlot is where a lane leaves the answer to one operation. The lane writes it
// before finish, of a prepare before answer, and never after that; its caller reads
// it after wait.
type resultSlot struct {
	outcome          ledger.Outcome
	late             bool
	shortfallUnknown bool          // shortfall is not known
	claim            atomic.Uint32 // here, where it fits
	timestamp        uint64
	shortfall        uint64
	err              error

	waiter atomic.Pointer[waiter] // nil: nobody waits; finished: the answer is out
}

// Who of the lane and the caller was first decides what becomes of a prepare: if
// its answer is out, the caller takes it; if the caller is gone, the lane gives
// back what the prepare holds. Neither can happen after the other. Of all other
// operations nobody asks.
const (
	claimOpen uint32 = iota
	claimAnswered
	claimAbandoned
)

// markAnswered says that a prepare is answered; false if its caller is gone.
func (s *resultSlot) markAnswered() bool { return s.claim.CompareAndSwap(claimOpen, claimAnswered) }

// markAbandoned says that nobody waits any more; false if the ledger has answered.
func (s *resultSlot) markAbandoned() bool { return s.claim.CompareAndSwap(claimOpen, claimAbandoned) }

// waiter wakes those who wait for one slot. It gets one token when the answer is
// out; each who takes it puts it back for the next.
type waiter struct{ token chan struct{} }

func newWaiter() *waiter { return &waiter{token: make(chan struct{}, 1)} }

// publishedWaiter stands for the waiter of a slot whose answer is out.
var publishedWaiter = new(waiter)

// publishResult publishes the answer. After it the lane does not use the slot any more.
func (s *resultSlot) publishResult() {
	if w := s.waiter.Swap(publishedWaiter); w != nil {
		w.token <- struct{}{} // there is room: it is the only token
	}
}

// waitPublished waits for the answer; false if the context ends first.
func (s *resultSlot) waitPublished(ctx context.Context) bool {
	w := s.waiter.Load()
	if w == nil {
		w = newWaiter()
		if !s.waiter.CompareAndSwap(nil, w) {
			w = s.waiter.Load()
		}
	}
	if w == publishedWaiter {
		return true
	}
	select {
	case <-w.token:
		w.token <- struct{}{}
		return true
	case <-ctx.Done():
		return false
	}
}

// isApplied reports whether the answer is out, and says that the operation is in the
// books.
func (s *resultSlot) isApplied() bool { return s.waiter.Load() == publishedWaiter && s.outcome.Done() }

// bookedAt returns the ledger's timestamp, or the zero time if there is none.
func (s *resultSlot) bookedAt() time.Time {
	if s.timestamp == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(s.timestamp)).UTC()
}

// buildResult is the answer, to be read when it is out.
func (s *resultSlot) buildResult(kind Kind, packet Packet) Result {
	if kind == KindPrepare && s.outcome.Done() {
		packet.sealed = sealOf(&packet)
	}
	return Result{
		Kind: kind, Packet: packet, Outcome: s.outcome, Late: s.late, BookedAt: s.bookedAt(), Err: s.err,
		Shortfall: s.shortfall, ShortfallUnknown: s.shortfallUnknown,
	}
}

// slotsPerBlock is how many slots are allocated at once. A Ticket keeps its block
// in memory, some 6 KiB.
const slotsPerBlock = 128

// resultSlotPool hands out slots for Tickets, which are the collector's to free: nobody
// knows when the last copy of a Ticket is gone.
type resultSlotPool struct{ blocks sync.Pool } // of *slotBlock that have slots left

type slotBlock struct {
	slots [slotsPerBlock]resultSlot
	used  int
}

func (s *resultSlotPool) takeSlot() *resultSlot {
	block, _ := s.blocks.Get().(*slotBlock)
	if block == nil {
		block = new(slotBlock)
	}
	taken := &block.slots[block.used]
	if block.used++; block.used < slotsPerBlock {
		s.blocks.Put(block)
	}
	return taken
}

// recordCall is the slot of one call of Record, with its waiter. It is used again: the
// caller has the only Ticket, and knows when it is through with it.
type recordCall struct {
	slot   resultSlot
	waiter *waiter
}

// recordCallPool are the calls to be used again.
type recordCallPool struct{ pool sync.Pool }

func (c *recordCallPool) takeCall() *recordCall {
	one, _ := c.pool.Get().(*recordCall)
	if one == nil {
		one = &recordCall{waiter: newWaiter()}
	}
	one.slot.waiter.Store(one.waiter)
	return one
}

// putCall takes back a call whose answer is out.
func (c *recordCallPool) putCall(one *recordCall) {
	<-one.waiter.token // the lane gives it after the answer; wait has put it back
	one.slot.outcome, one.slot.late, one.slot.timestamp, one.slot.err = 0, false, 0, nil
	one.slot.shortfall, one.slot.shortfallUnknown = 0, false
	one.slot.claim.Store(claimOpen)
	c.pool.Put(one)
}
