package settlement

import (
	"context"
	"sync"
	"sync/atomic"
)

// queuedVisit is a visit that has begun, and the call that runs and ends the visit.
type queuedVisit struct {
	visit *accountVisit
	run   func()
}

// visitQueue is the visits of one rail in order. Several goroutines take visits from the queue.
type visitQueue struct {
	visits []queuedVisit
	taken  atomic.Int64
	scans  *groupScans // nil: the visits look their balances up themselves
}

// startVisitQueues starts the visits, rail by rail, on at most as many goroutines as the rail settles
// accounts at once. A goroutine for each visit would do as well, but an order needs a deep stack, and
// each new goroutine would grow its stack anew: that took a tenth of the time of an order.
func (e *Engine) startVisitQueues(ctx context.Context, visits []queuedVisit, wg *sync.WaitGroup) {
	queues := make(map[*railState]*visitQueue)
	for _, v := range visits {
		rail := e.railOf(v.visit.account)
		if queues[rail] == nil {
			queues[rail] = new(visitQueue)
		}
		queues[rail].visits = append(queues[rail].visits, v)
	}
	for rail, q := range queues {
		q.scans = &groupScans{book: e.book, size: cap(e.slotsOf(rail))}
		for range min(len(q.visits), cap(e.slotsOf(rail))) {
			wg.Go(func() { q.runAll(ctx, wg) })
		}
	}
}

// runAll runs visits until all are taken. If a Settler ends the goroutine (runtime.Goexit), another
// goroutine runs the rest.
func (q *visitQueue) runAll(ctx context.Context, wg *sync.WaitGroup) {
	ended := false
	defer func() {
		if !ended {
			wg.Go(func() { q.runAll(ctx, wg) })
		}
	}()
	for i := int(q.taken.Add(1)) - 1; i < len(q.visits); i = int(q.taken.Add(1)) - 1 {
		if q.scans != nil {
			q.scans.renewScan(ctx, q.visits, i)
		}
		q.visits[i].run()
	}
	ended = true
}
