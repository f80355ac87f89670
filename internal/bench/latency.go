package bench

import (
	"runtime"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// latencies are how long calls took. Callers record on shards, so that they seldom
// wait for each other: a histogram for each of 10,000 callers would take gigabytes.
type latencies struct{ shards []latencyShard }

type latencyShard struct {
	mu        sync.Mutex
	histogram *hdrhistogram.Histogram
	_         [64]byte // keeps neighbours off one cache line
}

// latencyMax is the longest call that is told from longer ones.
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

// newShard is where one of the callers records.
func (l *latencies) newShard(i int) *latencyShard { return &l.shards[i%len(l.shards)] }

func (s *latencyShard) recordLatency(took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.histogram.RecordValue(int64(min(max(took, 0), latencyMax))) // it is in the range
}

// computePercentiles are of all callers; zero if nothing was timed.
func (l *latencies) computePercentiles() (p50, p99, p100 time.Duration) {
	all := newHistogram()
	for i := range l.shards {
		all.Merge(l.shards[i].histogram)
	}
	at := func(p float64) time.Duration { return time.Duration(all.ValueAtPercentile(p)) }
	return at(50), at(99), at(100)
}

// sampleEvery is which packets are timed if there are several callers.
const sampleEvery = 16

// watch times one packet in every, or all of them.
type watch struct {
	shard *latencyShard
	every int64
}

func (l *latencies) newWatch(caller, callers int) watch {
	if callers == 1 {
		return watch{l.newShard(caller), 1}
	}
	return watch{l.newShard(caller), sampleEvery}
}

// startTimer is when packet i began; zero if it is not timed.
func (w watch) startTimer(i int64) time.Time {
	if i%w.every != 0 {
		return time.Time{}
	}
	return time.Now()
}

func (w watch) stopTimer(began time.Time) {
	if !began.IsZero() {
		w.shard.recordLatency(time.Since(began))
	}
}
