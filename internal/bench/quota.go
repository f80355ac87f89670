package bench

import (
	"context"
	"sync/atomic"
	"time"
)

// quota hands out the packets of a measurement, by number and in order. Every packet taken is
// written, so the number of packets taken determines the books. The first packets that count can
// always be taken, however short the time.
type quota struct {
	total   int64
	counted atomic.Int64 // number of the first packet that counts; above 0 after a warm-up
	next    atomic.Int64
	stopped atomic.Bool
}

// unlimited is the total of a quota that only ends by time.
const unlimited = 1 << 62

// takePackets takes up to n packets: numbers first to first+count-1. If count is 0, none are left.
func (q *quota) takePackets(n int64) (first, count int64) {
	if q.stopped.Load() && q.next.Load() > q.counted.Load() {
		return 0, 0
	}
	first = q.next.Add(n) - n
	return first, max(0, min(n, q.total-first))
}

// countTaken returns the number of packets taken.
func (q *quota) countTaken() int64 { return min(q.next.Load(), q.total) }

// endAfter ends the quota after the time most, or at the end of ctx. The caller must call stop.
func (q *quota) endAfter(ctx context.Context, most time.Duration) (stop func()) {
	end := func() { q.stopped.Store(true) }
	timer := time.AfterFunc(most, end)
	unwatch := context.AfterFunc(ctx, end)
	return func() {
		timer.Stop()
		unwatch()
	}
}
