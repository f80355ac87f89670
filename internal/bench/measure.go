package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/peerledger/peerledger/internal/progress"
)

// sample is what one measurement of one round found.
type sample struct {
	packets       int64
	elapsed       time.Duration
	p50, p99      time.Duration
	p100          time.Duration
	opsPerBatch   float64 // 0 if nobody counted
	allocs, bytes float64 // of an operation
	orders        int64   // paid by the settlement engine
}

// packetRate is packets in a second.
func (s sample) packetRate() float64 { return float64(s.packets) / s.elapsed.Seconds() }

// bencher measures on one ledger.
type bencher struct {
	opts      options
	subject   target
	namespace string            // of the accounts of this run
	markets   map[int]*workload // by the number of peers, of a ledger that stays
}

// newBencher measures on a ledger, which close closes. Its accounts are new ones, so
// that a cluster can be measured again and again.
func newBencher(opts options, s target) *bencher {
	return &bencher{
		opts: opts, subject: s, markets: map[int]*workload{},
		namespace: "bench " + time.Now().UTC().Format(time.RFC3339Nano),
	}
}

func (b *bencher) closeTargets() error { return b.subject.closeTarget() }

// measureRounds measures the plan as often as is asked, every other time backwards: a ledger
// that becomes slower, say, must not always do so for the same ways. The samples of a
// round are in the order of the plan.
func (b *bencher) measureRounds(ctx context.Context, plan []measurement, shown progress.Progress) ([][]sample, error) {
	// The first one also pays for a process that has just begun.
	if _, err := b.measureOnce(ctx, plan[0]); err != nil {
		return nil, fmt.Errorf("%v: %w", plan[0], err)
	}
	rounds := make([][]sample, b.opts.count)
	for n := range rounds {
		rounds[n] = make([]sample, len(plan))
		for i := range plan {
			if n%2 == 1 {
				i = len(plan) - 1 - i
			}
			shown.Say(plan[i].String())
			var err error
			if rounds[n][i], err = b.measureOnce(ctx, plan[i]); err != nil {
				return nil, fmt.Errorf("%v: %w", plan[i], err)
			}
			shown.Step()
		}
	}
	return rounds, nil
}

// measureOnce makes one measurement, and verifies what it wrote.
func (b *bencher) measureOnce(ctx context.Context, m measurement) (s sample, err error) {
	st, err := b.subject.prepareTarget(ctx, m.lanes)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, st.end()) }()
	market, err := b.openWorkload(ctx, st, m.peers)
	if err != nil {
		return s, err
	}
	q := &quota{total: int64(b.opts.packets)}
	if m.way.isRaw() {
		s, err = b.measureRaw(ctx, m, st, market, q)
	} else {
		s, err = b.measureRecorder(ctx, m, st, market, q)
	}
	if err != nil {
		return s, err
	}
	market.countSent(m.load, s.packets)
	return s, market.verifyBooks(ctx, st.ledger)
}

// openWorkload is the peers: those of the run, or new ones on a new ledger.
func (b *bencher) openWorkload(ctx context.Context, st stage, peers int) (*workload, error) {
	if m := b.markets[peers]; m != nil && !st.fresh {
		return m, nil
	}
	m, err := newMarket(ctx, st.ledger, fmt.Sprintf("%s of %d", b.namespace, peers), peers, b.opts.seed)
	if err == nil && !st.fresh {
		b.markets[peers] = m
	}
	return m, err
}

func (b *bencher) measureRaw(ctx context.Context, m measurement, st stage, market *workload, q *quota) (sample, error) {
	run := &rawRun{traffic: market.newTraffic(m.load), phase: m.phase, quota: q, latencies: newLatencies(m.callers)}
	var workers []worker
	batch := int64(1)
	switch m.way { //nolint:exhaustive // the others are the recorder's
	case wayBatched:
		workers, batch = run.sendBatched(st.raw, st.batchMax)
	case wayMixed:
		workers, batch = run.sendMixed(st.raw, st.batchMax)
	default:
		workers = run.sendSingle(st.raw, m.callers)
	}
	s, err := b.timeWorkers(ctx, m, workers, q, run.latencies)
	s.opsPerBatch = float64(s.packets) / float64(max(1, divideUp(s.packets, batch)))
	return s, err
}

func (b *bencher) measureRecorder(
	ctx context.Context, m measurement, st stage, market *workload, q *quota,
) (s sample, err error) {
	r, err := market.startRecording(ctx, st.ledger, m.scenario, settleAt(b.opts.at, b.opts.packets, len(market.peers)))
	if err != nil {
		return s, err
	}
	defer func() {
		// The engine may pay until it is closed.
		err = errors.Join(err, r.closeRecording(ctx))
		s.orders = r.orders.Load()
		if n := r.requests.Load(); n > 0 {
			s.opsPerBatch = float64(r.operations.Load()) / float64(n)
		}
	}()
	run := &recorderRun{
		recorder: r.recorder, traffic: market.newTraffic(m.load), phase: m.phase,
		quota: q, latencies: newLatencies(m.callers),
	}
	if m.way == waySubmit {
		return b.timeWorkers(ctx, m, run.submitAll(m.callers), q, run.latencies)
	}
	return b.timeWorkers(ctx, m, run.recordAll(m.callers), q, run.latencies)
}

// timeWorkers runs the workers and measures. They exist before the clock runs.
func (b *bencher) timeWorkers(ctx context.Context, m measurement, workers []worker, q *quota, l *latencies) (s sample, err error) {
	group, working := errgroup.WithContext(ctx)
	start := make(chan struct{})
	for _, work := range workers {
		group.Go(func() error {
			<-start
			return work(working)
		})
	}
	runtime.GC() // what was before is not this measurement's garbage
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	stop := q.endAfter(ctx, b.opts.most)
	defer stop()
	began := time.Now()
	close(start)
	err = group.Wait()
	s.elapsed = time.Since(began)
	runtime.ReadMemStats(&after)
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx) // the workers just stopped
	}
	if err != nil {
		return s, err
	}
	s.packets = q.takenCount()
	operations := float64(max(1, s.packets*m.phase.operationCount()))
	s.allocs = float64(after.Mallocs-before.Mallocs) / operations
	s.bytes = float64(after.TotalAlloc-before.TotalAlloc) / operations
	s.p50, s.p99, s.p100 = l.computePercentiles()
	return s, nil
}
