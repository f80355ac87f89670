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
	processorTime time.Duration
	requests      requestCounts // to the ledger; 0: not counted
	rounds        roundsSample
}

// computePacketRate returns packets per second.
func (s sample) computePacketRate() float64 { return float64(s.packets) / s.elapsed.Seconds() }

// computeProcessorCost returns the nanoseconds of processor time per packet.
func (s sample) computeProcessorCost() float64 {
	return float64(s.processorTime) / float64(max(1, s.packets))
}

// computeRequestRate returns the requests to the ledger a second.
func (s sample) computeRequestRate() float64 { return float64(s.requests.sum()) / s.elapsed.Seconds() }

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
	if b.opts.duration == 0 { // without a warm-up
		// The first measurement also pays for the start of the process, so it is not counted.
		if _, err := b.measureOnce(ctx, plan[0]); err != nil {
			return nil, fmt.Errorf("%v: %w", plan[0], err)
		}
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
	err = b.withWorkload(ctx, m, func(prepared preparedTarget, w *workload) (err error) {
		switch {
		case m.mode.isRaw():
			s, err = b.measureRaw(ctx, m, prepared, w)
		case m.mode.isInRounds():
			s, err = b.measureInRounds(ctx, m, prepared, w)
		default:
			s, err = b.measureRecorder(ctx, m, prepared, w)
		}
		return err
	})
	return s, err
}

// withWorkload calls measure with the ledger and the peers of a measurement, and verifies the books.
func (b *bencher) withWorkload(ctx context.Context, m measurement, measure func(preparedTarget, *workload) error) (err error) {
	prepared, err := b.target.prepareTarget(ctx, m.lanes)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, prepared.closePrepared()) }()
	w, err := b.openWorkload(ctx, prepared, m.peers)
	if err != nil {
		return err
	}
	if err := measure(prepared, w); err != nil {
		return err
	}
	return w.verifyBooks(ctx, prepared.ledger)
}

// newQuota returns the packets of a measurement: a number, unless the measurement has a duration.
func (b *bencher) newQuota(packets int) *quota {
	if b.opts.duration > 0 {
		return &quota{total: unlimited}
	}
	return &quota{total: int64(packets)}
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

func (b *bencher) measureRaw(ctx context.Context, m measurement, prepared preparedTarget, w *workload) (sample, error) {
	q := b.newQuota(b.opts.packets)
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
	s, err := b.timeWorkers(ctx, m, pass{workers: workers, quota: q, latencies: run.latencies})
	w.countSent(m.distribution, 0, q.countTaken())
	s.opsPerBatch = float64(s.packets) / float64(max(1, divideUp(s.packets, batch)))
	return s, err
}

func (b *bencher) measureRecorder(
	ctx context.Context, m measurement, prepared preparedTarget, w *workload,
) (s sample, err error) {
	q := b.newQuota(b.opts.packets)
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
	workers := run.recordAll
	if m.mode == modeSubmit {
		workers = run.submitAll
	}
	s, err = b.timeWorkers(ctx, m, pass{workers: workers(m.callers), quota: q, latencies: run.latencies})
	w.countSent(m.distribution, 0, q.countTaken())
	return s, err
}

// pass is one run of workers against the clock.
type pass struct {
	workers   []worker
	quota     *quota
	latencies *latencies
	also      []*latencies   // forgotten after the warm-up too
	counted   *countedLedger // nil: requests are not counted
}

// meter has the counters of the process at a moment.
type meter struct {
	at            time.Time
	packets       int64
	processorTime time.Duration
	requests      requestCounts
	memory        runtime.MemStats
}

func (p *pass) readMeter() (m meter) {
	runtime.ReadMemStats(&m.memory)
	if p.counted != nil {
		m.requests = p.counted.readCounts()
	}
	m.packets, m.processorTime, m.at = p.quota.countTaken(), readProcessorTime(), time.Now()
	return m
}

// timeWorkers runs the workers and measures them. All goroutines exist before the clock starts.
// With a duration the clock starts after the warm-up. A packet counts if it was taken since then,
// and the time ends when all packets have their answers.
func (b *bencher) timeWorkers(ctx context.Context, m measurement, p pass) (s sample, err error) {
	group, working := errgroup.WithContext(ctx)
	start := make(chan struct{})
	for _, work := range p.workers {
		group.Go(func() error {
			<-start
			return work(working)
		})
	}
	runtime.GC() // garbage of earlier work does not count
	began, limit := p.readMeter(), b.opts.maxTime
	close(start)
	if b.opts.duration > 0 {
		limit = b.opts.duration
		waitFor(working, b.opts.warmup)
		for _, l := range append(p.also, p.latencies) {
			l.reset()
		}
		began = p.readMeter()
		p.quota.counted.Store(began.packets)
	}
	stop := p.quota.endAfter(ctx, limit)
	defer stop()
	err = group.Wait()
	ended := p.readMeter()
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx) // the workers stop without an error when ctx ends
	}
	if err != nil {
		return s, err
	}
	s.elapsed, s.packets = ended.at.Sub(began.at), ended.packets-began.packets
	s.processorTime, s.requests = ended.processorTime-began.processorTime, ended.requests.subtract(began.requests)
	operations := float64(max(1, s.packets*m.phase.countOperations()))
	s.allocs = float64(ended.memory.Mallocs-began.memory.Mallocs) / operations
	s.bytes = float64(ended.memory.TotalAlloc-began.memory.TotalAlloc) / operations
	s.p50, s.p99, s.p100 = p.latencies.computePercentiles()
	return s, nil
}

// waitFor waits for a time, or for the end of ctx.
func waitFor(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
