package transfers

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/peerledger/peerledger/ledger"
)

// slot is where a lane leaves the answer to one operation. The lane writes it
// before finish, of a prepare before answer, and never after that; its caller reads
// it after wait.
type slot struct {
	outcome   ledger.Outcome
	late      bool
	unread    bool          // shortfall is not known
	claim     atomic.Uint32 // here, where it fits
	timestamp uint64
	shortfall uint64
	err       error

	waiter atomic.Pointer[waiter] // nil: nobody waits; finished: the answer is out
}

// Who of the lane and the caller was first decides what becomes of a prepare: if
// its answer is out, the caller takes it; if the caller is gone, the lane gives
// back what the prepare holds. Neither can happen after the other. Of all other
// operations nobody asks.
const (
	waiting uint32 = iota
	answered
	abandoned
)

// answer says that a prepare is answered; false if its caller is gone.
func (s *slot) answer() bool { return s.claim.CompareAndSwap(waiting, answered) }

// abandon says that nobody waits any more; false if the ledger has answered.
func (s *slot) abandon() bool { return s.claim.CompareAndSwap(waiting, abandoned) }

// waiter wakes those who wait for one slot. It gets one token when the answer is
// out; each who takes it puts it back for the next.
type waiter struct{ token chan struct{} }

func newWaiter() *waiter { return &waiter{token: make(chan struct{}, 1)} }

// finished stands for the waiter of a slot whose answer is out.
var finished = new(waiter)

// finish publishes the answer. After it the lane does not use the slot any more.
func (s *slot) finish() {
	if w := s.waiter.Swap(finished); w != nil {
		w.token <- struct{}{} // there is room: it is the only token
	}
}

// wait waits for the answer; false if the context ends first.
func (s *slot) wait(ctx context.Context) bool {
	w := s.waiter.Load()
	if w == nil {
		w = newWaiter()
		if !s.waiter.CompareAndSwap(nil, w) {
			w = s.waiter.Load()
		}
	}
	if w == finished {
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

// done reports whether the answer is out, and says that the operation is in the
// books.
func (s *slot) done() bool { return s.waiter.Load() == finished && s.outcome.Done() }

// result is the answer, to be read when it is out.
func (s *slot) result(kind Kind, packet Packet) Result {
	if kind == KindPrepare && s.outcome.Done() {
		packet.sealed = seal(&packet)
	}
	return Result{
		Kind: kind, Packet: packet, Outcome: s.outcome, Late: s.late, Timestamp: s.timestamp, Err: s.err,
		Shortfall: s.shortfall, ShortfallUnknown: s.unread,
	}
}

// slotsInBlock is how many slots are allocated at once. A Ticket keeps its block
// in memory, some 6 KiB.
const slotsInBlock = 128

// slots hands out slots for Tickets, which are the collector's to free: nobody
// knows when the last copy of a Ticket is gone.
type slots struct{ blocks sync.Pool } // of *slotBlock that have slots left

type slotBlock struct {
	slots [slotsInBlock]slot
	used  int
}

func (s *slots) get() *slot {
	block, _ := s.blocks.Get().(*slotBlock)
	if block == nil {
		block = new(slotBlock)
	}
	taken := &block.slots[block.used]
	if block.used++; block.used < slotsInBlock {
		s.blocks.Put(block)
	}
	return taken
}

// call is the slot of one call of Record, with its waiter. It is used again: the
// caller has the only Ticket, and knows when it is through with it.
type call struct {
	slot   slot
	waiter *waiter
}

// calls are the calls to be used again.
type calls struct{ pool sync.Pool }

func (c *calls) get() *call {
	one, _ := c.pool.Get().(*call)
	if one == nil {
		one = &call{waiter: newWaiter()}
	}
	one.slot.waiter.Store(one.waiter)
	return one
}

// put takes back a call whose answer is out.
func (c *calls) put(one *call) {
	<-one.waiter.token // the lane gives it after the answer; wait has put it back
	one.slot.outcome, one.slot.late, one.slot.timestamp, one.slot.err = 0, false, 0, nil
	one.slot.shortfall, one.slot.unread = 0, false
	one.slot.claim.Store(waiting)
	c.pool.Put(one)
}

// wrap says of which operation an error is.
func wrap(kind Kind, packet ledger.ID, err error) error {
	return fmt.Errorf("%v of packet %v: %w", kind, packet, err)
}
