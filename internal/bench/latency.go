package bench

import (
	"runtime"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// latencies are the durations of calls. Callers record into a few shards and so seldom wait for
// each other: a histogram for each of 10,000 callers would take gigabytes.
type latencies struct{ shards []latencyShard }

type latencyShard struct {
	mu        sync.Mutex
	histogram *hdrhistogram.Histogram
	_         [64]byte // keeps neighbours off one cache line
}

// latencyMax is the longest duration that a histogram can hold. A longer call counts as latencyMax.
const latencyMax = 10 * time.Minute

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, int64(latencyMax), 3) // nanoseconds, to a thousandth
}

func newLatencies(callers int) *latencies {
	l := &latencies{shards: make([]latencyShard, min(callers, 4*runtime.GOMAXPROCS(0)))}
	for i := range l.shards {
		l.shards[i].histogram = newHistogram()
	}
	return l
}

// selectShard returns the shard of caller i.
func (l *latencies) selectShard(i int) *latencyShard { return &l.shards[i%len(l.shards)] }

func (s *latencyShard) recordLatency(took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.histogram.RecordValue(int64(min(max(took, 0), latencyMax))) // no error: the value is in the range
}

// reset forgets all durations.
func (l *latencies) reset() {
	for i := range l.shards {
		l.shards[i].mu.Lock()
		l.shards[i].histogram.Reset()
		l.shards[i].mu.Unlock()
	}
}

// countLatencies returns the number of timed calls.
func (l *latencies) countLatencies() (n int64) {
	for i := range l.shards {
		n += l.shards[i].histogram.TotalCount()
	}
	return n
}

// computePercentiles returns the percentiles over all callers, or 0 if no call was timed.
func (l *latencies) computePercentiles() (p50, p99, p100 time.Duration) {
	all := newHistogram()
	for i := range l.shards {
		all.Merge(l.shards[i].histogram)
	}
	at := func(p float64) time.Duration { return time.Duration(all.ValueAtPercentile(p)) }
	return at(50), at(99), at(100)
}

// sampleEvery is the sampling interval with several callers: one packet in 16 is timed.
const sampleEvery = 16

// callTimer times one packet in every.
type callTimer struct {
	shard *latencyShard
	every int64
}

func (l *latencies) newTimer(caller, callers int) callTimer {
	if callers == 1 {
		return callTimer{l.selectShard(caller), 1}
	}
	return callTimer{l.selectShard(caller), sampleEvery}
}

// startTimer returns the time at which packet i began, or the zero time if packet i is not sampled.
func (w callTimer) startTimer(i int64) time.Time {
	if i%w.every != 0 {
		return time.Time{}
	}
	return time.Now()
}

func (w callTimer) stopTimer(began time.Time) {
	if !began.IsZero() {
		w.shard.recordLatency(time.Since(began))
	}
}
