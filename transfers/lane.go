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

	mu             sync.Mutex
	inbox          operationQueue // what has come since somebody looked
	needsPartition bool           // not only forwards have come
	freeOperations operationList  // to be used again
	senderIdle     bool           // the sender waits for wake
	closed         bool           // nothing is added any more
	inboxSince     time.Duration  // when the first of in came

	batchMu          sync.Mutex     // for what follows; mu may be taken while it is held
	transferLimit    int            // transfers in a request
	priority         operationQueue // goes before all of later
	normal           operationQueue
	deferredByPacket map[ledger.ID]int // operations in later on each packet
	prebuilt         *batch            // cut ahead; nil if none is
	freeBatches      []*batch          // to be used again

	resolvedBatches chan *batch    // from the sender to the clerk
	unpublished     sync.WaitGroup // batches that the clerk has not published
	eventResults    []Result       // of whoever publishes, for Events
	inFlight        atomic.Int64   // operations of the batch that is at the ledger
	startedAt       time.Time      // when the lane was made: what operation.arrivedAt counts from

	// Of the sender alone.
	abandoned []abandonedOperation // given up since the lane was closed
	lastErr   error                // of that: the ledger's last error
}

// abandonedOperation is an operation that was given up while the recorder was being closed.
type abandonedOperation struct {
	op   Op
	sent bool
}

func newLane(number int, l ledger.Ledger, r *Recorder) *lane {
	return &lane{
		number: number, ledger: l, recorder: r, wake: make(chan struct{}, 1), transferLimit: ledger.BatchMax,
		deferredByPacket: make(map[ledger.ID]int), resolvedBatches: make(chan *batch), startedAt: time.Now(),
	}
}

// addOperation adds a copy of an operation; false if the lane is closed. The clock is read for
// the first of those that come between two looks at them, and is too dear for the others:
// they count as having come with it.
func (ln *lane) addOperation(o *operation) bool {
	ln.mu.Lock()
	if ln.closed {
		ln.mu.Unlock()
		return false
	}
	mine := ln.freeOperations.popFront()
	if mine == nil {
		mine = new(operation)
	}
	*mine = *o
	if ln.inbox.isEmpty() {
		ln.inboxSince = time.Since(ln.startedAt)
	}
	mine.arrivedAt = ln.inboxSince
	ln.inbox.pushBack(mine)
	ln.needsPartition = ln.needsPartition || o.kind != KindForward
	wake := ln.senderIdle
	ln.senderIdle = false
	ln.mu.Unlock()
	if o.kind != 0 {
		ln.load.Add(1)
	}
	if wake {
		ln.wake <- struct{}{} // there is room: who clears idle sends one
	}
	return true
}

func (ln *lane) closeInbox() {
	ln.mu.Lock()
	ln.closed = true
	wake := ln.senderIdle
	ln.senderIdle = false
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

// addFlushMark adds a mark: its slot is finished when all that was added before it is.
// false if the lane is closed.
func (ln *lane) addFlushMark(s *resultSlot) bool { return ln.addOperation(&operation{slot: s}) }

// runSender sends batches until the lane is closed and empty. If ctx ends, what is left
// is given up.
func (ln *lane) runSender(ctx context.Context) {
	defer close(ln.resolvedBatches)
	for b := ln.awaitBatch(); b != nil; b = ln.awaitBatch() {
		ln.resolveBatch(ctx, b)
		if ln.hasWork() {
			ln.unpublished.Add(1)
			ln.resolvedBatches <- b
			continue
		}
		// There is nothing to send: its callers need not wait for the clerk to wake.
		ln.unpublished.Wait()
		ln.publishBatch(b)
	}
}

// runPublisher publishes batches until there are no more.
func (ln *lane) runPublisher() {
	for b := range ln.resolvedBatches {
		ln.publishBatch(b)
		ln.unpublished.Done()
		ln.prebuildBatch()
	}
}

// hasWork reports whether there is something to send.
func (ln *lane) hasWork() bool {
	ln.batchMu.Lock()
	defer ln.batchMu.Unlock()
	if ln.prebuilt != nil || !ln.priority.isEmpty() || !ln.normal.isEmpty() {
		return true
	}
	ln.mu.Lock()
	defer ln.mu.Unlock()
	return !ln.inbox.isEmpty()
}

// awaitBatch waits for the next batch; nil if the lane is closed and empty.
func (ln *lane) awaitBatch() *batch {
	for {
		b, closed := ln.tryNextBatch()
		if b != nil || closed {
			return b
		}
		<-ln.wake
	}
}

// tryNextBatch is the next batch, nil if nothing waits. If the lane is closed then nothing
// follows.
func (ln *lane) tryNextBatch() (b *batch, closed bool) {
	ln.batchMu.Lock()
	defer ln.batchMu.Unlock()
	if b = ln.prebuilt; b != nil {
		ln.prebuilt = nil
		return b, false
	}
	closed = ln.drainInbox(true)
	if ln.priority.isEmpty() && ln.normal.isEmpty() {
		return nil, closed
	}
	return ln.buildBatch(), false
}

// prebuildBatch makes a batch ready if a full one waits. What comes from then on goes
// with the one after it, so one that is not full is not cut before it can be sent.
func (ln *lane) prebuildBatch() {
	ln.batchMu.Lock()
	defer ln.batchMu.Unlock()
	if ln.prebuilt != nil {
		return
	}
	ln.drainInbox(false)
	if ln.priority.transfers+ln.normal.transfers >= ln.transferLimit {
		ln.prebuilt = ln.buildBatch()
	}
}

// drainInbox takes what has come. If there is nothing to do, and idle says that the
// caller will wait then, the next push wakes it. REQUIRES: cutting is held.
func (ln *lane) drainInbox(idle bool) (closed bool) {
	ln.mu.Lock()
	in, mixed := ln.inbox, ln.needsPartition
	ln.inbox, ln.needsPartition = operationQueue{}, false
	closed = ln.closed
	if idle { // else a sender that is idle stays so: nothing has come
		ln.senderIdle = in.isEmpty() && ln.priority.isEmpty() && ln.normal.isEmpty() && !closed
	}
	ln.mu.Unlock()
	if mixed || !ln.normal.isEmpty() {
		ln.partitionInbox(in)
	} else {
		ln.priority.appendQueue(in) // all are promised, and nothing is left to overtake
	}
	return closed
}

// partitionInbox puts what has come behind what is waiting. If it all goes into the next
// batch it stays as it came; else prepares, and what is on a packet that has
// something among them, go behind all that is on promised money.
func (ln *lane) partitionInbox(in operationQueue) {
	if ln.priority.isEmpty() && ln.normal.isEmpty() && in.transfers <= ln.transferLimit {
		ln.priority = in
		return
	}
	for !in.isEmpty() {
		o := in.popFront()
		switch id := o.packet.ID; {
		case o.kind == 0 && !ln.normal.isEmpty():
			ln.normal.pushBack(o) // behind all that came before it
		case o.kind == KindPrepare, ln.deferredByPacket[id] > 0:
			ln.deferredByPacket[id]++
			ln.normal.pushBack(o)
		default:
			ln.priority.pushBack(o)
		}
	}
}

// popNext takes the operation that goes next; there must be one.
func (ln *lane) popNext() *operation {
	if !ln.priority.isEmpty() {
		return ln.priority.popFront()
	}
	o := ln.normal.popFront()
	if o.kind == 0 {
		return o
	}
	if n := ln.deferredByPacket[o.packet.ID]; n > 1 {
		ln.deferredByPacket[o.packet.ID] = n - 1
	} else {
		delete(ln.deferredByPacket, o.packet.ID)
	}
	return o
}

// peekNext is the operation that goes next, nil if there is none.
func (ln *lane) peekNext() *operation {
	if !ln.priority.isEmpty() {
		return ln.priority.head
	}
	return ln.normal.head
}

// reportUnfinished reports the operations that were given up while the recorder was
// being closed, after the sender has ended. Those given up before then have
// told their callers.
func (ln *lane) reportUnfinished(report *CloseError) {
	for _, l := range ln.abandoned {
		if l.sent {
			report.Unknown = append(report.Unknown, l.op)
		} else {
			report.Unsent = append(report.Unsent, l.op)
		}
	}
	if ln.lastErr != nil {
		report.Ledger = ln.lastErr
	}
}
