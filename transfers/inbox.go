package transfers

import (
	"sync"
	"time"
)

// inbox is where callers leave operations for a lane. Its lock is held for a few
// instructions only, and never while a batch is built.
type inbox struct {
	created time.Time     // operation.arrivedAt counts from here
	wake    chan struct{} // holds one token: an idle sender has work, or the inbox was closed

	mu         sync.Mutex
	waiting    arrivals
	waitingAt  time.Duration // when the first of waiting arrived
	reusable   operationList
	senderIdle bool // the sender waits for wake
	closed     bool
}

// arrivals are operations in the order in which they arrived.
type arrivals struct {
	operationQueue
	mixed bool // there are operations other than forwards, or flush marks
}

func newInbox() *inbox {
	return &inbox{created: time.Now(), wake: make(chan struct{}, 1)}
}

// addOperation adds a copy of an operation; false if the inbox is closed. Reading the clock
// for each operation would cost too much: the arrivals between two calls of takeArrivals
// get the time of the first one.
func (in *inbox) addOperation(o *operation) bool {
	in.mu.Lock()
	if in.closed {
		in.mu.Unlock()
		return false
	}
	queued := in.reusable.popFront()
	if queued == nil {
		queued = new(operation)
	}
	*queued = *o
	if in.waiting.isEmpty() {
		in.waitingAt = time.Since(in.created)
	}
	queued.arrivedAt = in.waitingAt
	in.waiting.pushBack(queued)
	in.waiting.mixed = in.waiting.mixed || o.kind != KindForward
	in.wakeAndUnlock()
	return true
}

// close lets no operation in any more.
func (in *inbox) close() {
	in.mu.Lock()
	in.closed = true
	in.wakeAndUnlock()
}

// wakeAndUnlock wakes the sender if it is idle. REQUIRES: mu is held.
func (in *inbox) wakeAndUnlock() {
	wasIdle := in.senderIdle
	in.senderIdle = false
	in.mu.Unlock()
	if wasIdle {
		in.wake <- struct{}{} // does not block: senderIdle is cleared once for each token
	}
}

func (in *inbox) isClosed() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.closed
}

func (in *inbox) isEmpty() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.waiting.isEmpty()
}

// takeArrivals returns the operations that arrived since the last call.
func (in *inbox) takeArrivals() arrivals {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.takeWaiting()
}

// takeArrivalsOrIdle is takeArrivals for the sender. If the sender has no work otherwise,
// nothing arrived and the inbox is open, then the sender must wait for wake.
func (in *inbox) takeArrivalsOrIdle(hasWork bool) (taken arrivals, closed bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	taken = in.takeWaiting()
	in.senderIdle = taken.isEmpty() && !hasWork && !in.closed
	return taken, in.closed
}

func (in *inbox) takeWaiting() arrivals {
	taken := in.waiting
	in.waiting = arrivals{}
	return taken
}

// reuseOperations keeps published operations for later calls of addOperation.
func (in *inbox) reuseOperations(published operationList) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.reusable.appendList(published)
}
