package transfers

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// resultSlot is where a lane writes the result of an operation. The lane writes the fields
// before publishResult, for a prepare before markAnswered, and never after. The caller reads
// the fields after waitPublished.
type resultSlot struct {
	outcome          ledger.Outcome
	late             bool
	shortfallUnknown bool
	claim            atomic.Uint32 // claimOpen, claimAnswered or claimAbandoned; placed here where it fits
	timestamp        uint64        // of the ledger; 0 without
	shortfall        uint64
	err              error

	waiter atomic.Pointer[waiter] // nil: no goroutine waits yet; publishedWaiter: the result is published
}

// claim decides a race: either the caller takes the prepare's answer, or the caller has gone
// and the lane voids the hold. Only prepares use claim.
const (
	claimOpen uint32 = iota
	claimAnswered
	claimAbandoned
)

// markAnswered claims a prepare for its caller; false if the caller has gone.
func (s *resultSlot) markAnswered() bool { return s.claim.CompareAndSwap(claimOpen, claimAnswered) }

// markAbandoned gives a prepare up; false if the answer was there first.
func (s *resultSlot) markAbandoned() bool { return s.claim.CompareAndSwap(claimOpen, claimAbandoned) }

// waiter wakes the callers that wait for a slot. publishResult puts the only token in; each
// caller takes the token, and puts the token back for the next caller.
type waiter struct{ token chan struct{} }

func newWaiter() *waiter { return &waiter{token: make(chan struct{}, 1)} }

// publishedWaiter marks a slot whose result is published.
var publishedWaiter = new(waiter)

// publishResult makes the result visible. The lane does not use the slot afterwards.
func (s *resultSlot) publishResult() {
	if w := s.waiter.Swap(publishedWaiter); w != nil {
		w.token <- struct{}{} // there is room for the only token
	}
}

// waitPublished waits for the result; false if the context ends first.
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

// isApplied reports whether the result is published and the operation is in the books.
func (s *resultSlot) isApplied() bool {
	return s.waiter.Load() == publishedWaiter && s.outcome.Done()
}

// buildResult returns the published result.
func (s *resultSlot) buildResult(kind Kind, packet Packet) Result {
	if kind == KindPrepare && s.outcome.Done() {
		packet.sealed = sealOf(&packet)
	}
	return Result{
		Kind: kind, Packet: packet, Outcome: s.outcome, Late: s.late, BookedAt: s.bookedAt(), Err: s.err,
		Shortfall: s.shortfall, ShortfallUnknown: s.shortfallUnknown,
	}
}

// bookedAt returns the ledger's timestamp, or the zero time without a timestamp.
func (s *resultSlot) bookedAt() time.Time {
	if s.timestamp == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(s.timestamp)).UTC()
}

// slotsPerBlock is how many slots are allocated at once. A Future keeps its whole block in
// memory, some 6 KiB.
const slotsPerBlock = 128

// resultSlotPool hands out slots for Futures. Slots are never reused, because nothing tells when
// the last copy of a Future is gone: the garbage collector frees slots.
type resultSlotPool struct{ blocks sync.Pool } // of *slotBlock with slots left

type slotBlock struct {
	slots [slotsPerBlock]resultSlot
	used  int
}

func (s *resultSlotPool) takeSlot() *resultSlot {
	block, _ := s.blocks.Get().(*slotBlock)
	if block == nil {
		block = new(slotBlock)
	}
	slot := &block.slots[block.used]
	if block.used++; block.used < slotsPerBlock {
		s.blocks.Put(block)
	}
	return slot
}

// recordCall is the slot and waiter of a call of Record. A recordCall is reused: Record has
// the only Future of the slot, and so knows when the slot is free.
type recordCall struct {
	slot   resultSlot
	waiter *waiter
}

// recordCallPool keeps recordCalls for later calls.
type recordCallPool struct{ pool sync.Pool }

func (p *recordCallPool) takeCall() *recordCall {
	call, _ := p.pool.Get().(*recordCall)
	if call == nil {
		call = &recordCall{waiter: newWaiter()}
	}
	call.slot.waiter.Store(call.waiter)
	return call
}

// putCall takes back a call with a published result.
func (p *recordCallPool) putCall(call *recordCall) {
	<-call.waiter.token // put in by publishResult, put back by waitPublished
	call.slot.outcome, call.slot.late, call.slot.timestamp, call.slot.err = 0, false, 0, nil
	call.slot.shortfall, call.slot.shortfallUnknown = 0, false
	call.slot.claim.Store(claimOpen)
	p.pool.Put(call)
}
