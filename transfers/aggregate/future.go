package aggregate

import (
	"context"
	"errors"
	"fmt"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// call is an operation that waits for its decision.
type call struct {
	op        transfers.Op
	generated bool // the recorder generated the packet's id
	done      chan struct{}
	reply     reply // set before done is closed
}

// Future is the pending result of a submitted operation. It may be copied, and waited for by
// several callers. The zero Future must not be used.
type Future struct {
	recorder *Recorder
	call     *call // nil for a decided operation
	reply    reply // of a decided operation
}

// Packet returns the packet with its ID.
func (f Future) Packet() transfers.Packet {
	if f.call != nil {
		return f.call.op.Packet
	}
	return f.reply.result.Packet
}

// Wait waits for the decision of a prepare, and until a fulfill or reject is on disk. If the
// context ends first, the Result's Outcome is unknown, and its Err matches
// [ledger.ErrOutcomeUnknown], for a prepare also [transfers.ErrAbandoned].
func (f Future) Wait(ctx context.Context) transfers.Result {
	decided := &f.reply
	if f.call != nil {
		if !f.call.wait(ctx) {
			return f.call.unknown(context.Cause(ctx))
		}
		decided = &f.call.reply
	}
	result := decided.result
	if err := f.recorder.journal.waitSynced(ctx, decided.record); err != nil {
		result.Outcome, result.Err = ledger.OutcomeUnknown, fmt.Errorf("%w: %w", ledger.ErrOutcomeUnknown, err)
	}
	return result
}

// wait waits for the decision, and reports whether it came before the context's end.
func (c *call) wait(ctx context.Context) bool {
	select {
	case <-c.done:
		return true
	default:
	}
	select {
	case <-c.done:
		return true
	case <-ctx.Done():
		return false
	}
}

// waitOrAbandon is Wait for a caller without a Future to come back with: a prepare without an answer
// is abandoned.
func (f Future) waitOrAbandon(ctx context.Context) transfers.Result {
	result := f.Wait(ctx)
	if errors.Is(result.Err, transfers.ErrAbandoned) {
		f.recorder.abandon(f.call)
	}
	return result
}

func (c *call) unknown(cause error) transfers.Result {
	err := fmt.Errorf("%w: %w", ledger.ErrOutcomeUnknown, cause)
	if c.op.Kind == transfers.KindPrepare {
		err = fmt.Errorf("%w: %w", transfers.ErrAbandoned, err)
	}
	return transfers.Result{Kind: c.op.Kind, Packet: c.op.Packet, Outcome: ledger.OutcomeUnknown, Err: err}
}

// abandon rejects a prepare whose caller has gone, unless the caller gave the packet's id.
func (r *Recorder) abandon(c *call) {
	if !c.generated {
		return
	}
	op := transfers.RejectOp(c.op.Packet)
	r.mu.Lock()
	var work work
	if !r.closed {
		_, _ = r.machine.submit(r.clock.now(), &op)
		work = r.takeWork()
	}
	r.mu.Unlock()
	r.publish(work)
}
