package transfers

import (
	"context"

	"github.com/peerledger/peerledger/internal/jointrace"
)

// BatchTracer follows batches from start to end, for spans, logs and durations. [Events] tell the program of
// changes; a tracer watches the work. Set [Config].Tracer.
//
// Each start is followed by one end, also if the ledger fails, if the outcome stays unknown and at
// [Recorder.Close]; nothing follows a process that ends before. The methods run in the recorder's goroutines, those of
// different lanes concurrently. They must not block and must not call the Recorder. The recorder recovers no panic of a
// tracer: a panic ends the process.
type BatchTracer interface {
	// TraceBatchStart is called before the first request of a batch. ctx is the recorder's own: it ends when a Close is
	// cut short. TraceBatchStart returns a context made from ctx, and never nil. The ledger gets this context
	// with the requests of the batch.
	TraceBatchStart(ctx context.Context, b BatchStart) context.Context
	// TraceBatchEnd is called when all operations are answered or given up, after [Events].Batch, with the context
	// of the start. The callers have their results by then.
	TraceBatchEnd(ctx context.Context, b Batch)
}

// BatchStart describes a batch before its first request.
type BatchStart struct {
	Lane       int // 0 to Config.Lanes-1
	Operations int // in the batch, above 0
	// Followed are the contexts of operations of the batch, as an [OperationTracer] has returned them. The slice must not
	// be kept.
	Followed []context.Context
}

// OperationTracer follows single operations from the caller to the result. The recorder uses the methods of a
// [Config].Tracer that has them. Operations of [Recorder.TrySubmit] and fulfills left in a journal have no context, and are
// not followed. Each context that TraceOperationStart has returned gets one TraceOperationEnd.
type OperationTracer interface {
	// TraceOperationStart is called by [Recorder.Submit], [Recorder.Record] and [Recorder.RecordAll] in the caller's
	// goroutine, for each operation and with the caller's context. It must be fast. It returns nil for an
	// operation that is not to be followed, else a context made from ctx.
	TraceOperationStart(ctx context.Context, kind Kind) context.Context
	// TraceOperationEnd is called with the context of the start, before the caller gets the result.
	TraceOperationEnd(ctx context.Context, end OperationEnd)
}

// OperationEnd is the end of an operation.
type OperationEnd struct {
	Result Result
	// Batch is the context of the operation's batch ([BatchTracer].TraceBatchStart); nil if the operation was in
	// no batch.
	Batch context.Context
}

// JoinTracers returns a tracer that calls several: the starts in the order given, each with the context of the one before,
// and the ends in reverse. Each end gets the context of its own tracer's start. Tracers that are nil are left
// out; JoinTracers returns nil if all are.
func JoinTracers(tracers ...BatchTracer) BatchTracer {
	joined := &joinedTracers{batches: jointrace.RemoveNil(tracers)}
	for _, t := range joined.batches {
		if o, follows := t.(OperationTracer); follows {
			joined.operations = append(joined.operations, o)
		}
	}
	switch len(joined.batches) {
	case 0:
		return nil
	case 1:
		return joined.batches[0]
	default:
		return joined
	}
}

type joinedTracers struct {
	batches    []BatchTracer
	operations []OperationTracer
}

func (j *joinedTracers) TraceBatchStart(ctx context.Context, b BatchStart) context.Context {
	return jointrace.StartAll(ctx, j.batches, func(t BatchTracer, ctx context.Context) context.Context { return t.TraceBatchStart(ctx, b) })
}

func (j *joinedTracers) TraceBatchEnd(ctx context.Context, b Batch) {
	jointrace.EndAll(ctx, j.batches, func(t BatchTracer, ctx context.Context) { t.TraceBatchEnd(ctx, b) })
}

func (j *joinedTracers) TraceOperationStart(ctx context.Context, kind Kind) context.Context {
	return jointrace.StartAll(ctx, j.operations, func(t OperationTracer, ctx context.Context) context.Context {
		return t.TraceOperationStart(ctx, kind)
	})
}

func (j *joinedTracers) TraceOperationEnd(ctx context.Context, end OperationEnd) {
	jointrace.EndAll(ctx, j.operations, func(t OperationTracer, ctx context.Context) { t.TraceOperationEnd(ctx, end) })
}

// operationTracerOf returns the tracer of operations of a Config.Tracer; nil if it has none. A single one among joined
// tracers is called directly: each packet asks it.
func operationTracerOf(t BatchTracer) OperationTracer {
	joined, isJoined := t.(*joinedTracers)
	switch {
	case isJoined && len(joined.operations) == 0:
		return nil
	case isJoined && len(joined.operations) == 1:
		return joined.operations[0]
	}
	o, _ := t.(OperationTracer)
	return o
}

// followedOperation is an operation with a context of its own. An operation has a pointer to it, and no context: few
// operations are followed, and all are in memory.
type followedOperation struct{ ctx context.Context }

// followOperation begins to follow an operation of a caller; nil if no tracer wants to.
func (r *Recorder) followOperation(ctx context.Context, kind Kind) *followedOperation {
	if r.operationTracer == nil {
		return nil
	}
	started := r.operationTracer.TraceOperationStart(ctx, kind)
	if started == nil {
		return nil
	}
	return &followedOperation{started}
}

// endOperation ends an operation that is followed.
func (r *Recorder) endOperation(f *followedOperation, end OperationEnd) {
	if f != nil {
		r.operationTracer.TraceOperationEnd(f.ctx, end)
	}
}

// startBatchTrace begins to follow a batch, and returns the context of its requests.
func (r *Recorder) startBatchTrace(ctx context.Context, b *batch) context.Context {
	if r.cfg.Tracer == nil || b.report.Operations == 0 {
		return ctx
	}
	b.traceCtx = r.cfg.Tracer.TraceBatchStart(ctx, BatchStart{Lane: b.report.Lane, Operations: b.report.Operations, Followed: b.followed})
	return b.traceCtx
}

// endBatchTrace ends a batch that is followed.
func (r *Recorder) endBatchTrace(b *batch) {
	if b.traceCtx != nil {
		r.cfg.Tracer.TraceBatchEnd(b.traceCtx, b.report)
	}
}

// endOperationTraces ends the followed operations that are answered.
func (r *Recorder) endOperationTraces(b *batch) {
	if len(b.followed) == 0 {
		return
	}
	for _, o := range b.answered {
		r.endOperation(o.followed, OperationEnd{Result: o.toResult(), Batch: b.traceCtx})
	}
}
