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

// sample is the result of one measurement in one round.
type sample struct {
	packets       int64
	elapsed       time.Duration
	p50, p99      time.Duration
	p100          time.Duration
	opsPerBatch   float64 // 0: not counted
	allocs, bytes float64 // per operation
	orders        int64   // paid by the settlement engine
}

// packetRate returns packets per second.
func (s sample) packetRate() float64 { return float64(s.packets) / s.elapsed.Seconds() }

// bencher makes measurements on one target.
type bencher struct {
	opts      options
	target    target
	namespace string            // of the accounts of this run
	workloads map[int]*workload // by the number of peers, for a ledger that is kept
}

// newBencher returns a bencher that owns s. The namespace of its accounts is new, so a cluster can
// be measured again and again.
func newBencher(opts options, s target) *bencher {
	return &bencher{
		opts: opts, target: s, workloads: map[int]*workload{},
		namespace: "bench " + time.Now().UTC().Format(time.RFC3339Nano),
	}
}

func (b *bencher) closeTargets() error { return b.target.closeTarget() }

// measureRounds runs the plan opts.rounds times, every second time backwards: a ledger that slows
// down over time must not slow down the same modes in every round. The samples of a round are in
// the order of the plan.
func (b *bencher) measureRounds(ctx context.Context, plan []measurement, shown progress.Progress) ([][]sample, error) {
	// The first measurement also pays for the start of the process, so it is not counted.
	if _, err := b.measureOnce(ctx, plan[0]); err != nil {
		return nil, fmt.Errorf("%v: %w", plan[0], err)
	}
	rounds := make([][]sample, b.opts.rounds)
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

// measureOnce makes one measurement and verifies the books.
func (b *bencher) measureOnce(ctx context.Context, m measurement) (s sample, err error) {
	prepared, err := b.target.prepareTarget(ctx, m.lanes)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, prepared.closePrepared()) }()
	w, err := b.openWorkload(ctx, prepared, m.peers)
	if err != nil {
		return s, err
	}
	q := &quota{total: int64(b.opts.packets)}
	if m.mode.isRaw() {
		s, err = b.measureRaw(ctx, m, prepared, w, q)
	} else {
		s, err = b.measureRecorder(ctx, m, prepared, w, q)
	}
	if err != nil {
		return s, err
	}
	w.countSent(m.distribution, s.packets)
	return s, w.verifyBooks(ctx, prepared.ledger)
}

// openWorkload returns the workload of the run with so many peers. A new ledger gets a new
// workload.
func (b *bencher) openWorkload(ctx context.Context, prepared preparedTarget, peers int) (*workload, error) {
	if w := b.workloads[peers]; w != nil && !prepared.isNew {
		return w, nil
	}
	w, err := newWorkload(ctx, prepared.ledger, fmt.Sprintf("%s of %d", b.namespace, peers), peers, b.opts.seed)
	if err == nil && !prepared.isNew {
		b.workloads[peers] = w
	}
	return w, err
}

func (b *bencher) measureRaw(ctx context.Context, m measurement, prepared preparedTarget, w *workload, q *quota) (sample, error) {
	run := &rawRun{traffic: w.newTraffic(m.distribution), phase: m.phase, quota: q, latencies: newLatencies(m.callers)}
	var workers []worker
	batch := int64(1)
	switch m.mode { //nolint:exhaustive // the others are the recorder's
	case modeBatched:
		workers, batch = run.sendBatched(prepared.connections, prepared.batchMax)
	case modeMixed:
		workers, batch = run.sendMixed(prepared.connections, prepared.batchMax)
	default:
		workers = run.sendSingle(prepared.connections, m.callers)
	}
	s, err := b.timeWorkers(ctx, m, workers, q, run.latencies)
	s.opsPerBatch = float64(s.packets) / float64(max(1, divideUp(s.packets, batch)))
	return s, err
}

func (b *bencher) measureRecorder(
	ctx context.Context, m measurement, prepared preparedTarget, w *workload, q *quota,
) (s sample, err error) {
	r, err := w.startRecording(ctx, prepared.ledger, m.scenario, computeThreshold(b.opts.threshold, b.opts.packets, len(w.peers)))
	if err != nil {
		return s, err
	}
	defer func() {
		// The engine may pay until closeRecording returns.
		err = errors.Join(err, r.closeRecording(ctx))
		s.orders = r.orders.Load()
		if n := r.requests.Load(); n > 0 {
			s.opsPerBatch = float64(r.operations.Load()) / float64(n)
		}
	}()
	run := &recorderRun{
		recorder: r.recorder, traffic: w.newTraffic(m.distribution), phase: m.phase,
		quota: q, latencies: newLatencies(m.callers),
	}
	if m.mode == modeSubmit {
		return b.timeWorkers(ctx, m, run.submitAll(m.callers), q, run.latencies)
	}
	return b.timeWorkers(ctx, m, run.recordAll(m.callers), q, run.latencies)
}

// timeWorkers runs the workers and measures them. All goroutines exist before the clock starts.
func (b *bencher) timeWorkers(ctx context.Context, m measurement, workers []worker, q *quota, l *latencies) (s sample, err error) {
	group, working := errgroup.WithContext(ctx)
	start := make(chan struct{})
	for _, work := range workers {
		group.Go(func() error {
			<-start
			return work(working)
		})
	}
	runtime.GC() // garbage of earlier work does not count
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	stop := q.endAfter(ctx, b.opts.maxTime)
	defer stop()
	began := time.Now()
	close(start)
	err = group.Wait()
	s.elapsed = time.Since(began)
	runtime.ReadMemStats(&after)
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx) // the workers stop without an error when ctx ends
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
