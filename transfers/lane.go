package transfers

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// lane sends operations one request at a time. A batch is whatever queued up while
// the last request was in flight.
//
// A batch is resolved completely, with all that has to be sent again, before the
// next one is sent, and resolves a packet once: so nothing overtakes an operation on
// its packet. Operations on one packet keep their order; apart from that, what was
// promised goes first when there is more than one batch.
//
// Two goroutines run it. The sender is at the ledger: it has nothing to do between an
// answer and the next request but to see that no operation must go on. The clerk
// publishes the answers meanwhile, in order, and makes the next batch ready if a full
// one is waiting.
type lane struct {
	number   int
	ledger   ledger.Ledger
	recorder *Recorder
	wake     chan struct{} // holds one: there is something to do for an idle sender
	load     atomic.Int64  // operations that it has not answered

	mu     sync.Mutex
	in     queue         // what has come since somebody looked
	mixed  bool          // not only forwards have come
	unused list          // to be used again
	idle   bool          // the sender waits for wake
	closed bool          // nothing is added any more
	inCame time.Duration // when the first of in came

	cutting sync.Mutex // for what follows; mu may be taken while it is held
	limit   int        // transfers in a request
	first   queue      // goes before all of later
	later   queue
	held    map[ledger.ID]int // operations in later on each packet
	ready   *batch            // cut ahead; nil if none is
	spare   []*batch          // to be used again

	resolved chan *batch    // from the sender to the clerk
	unread   sync.WaitGroup // batches that the clerk has not published
	results  []Result       // of whoever publishes, for Events
	flying   atomic.Int64   // operations of the batch that is at the ledger
	began    time.Time      // when the lane was made: what operation.came counts from

	// Of the sender alone.
	left  []leftover // given up since the lane was closed
	cause error      // of that: the ledger's last error
}

// leftover is an operation that was given up while the recorder was being closed.
type leftover struct {
	op     Op
	handed bool
}

func newLane(number int, l ledger.Ledger, r *Recorder) *lane {
	return &lane{
		number: number, ledger: l, recorder: r, wake: make(chan struct{}, 1), limit: ledger.BatchMax,
		held: make(map[ledger.ID]int), resolved: make(chan *batch), began: time.Now(),
	}
}

// push adds a copy of an operation; false if the lane is closed. The clock is read for
// the first of those that come between two looks at them, and is too dear for the others:
// they count as having come with it.
func (ln *lane) push(o *operation) bool {
	ln.mu.Lock()
	if ln.closed {
		ln.mu.Unlock()
		return false
	}
	mine := ln.unused.pop()
	if mine == nil {
		mine = new(operation)
	}
	*mine = *o
	if ln.in.empty() {
		ln.inCame = time.Since(ln.began)
	}
	mine.came = ln.inCame
	ln.in.push(mine)
	ln.mixed = ln.mixed || o.kind != KindForward
	wake := ln.idle
	ln.idle = false
	ln.mu.Unlock()
	if o.kind != 0 {
		ln.load.Add(1)
	}
	if wake {
		ln.wake <- struct{}{} // there is room: who clears idle sends one
	}
	return true
}

func (ln *lane) close() {
	ln.mu.Lock()
	ln.closed = true
	wake := ln.idle
	ln.idle = false
	ln.mu.Unlock()
	if wake {
		ln.wake <- struct{}{}
	}
}

// isClosed reports whether close was called.
func (ln *lane) isClosed() bool {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	return ln.closed
}

// mark adds a mark: its slot is finished when all that was added before it is.
// false if the lane is closed.
func (ln *lane) mark(s *resultSlot) bool { return ln.push(&operation{slot: s}) }

// send sends batches until the lane is closed and empty. If ctx ends, what is left
// is given up.
func (ln *lane) send(ctx context.Context) {
	defer close(ln.resolved)
	for b := ln.next(); b != nil; b = ln.next() {
		ln.resolve(ctx, b)
		if ln.waits() {
			ln.unread.Add(1)
			ln.resolved <- b
			continue
		}
		// There is nothing to send: its callers need not wait for the clerk to wake.
		ln.unread.Wait()
		ln.publish(b)
	}
}

// keep publishes batches until there are no more.
func (ln *lane) keep() {
	for b := range ln.resolved {
		ln.publish(b)
		ln.unread.Done()
		ln.cutAhead()
	}
}

// waits reports whether there is something to send.
func (ln *lane) waits() bool {
	ln.cutting.Lock()
	defer ln.cutting.Unlock()
	if ln.ready != nil || !ln.first.empty() || !ln.later.empty() {
		return true
	}
	ln.mu.Lock()
	defer ln.mu.Unlock()
	return !ln.in.empty()
}

// next waits for the next batch; nil if the lane is closed and empty.
func (ln *lane) next() *batch {
	for {
		b, closed := ln.poll()
		if b != nil || closed {
			return b
		}
		<-ln.wake
	}
}

// poll is the next batch, nil if nothing waits. If the lane is closed then nothing
// follows.
func (ln *lane) poll() (b *batch, closed bool) {
	ln.cutting.Lock()
	defer ln.cutting.Unlock()
	if b = ln.ready; b != nil {
		ln.ready = nil
		return b, false
	}
	closed = ln.take(true)
	if ln.first.empty() && ln.later.empty() {
		return nil, closed
	}
	return ln.cut(), false
}

// cutAhead makes a batch ready if a full one waits. What comes from then on goes
// with the one after it, so one that is not full is not cut before it can be sent.
func (ln *lane) cutAhead() {
	ln.cutting.Lock()
	defer ln.cutting.Unlock()
	if ln.ready != nil {
		return
	}
	ln.take(false)
	if ln.first.transfers+ln.later.transfers >= ln.limit {
		ln.ready = ln.cut()
	}
}

// take takes what has come. If there is nothing to do, and idle says that the
// caller will wait then, the next push wakes it. REQUIRES: cutting is held.
func (ln *lane) take(idle bool) (closed bool) {
	ln.mu.Lock()
	in, mixed := ln.in, ln.mixed
	ln.in, ln.mixed = queue{}, false
	closed = ln.closed
	if idle { // else a sender that is idle stays so: nothing has come
		ln.idle = in.empty() && ln.first.empty() && ln.later.empty() && !closed
	}
	ln.mu.Unlock()
	if mixed || !ln.later.empty() {
		ln.order(in)
	} else {
		ln.first.join(in) // all are promised, and nothing is left to overtake
	}
	return closed
}

// order puts what has come behind what is waiting. If it all goes into the next
// batch it stays as it came; else prepares, and what is on a packet that has
// something among them, go behind all that is on promised money.
func (ln *lane) order(in queue) {
	if ln.first.empty() && ln.later.empty() && in.transfers <= ln.limit {
		ln.first = in
		return
	}
	for !in.empty() {
		o := in.pop()
		switch id := o.packet.ID; {
		case o.kind == 0 && !ln.later.empty():
			ln.later.push(o) // behind all that came before it
		case o.kind == KindPrepare, ln.held[id] > 0:
			ln.held[id]++
			ln.later.push(o)
		default:
			ln.first.push(o)
		}
	}
}

// pull takes the operation that goes next; there must be one.
func (ln *lane) pull() *operation {
	if !ln.first.empty() {
		return ln.first.pop()
	}
	o := ln.later.pop()
	if o.kind == 0 {
		return o
	}
	if n := ln.held[o.packet.ID]; n > 1 {
		ln.held[o.packet.ID] = n - 1
	} else {
		delete(ln.held, o.packet.ID)
	}
	return o
}

// peek is the operation that goes next, nil if there is none.
func (ln *lane) peek() *operation {
	if !ln.first.empty() {
		return ln.first.head
	}
	return ln.later.head
}

// leftovers reports the operations that were given up while the recorder was
// being closed, after the sender has ended. Those given up before then have
// told their callers.
func (ln *lane) leftovers(report *CloseError) {
	for _, l := range ln.left {
		if l.handed {
			report.Unknown = append(report.Unknown, l.op)
		} else {
			report.Unsent = append(report.Unsent, l.op)
		}
	}
	if ln.cause != nil {
		report.Ledger = ln.cause
	}
}
