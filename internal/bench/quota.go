package bench

import (
	"context"
	"sync/atomic"
	"time"
)

// quota is the packets of a measurement. They are taken in order, and what was taken
// is written, so that what the books must say follows from how many there were. The
// first ones are always there, however little time there is.
type quota struct {
	total int64
	next  atomic.Int64
	ended atomic.Bool
}

// takePackets takes up to n packets: numbers first to first+count-1. None are left if count
// is 0.
func (q *quota) takePackets(n int64) (first, count int64) {
	if q.ended.Load() && q.next.Load() > 0 {
		return 0, 0
	}
	first = q.next.Add(n) - n
	return first, max(0, min(n, q.total-first))
}

// takenCount is how many were taken.
func (q *quota) takenCount() int64 { return min(q.next.Load(), q.total) }

// endAfter ends the quota when so much time is over, or with the context. stop must be
// called.
func (q *quota) endAfter(ctx context.Context, most time.Duration) (stop func()) {
	end := func() { q.ended.Store(true) }
	timer := time.AfterFunc(most, end)
	unwatch := context.AfterFunc(ctx, end)
	return func() {
		timer.Stop()
		unwatch()
	}
}
