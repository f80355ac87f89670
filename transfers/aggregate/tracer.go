package aggregate

import (
	"context"

	"github.com/peerledger/peerledger/internal/jointrace"
)

// RoundTracer follows rounds from start to end, for spans, logs and durations. [Events] tell the program of changes; a
// tracer watches the work. Set [Config].Tracer.
//
// One round is under way at a time. Each start is followed by one end, also if the ledger fails, if the recorder stops and
// at [Recorder.Close]; nothing follows a process that ends before. The methods run in the recorder's goroutine, before
// NewRecorder has returned in its caller's. They must not block and must not call the Recorder. A panic of a tracer is not
// recovered.
//
// Single packets of rounds have no hooks: the recorder answers most of them from memory.
type RoundTracer interface {
	// TraceRoundStart is called when a round is cut, and for the round that an earlier process has left. ctx is the
	// recorder's own, or that of NewRecorder. TraceRoundStart returns a context made from ctx, and never nil. The
	// ledger gets this context with the requests of the round.
	TraceRoundStart(ctx context.Context, s RoundStart) context.Context
	// TraceRoundEnd is called after [Events].Round, with the context of the start.
	TraceRoundEnd(ctx context.Context, e RoundEnd)
}

// RoundStart describes a round that was cut.
type RoundStart struct {
	Number  uint64 // from 1, in this journal
	Packets uint64 // fulfilled packets
	Resumed bool   // an earlier process has cut the round
}

// RoundEnd is the end of a round in this process.
type RoundEnd struct {
	// Round describes the round that the ledger has. With Err it has Number and Packets alone.
	Round Round
	// Err is why this process leaves the round without an answer: it matches [ErrStopped],
	// [transfers.ErrRecorderClosed] or the error of a context. The next recorder of the journal resumes the round.
	Err error
}

// JoinTracers returns a tracer that calls several: the starts in the order given, each with the context of the one before,
// and the ends in reverse. Each end gets the context of its own tracer's start. Tracers that are nil are left
// out; JoinTracers returns nil if all are.
func JoinTracers(tracers ...RoundTracer) RoundTracer {
	switch set := jointrace.RemoveNil(tracers); len(set) {
	case 0:
		return nil
	case 1:
		return set[0]
	default:
		return joinedTracers(set)
	}
}

type joinedTracers []RoundTracer

func (j joinedTracers) TraceRoundStart(ctx context.Context, s RoundStart) context.Context {
	return jointrace.StartAll(ctx, j, func(t RoundTracer, ctx context.Context) context.Context { return t.TraceRoundStart(ctx, s) })
}

func (j joinedTracers) TraceRoundEnd(ctx context.Context, e RoundEnd) {
	jointrace.EndAll(ctx, j, func(t RoundTracer, ctx context.Context) { t.TraceRoundEnd(ctx, e) })
}

// roundTrace is the round that the tracer follows. It belongs to the goroutine that sends the machine's requests.
type roundTrace struct {
	ctx   context.Context // of the start; nil: no round is followed
	start RoundStart
}

// describeStart describes the round under way; the zero RoundStart if there is none, or if no request will follow. The
// caller holds the lock.
func (m *machine) describeStart() RoundStart {
	if m.round == nil || m.stopped != nil {
		return RoundStart{}
	}
	r := m.round.round
	return RoundStart{Number: r.number, Packets: r.packets, Resumed: m.recovery.stage != recoverDone}
}

// startRoundTrace begins to follow a round, unless it is followed already.
func (r *Recorder) startRoundTrace(ctx context.Context, s RoundStart) {
	if r.cfg.Tracer != nil && s.Number != 0 && r.trace.ctx == nil {
		r.trace = roundTrace{r.cfg.Tracer.TraceRoundStart(ctx, s), s}
	}
}

// finishRoundTrace ends a round that the ledger has. A round that was cut and left empty at once had no start yet.
func (r *Recorder) finishRoundTrace(ctx context.Context, a *appliedRound) {
	if r.cfg.Tracer == nil {
		return
	}
	r.startRoundTrace(ctx, RoundStart{Number: a.round.number, Packets: a.round.packets})
	r.cfg.Tracer.TraceRoundEnd(r.trace.ctx, RoundEnd{Round: a.describe(r.book)})
	r.trace = roundTrace{}
}

// leaveRoundTrace ends a round that the ledger has not answered.
func (r *Recorder) leaveRoundTrace(err error) {
	if r.trace.ctx != nil {
		s := r.trace.start
		r.cfg.Tracer.TraceRoundEnd(r.trace.ctx, RoundEnd{Round: Round{Number: s.Number, Packets: s.Packets}, Err: err})
		r.trace = roundTrace{}
	}
}

// traceContext returns the context of a request: that of its round, if it belongs to one.
func (r *Recorder) traceContext(ctx context.Context, kind requestKind) context.Context {
	switch kind { //nolint:exhaustive // the rest belongs to no round
	case requestRound, requestHolds, requestParties, requestVoids:
		if r.trace.ctx != nil {
			return r.trace.ctx
		}
	}
	return ctx
}
