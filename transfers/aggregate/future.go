package aggregate

import (
	"context"
	"errors"
	"fmt"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// The Future of an operation has one of three Waiters: the recorder itself for an operation that it
// has accepted, whose result is in the Future; a refusal; or a call for an operation that waits.

// decidedOps is a Recorder as the [transfers.Waiter] of accepted operations.
type decidedOps Recorder

// refusal is a refused operation.
type refusal struct {
	recorder *Recorder
	err      error
}

// call is an operation that waits for its decision.
type call struct {
	recorder  *Recorder
	op        transfers.Op
	generated bool // the recorder generated the packet's id
	done      chan struct{}
	result    transfers.Result // result and record are set before done is closed
	record    uint64
}

// futureOf returns the Future of a submitted operation.
func (r *Recorder) futureOf(op *transfers.Op, o *operation) transfers.Future {
	var w transfers.Waiter = (*decidedOps)(r)
	switch {
	case o.call != nil:
		op, w = &o.call.op, o.call
	case o.reply.err != nil:
		w = &refusal{r, o.reply.err}
	}
	return transfers.NewFuture(w, op, transfers.Decision{Outcome: o.reply.outcome, Late: o.reply.late, Record: o.reply.record})
}

// Wait implements [transfers.Waiter]: it waits until the operation's record is on disk.
func (d *decidedOps) Wait(ctx context.Context, s transfers.Submission) transfers.Result {
	return (*Recorder)(d).submittedResult(ctx, &s, nil)
}

// Journaled implements [transfers.Waiter].
func (d *decidedOps) Journaled(ctx context.Context, s transfers.Submission) error {
	return d.Wait(ctx, s).Err
}

// Wait implements [transfers.Waiter].
func (f *refusal) Wait(ctx context.Context, s transfers.Submission) transfers.Result {
	return f.recorder.submittedResult(ctx, &s, f.err)
}

// Journaled implements [transfers.Waiter].
func (f *refusal) Journaled(ctx context.Context, s transfers.Submission) error {
	return f.Wait(ctx, s).Err
}

// Wait implements [transfers.Waiter]: it waits for the decision of a prepare, and then for the
// record. If the context ends first, the Result's Err also matches [transfers.ErrAbandoned] for a
// prepare.
func (c *call) Wait(ctx context.Context, _ transfers.Submission) transfers.Result {
	if !c.wait(ctx) {
		return c.unknown(context.Cause(ctx))
	}
	result := c.result // several callers may wait
	c.recorder.waitSynced(ctx, &result, c.record)
	return result
}

// Journaled implements [transfers.Waiter].
func (c *call) Journaled(ctx context.Context, s transfers.Submission) error {
	return c.Wait(ctx, s).Err
}

// submittedResult returns the result of a decided operation when its record is on disk.
func (r *Recorder) submittedResult(ctx context.Context, s *transfers.Submission, err error) transfers.Result {
	result := transfers.Result{Kind: s.Kind, Packet: s.Packet, Outcome: s.Outcome, Late: s.Late, ShortfallUnknown: s.Late, Err: err}
	r.waitSynced(ctx, &result, s.Record)
	return result
}

// waitSynced waits until a result's record is on disk. Otherwise the outcome is unknown.
func (r *Recorder) waitSynced(ctx context.Context, result *transfers.Result, record uint64) {
	if err := r.journal.waitSynced(ctx, record); err != nil {
		result.Outcome, result.Err = ledger.OutcomeUnknown, fmt.Errorf("%w: %w", ledger.ErrOutcomeUnknown, err)
	}
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

func (c *call) unknown(cause error) transfers.Result {
	err := fmt.Errorf("%w: %w", ledger.ErrOutcomeUnknown, cause)
	if c.op.Kind == transfers.KindPrepare {
		err = fmt.Errorf("%w: %w", transfers.ErrAbandoned, err)
	}
	return transfers.Result{Kind: c.op.Kind, Packet: c.op.Packet, Outcome: ledger.OutcomeUnknown, Err: err}
}

// operation is a submitted operation, for a caller that waits for it at once.
type operation struct {
	call  *call // nil for a decided operation
	reply reply // of a decided operation
}

// waitOrAbandon waits for the result. A prepare without an answer is abandoned.
func (r *Recorder) waitOrAbandon(ctx context.Context, op *transfers.Op, o *operation) (result transfers.Result) {
	if o.call == nil {
		result = o.reply.result(op)
		r.waitSynced(ctx, &result, o.reply.record)
		return result
	}
	result = o.call.Wait(ctx, transfers.Submission{})
	if errors.Is(result.Err, transfers.ErrAbandoned) {
		r.abandon(o.call)
	}
	return result
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
