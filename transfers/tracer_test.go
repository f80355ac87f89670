package transfers_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/transfers"
)

// traceKey is the key of the thing that a context belongs to; callers that are followed have "caller".
type traceKey struct{}

func followed(ctx context.Context) context.Context {
	return context.WithValue(ctx, traceKey{}, "caller")
}

// traceLog is a tracer that notes its calls. It follows the operations of callers that are followed.
type traceLog struct {
	name string
	all  bool // follow all operations

	mu     sync.Mutex
	calls  []string
	open   map[string]bool // things that have begun and not ended
	faults []string
	things int
	starts []transfers.BatchStart
	ends   []transfers.Batch
	ops    []transfers.OperationEnd
}

func (l *traceLog) begin(ctx context.Context, kind string) context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.things++
	id := fmt.Sprint(l.name, kind, l.things)
	if l.open == nil {
		l.open = map[string]bool{}
	}
	l.open[id] = true
	l.calls = append(l.calls, "start "+l.name+kind)
	return context.WithValue(ctx, traceKey{}, id)
}

func (l *traceLog) end(ctx context.Context, kind string) {
	id, _ := ctx.Value(traceKey{}).(string)
	if !l.open[id] {
		l.faults = append(l.faults, "end of "+id+", which is not open")
	}
	delete(l.open, id)
	l.calls = append(l.calls, "end "+l.name+kind)
}

func (l *traceLog) TraceBatchStart(ctx context.Context, b transfers.BatchStart) context.Context {
	l.mu.Lock()
	b.Followed = append([]context.Context(nil), b.Followed...)
	l.starts = append(l.starts, b)
	l.mu.Unlock()
	return l.begin(ctx, "batch")
}

func (l *traceLog) TraceBatchEnd(ctx context.Context, b transfers.Batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end(ctx, "batch")
	l.ends = append(l.ends, b)
}

func (l *traceLog) TraceOperationStart(ctx context.Context, kind transfers.Kind) context.Context {
	if ctx.Value(traceKey{}) == nil && !l.all {
		return nil
	}
	return l.begin(ctx, kind.String())
}

func (l *traceLog) TraceOperationEnd(ctx context.Context, end transfers.OperationEnd) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end(ctx, end.Result.Kind.String())
	l.ops = append(l.ops, end)
}

// requireEnded checks that each start had one end.
func (l *traceLog) requireEnded(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	require.Empty(t, l.faults)
	require.Empty(t, l.open, "began and did not end")
	require.Len(t, l.ends, len(l.starts))
}

// contextLedger notes the value of each request's context.
type contextLedger struct {
	ledger.Ledger
	seen []any
}

func (l *contextLedger) CreateTransfers(ctx context.Context, batch []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	l.seen = append(l.seen, ctx.Value(traceKey{}))
	return l.Ledger.CreateTransfers(ctx, batch)
}

// The context of a batch reaches the ledger, and the context of an operation its batch.
func TestTracerFollowsBatchAndOperation(t *testing.T) {
	t.Parallel()
	log, under := &traceLog{}, &contextLedger{}
	f := newFixture(t, transfers.Config{Lanes: 1, Tracer: log}, func(l ledger.Ledger) ledger.Ledger { under.Ledger = l; return under })
	held, err := f.recorder.Prepare(followed(t.Context()), f.packet(100, 90))
	require.NoError(t, err)
	_, err = f.recorder.Fulfill(t.Context(), held.Packet)
	require.NoError(t, err)
	require.NoError(t, f.recorder.Close(t.Context()))

	log.requireEnded(t)
	require.Equal(t, []string{"start prepare", "start batch", "end prepare", "end batch", "start batch", "end batch"}, log.calls)
	require.Equal(t, []any{"batch2", "batch3"}, under.seen)
	require.Equal(t, 1, log.starts[0].Operations)
	require.Equal(t, "prepare1", log.starts[0].Followed[0].Value(traceKey{}))
	require.Empty(t, log.starts[1].Followed, "of an earlier batch")
	require.Equal(t, "batch2", log.ops[0].Batch.Value(traceKey{}))
	require.Equal(t, held, log.ops[0].Result)
	for _, end := range log.ends {
		require.Equal(t, 1, end.Applied, "outcomes are counted without Events.Batch")
		require.Equal(t, 1, end.Requests)
	}
	f.closeAndCheck(t)
}

// An operation that never reaches a batch has an end too; TrySubmit has no context to follow.
func TestTracerOfOperationsWithoutBatch(t *testing.T) {
	t.Parallel()
	log := &traceLog{all: true}
	f := newFixture(t, transfers.Config{Lanes: 1, Tracer: log}, nil)
	ctx := t.Context()
	_, err := f.recorder.Forward(ctx, f.packet(0, 0)) // moves nothing
	require.NoError(t, err)
	_, err = f.recorder.Fulfill(ctx, f.packet(1, 1)) // has no id
	require.ErrorIs(t, err, transfers.ErrPacket)
	future, err := f.recorder.TrySubmit(transfers.ForwardOp(f.packet(1, 1)))
	require.NoError(t, err)
	require.NoError(t, future.Wait(t.Context()).Err)
	_, err = f.recorder.RecordAll(ctx, transfers.ForwardOp(f.packet(1, 1)), transfers.ForwardOp(f.packet(2, 2)))
	require.NoError(t, err)
	require.NoError(t, f.recorder.Close(t.Context()))
	_, err = f.recorder.Forward(ctx, f.packet(1, 1))
	require.ErrorIs(t, err, transfers.ErrRecorderClosed)

	log.requireEnded(t)
	require.Len(t, log.ops, 5)
	for i, wantErr := range []error{nil, transfers.ErrPacket, nil, nil, transfers.ErrRecorderClosed} {
		require.ErrorIs(t, log.ops[i].Result.Err, wantErr, i)
		require.Equal(t, i == 2 || i == 3, log.ops[i].Batch != nil, i)
	}
	f.closeAndCheck(t)
}

// A ledger that does not answer, a Close that is cut short, and a ledger that is closed: each start has one end.
func TestTracerEndsWhatIsGivenUp(t *testing.T) {
	t.Parallel()
	log := &traceLog{}
	f, slow := newStalledFixture(t, transfers.Config{Lanes: 1, Tracer: log})
	ctx := followed(t.Context())
	first, err := f.recorder.Submit(ctx, transfers.ForwardOp(f.packet(1, 1)))
	require.NoError(t, err)
	<-slow.requests // at the ledger
	_, err = f.recorder.Submit(ctx, transfers.ForwardOp(f.packet(2, 2)))
	require.NoError(t, err)
	require.Error(t, f.recorder.Close(canceled(t.Context())))
	log.requireEnded(t)
	require.Len(t, log.ends, 2)
	require.Equal(t, 1, log.ends[0].Unknown)
	require.Equal(t, 1, log.ends[1].Refused, "never in the books")
	require.Equal(t, first.Packet().ID, log.ops[0].Result.Packet.ID)
	require.ErrorIs(t, log.ops[0].Result.Err, ledger.ErrOutcomeUnknown)
	ledgertest.RequireNothingHeld(t, f.embedded)

	log = &traceLog{}
	f = newFixture(t, transfers.Config{Tracer: log}, nil)
	require.NoError(t, f.embedded.Close())
	for range 2 {
		_, err = f.recorder.Forward(ctx, f.packet(1, 1))
		require.ErrorIs(t, err, ledger.ErrClosed)
	}
	require.NoError(t, f.recorder.Close(t.Context()))
	log.requireEnded(t)
	require.Len(t, log.ops, 2)
}

// Many callers at once, with a ledger that loses answers.
func TestTracerUnderLoad(t *testing.T) {
	t.Parallel()
	log := &traceLog{}
	f := newFixture(t, transfers.Config{Tracer: transfers.JoinTracers(nil, log)}, func(l ledger.Ledger) ledger.Ledger { return &lossyLedger{Ledger: l, lose: 5} })
	var callers sync.WaitGroup
	for i := range 4 {
		ctx := t.Context()
		if i%2 == 0 {
			ctx = followed(ctx)
		}
		callers.Go(func() {
			for range 50 {
				if _, err := f.recorder.Forward(ctx, f.packet(1, 1)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	callers.Wait()
	require.NoError(t, f.recorder.Flush(t.Context()))
	require.NoError(t, f.recorder.Close(t.Context()))
	log.requireEnded(t)
	require.Len(t, log.ops, 100)
	requests := 0
	for _, end := range log.ends {
		requests += end.Requests
	}
	require.Greater(t, requests, len(log.ends), "no answer was lost")
	f.closeAndCheck(t)
}

// batchOnly is a tracer without the methods for operations.
type batchOnly struct{ transfers.BatchTracer }

func TestJoinedTracers(t *testing.T) {
	t.Parallel()
	require.Nil(t, transfers.JoinTracers(nil, nil))
	outer, inner := &traceLog{name: "outer "}, &traceLog{name: "inner "}
	require.Same(t, outer, transfers.JoinTracers(nil, outer))

	shared := &traceLog{name: "shared "}
	under := &contextLedger{}
	f := newFixture(t, transfers.Config{Lanes: 1, Tracer: transfers.JoinTracers(outer, batchOnly{shared}, inner)},
		func(l ledger.Ledger) ledger.Ledger { under.Ledger = l; return under })
	_, err := f.recorder.Forward(followed(t.Context()), f.packet(1, 1))
	require.NoError(t, err)
	_, err = f.recorder.Forward(t.Context(), f.packet(1, 1))
	require.NoError(t, err)
	require.NoError(t, f.recorder.Close(t.Context()))
	for _, log := range []*traceLog{outer, inner, shared} {
		log.requireEnded(t)
		require.Len(t, log.ends, 2)
	}
	require.Len(t, outer.ops, 1)
	require.Len(t, inner.ops, 1)
	require.Empty(t, shared.ops)
	require.Equal(t, "inner batch2", under.seen[0], "the context of the last tracer")
	f.closeAndCheck(t)
}

type panickingTracer struct{ transfers.BatchTracer }

func (panickingTracer) TraceBatchStart(context.Context, transfers.BatchStart) context.Context {
	panic("the tracer panics")
}

// The documentation promises that a panic is not hidden. The test runs itself again in a process of its own.
func TestTracerPanicEndsTheProcess(t *testing.T) {
	t.Parallel()
	if os.Getenv("PEERLEDGER_TRACER_PANICS") == "1" {
		f := newFixture(t, transfers.Config{Tracer: panickingTracer{}}, nil)
		_, err := f.recorder.Forward(t.Context(), f.packet(1, 1))
		require.Error(t, err)
		return
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTracerPanicEndsTheProcess$")
	child.Env = append(os.Environ(), "PEERLEDGER_TRACER_PANICS=1")
	out, err := child.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "panic: the tracer panics")
}
