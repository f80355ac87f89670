package aggregate_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

type traceKey struct{}

// traceLog is a tracer that notes its calls, and that each start has one end.
type traceLog struct {
	begun chan aggregate.RoundStart // gets each start; nil: none

	mu     sync.Mutex
	open   map[uint64]bool // numbers of rounds
	faults []uint64
	starts []aggregate.RoundStart
	ends   []aggregate.RoundEnd
}

func (l *traceLog) TraceRoundStart(ctx context.Context, s aggregate.RoundStart) context.Context {
	l.mu.Lock()
	if l.open == nil {
		l.open = map[uint64]bool{}
	}
	l.open[s.Number] = true
	l.starts = append(l.starts, s)
	l.mu.Unlock()
	if l.begun != nil {
		l.begun <- s
	}
	return context.WithValue(ctx, traceKey{}, s.Number)
}

func (l *traceLog) TraceRoundEnd(ctx context.Context, e aggregate.RoundEnd) {
	l.mu.Lock()
	defer l.mu.Unlock()
	number, _ := ctx.Value(traceKey{}).(uint64)
	if !l.open[number] || number != e.Round.Number {
		l.faults = append(l.faults, e.Round.Number)
	}
	delete(l.open, number)
	l.ends = append(l.ends, e)
}

func (l *traceLog) requireEnded(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	require.Empty(t, l.faults)
	require.Empty(t, l.open, "began and did not end")
	require.Len(t, l.ends, len(l.starts))
}

// contextLedger notes the values of the contexts of requests.
type contextLedger struct {
	ledger.Ledger
	mu   sync.Mutex
	seen map[any]int
}

func (l *contextLedger) CreateTransfers(ctx context.Context, events []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	l.mu.Lock()
	l.seen[ctx.Value(traceKey{})]++
	l.mu.Unlock()
	return l.Ledger.CreateTransfers(ctx, events)
}

// Each round has one start and one end, with the figures of its event, and its requests have its context.
func TestTracerFollowsRounds(t *testing.T) {
	t.Parallel()
	under := &contextLedger{Ledger: embedded.New(), seen: map[any]int{}}
	f := newFixture(t, under, 1_000_000)
	outer, inner := &traceLog{}, &traceLog{}
	var rounds []aggregate.Round
	r := f.open(t, func(c *aggregate.Config) {
		c.Tracer = aggregate.JoinTracers(outer, nil, inner)
		c.Events.Round = func(r aggregate.Round) { rounds = append(rounds, r) }
	})
	for range 3 {
		f.fulfillPackets(t, r, 2)
		require.NoError(t, r.Flush(t.Context()))
	}
	require.NoError(t, r.Close(t.Context()))
	for _, log := range []*traceLog{outer, inner} {
		log.requireEnded(t)
		require.GreaterOrEqual(t, len(log.ends), 3)
		require.Len(t, log.ends, len(rounds))
		for i, e := range log.ends {
			require.NoError(t, e.Err)
			require.Equal(t, rounds[i], e.Round)
			require.Equal(t, aggregate.RoundStart{Number: rounds[i].Number, Packets: rounds[i].Packets}, log.starts[i])
			require.Positive(t, under.seen[rounds[i].Number])
		}
	}
	require.Nil(t, aggregate.JoinTracers(nil))
	require.Same(t, outer, aggregate.JoinTracers(nil, outer))
}

// A recorder that ends with a round under way leaves it; the next recorder of the journal resumes it.
func TestTracerOfARoundThatIsResumed(t *testing.T) {
	t.Parallel()
	lossy := &lossyLedger{Ledger: embedded.New()}
	f := newFixture(t, lossy, 1_000_000)
	log := &traceLog{begun: make(chan aggregate.RoundStart, 100)}
	traced := func(c *aggregate.Config) { c.Tracer = log }
	r := f.open(t, traced)
	f.fulfillPackets(t, r, 1)
	require.NoError(t, r.Flush(t.Context()))
	for len(log.begun) > 0 {
		<-log.begun
	}
	lossy.away.Store(true)
	f.fulfillPackets(t, r, 1)
	left := <-log.begun
	for left.Packets == 0 {
		left = <-log.begun
	}
	kill(t, r)
	log.requireEnded(t)
	last := log.ends[len(log.ends)-1]
	require.ErrorIs(t, last.Err, context.Canceled)
	require.Equal(t, aggregate.Round{Number: left.Number, Packets: left.Packets}, last.Round)

	lossy.away.Store(false)
	log = &traceLog{}
	require.NoError(t, f.open(t, traced).Close(t.Context()))
	log.requireEnded(t)
	require.Equal(t, aggregate.RoundStart{Number: left.Number, Packets: left.Packets, Resumed: true}, log.starts[0])
	require.NoError(t, log.ends[0].Err)
}

// refusingLedger answers rounds with a status that has no explanation, once refuses is set.
type refusingLedger struct {
	ledger.Ledger
	refuses atomic.Bool
}

func (l *refusingLedger) CreateTransfers(ctx context.Context, events []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if !l.refuses.Load() {
		return l.Ledger.CreateTransfers(ctx, events)
	}
	results := make([]ledger.CreateTransferResult, len(events))
	for i := range results {
		results[i].Status = ledger.TransferReservedFlag
	}
	return results, nil
}

// A recorder that has stopped follows its round no longer, though it is not closed yet.
func TestTracerOfAStoppedRecorder(t *testing.T) {
	t.Parallel()
	refusing := &refusingLedger{Ledger: embedded.New()}
	f := newFixture(t, refusing, 1_000_000)
	log, stopped := &traceLog{}, make(chan struct{})
	r := f.open(t, func(c *aggregate.Config) {
		c.Tracer, c.Events.Stopped = log, func(error) { close(stopped) }
		c.RoundInterval = time.Hour
	})
	held, err := r.Prepare(t.Context(), f.packet(0, 1, 10, 9))
	require.NoError(t, err)
	refusing.refuses.Store(true)
	_, err = r.Fulfill(t.Context(), held.Packet)
	require.NoError(t, err)
	require.ErrorIs(t, r.Flush(t.Context()), aggregate.ErrStopped)
	<-stopped
	require.ErrorIs(t, r.Close(t.Context()), aggregate.ErrStopped)
	log.requireEnded(t)
	require.Len(t, log.ends, 1)
	require.ErrorIs(t, log.ends[0].Err, aggregate.ErrStopped)
}
