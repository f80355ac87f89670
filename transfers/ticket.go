package transfers

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/peerledger/peerledger/ledger"
)

// pending is an operation between Submit and its answer. Its lane alone writes it.
// The result is written before answer and never after it.
type pending struct {
	result   Result // its Kind and Packet are what is to be done
	legs     []leg  // of legArray
	legArray [maxLegs]leg
	drawn    bool // the packet's id was drawn here: nobody else has it
	attempt  int  // how often the ledger has burnt the ids of a post or void
	handed   bool // a request with it was handed over and not answered
	giveBack bool // a prepare for nobody: what it holds is being voided
	waiter   atomic.Uint32
	room     chan struct{} // where it gives its place in the backlog back
	done     chan struct{}
}

// Who of the lane and the caller was first decides what becomes of a prepare: if
// its answer is out, the caller takes it; if the caller is gone, the lane gives
// back what the prepare holds. Neither can happen after the other.
const (
	waiting uint32 = iota
	answered
	abandoned
)

// answer publishes that the ledger has answered; false if the caller is gone.
func (p *pending) answer() bool { return p.waiter.CompareAndSwap(waiting, answered) }

// abandon says that nobody waits any more; false if the ledger has answered.
func (p *pending) abandon() bool { return p.waiter.CompareAndSwap(waiting, abandoned) }

// kind is the operation that is to be sent next.
func (p *pending) kind() Kind {
	if p.giveBack {
		return KindReject
	}
	return p.result.Kind
}

// finish publishes the result.
func (p *pending) finish() {
	<-p.room
	close(p.done)
}

// Ticket is the answer to come for an operation that was handed over. Submit and
// TrySubmit give it; the zero Ticket is nobody's and must not be used.
type Ticket struct {
	pending *pending
}

// Packet is the packet as it will be recorded, with its ID and Hold.
func (t Ticket) Packet() Packet { return t.pending.result.Packet }

// Wait waits for the ledger's answer. If the context ends first, the Result's
// Outcome is unknown and its Err matches ledger.ErrOutcomeUnknown; the operation
// goes on, a prepare too, and Wait may be called again.
func (t Ticket) Wait(ctx context.Context) Result {
	select {
	case <-t.pending.done:
		return t.pending.result
	default:
	}
	select {
	case <-t.pending.done:
		return t.pending.result
	case <-ctx.Done():
		return t.unknown(fmt.Errorf("%w: %w", ledger.ErrOutcomeUnknown, context.Cause(ctx)))
	}
}

// waitOrAbandon is Wait for a caller that cannot come back: a prepare whose answer
// it does not see is given back.
func (t Ticket) waitOrAbandon(ctx context.Context) Result {
	result := t.Wait(ctx)
	p := t.pending
	if p.result.Kind != KindPrepare || ctx.Err() == nil {
		return result
	}
	if !p.abandon() {
		return p.result // the ledger has answered, and nobody writes it any more
	}
	return t.unknown(fmt.Errorf("%w: %w: %w", ErrAbandoned, ledger.ErrOutcomeUnknown, context.Cause(ctx)))
}

func (t Ticket) unknown(err error) Result {
	r := Result{Kind: t.pending.result.Kind, Packet: t.pending.result.Packet}
	r.Err = r.wrap(err)
	return r
}
