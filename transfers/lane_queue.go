package transfers

import "github.com/peerledger/peerledger/ledger"

// laneQueue orders the operations that wait for a batch. It belongs to a batchBuilder.
type laneQueue struct {
	priority operationQueue // goes before all of normal
	normal   operationQueue
	// deferredByPacket counts the operations in normal on each packet: a later operation
	// on one of these packets must not overtake them.
	deferredByPacket map[ledger.ID]int
}

func newLaneQueue() laneQueue { return laneQueue{deferredByPacket: make(map[ledger.ID]int)} }

func (q *laneQueue) isEmpty() bool       { return q.priority.isEmpty() && q.normal.isEmpty() }
func (q *laneQueue) operationCount() int { return q.priority.operations + q.normal.operations }
func (q *laneQueue) transferCount() int  { return q.priority.transfers + q.normal.transfers }

// addArrivals puts arrivals behind the waiting operations. If all fit into the next batch
// of at most transferLimit transfers, they keep their order.
func (q *laneQueue) addArrivals(added arrivals, transferLimit int) {
	switch {
	case !added.mixed && q.normal.isEmpty():
		q.priority.appendQueue(added.operationQueue) // no prepare is there to be overtaken
	case q.isEmpty() && added.transfers <= transferLimit:
		q.priority = added.operationQueue
	default:
		q.partitionArrivals(added.operationQueue)
	}
}

// partitionArrivals defers prepares, and operations on a packet with a deferred operation,
// behind all operations on promised money.
func (q *laneQueue) partitionArrivals(added operationQueue) {
	for !added.isEmpty() {
		o := added.popFront()
		switch id := o.packet.ID; {
		case o.isFlushMark() && !q.normal.isEmpty():
			q.normal.pushBack(o) // behind all operations that arrived before the mark
		case o.kind == KindPrepare, q.deferredByPacket[id] > 0:
			q.deferredByPacket[id]++
			q.normal.pushBack(o)
		default:
			q.priority.pushBack(o)
		}
	}
}

// peekNext returns the operation that goes next, nil if there is none.
func (q *laneQueue) peekNext() *operation {
	if !q.priority.isEmpty() {
		return q.priority.head
	}
	return q.normal.head
}

// popNext takes the operation that goes next. REQUIRES: the queue is not empty.
func (q *laneQueue) popNext() *operation {
	if !q.priority.isEmpty() {
		return q.priority.popFront()
	}
	o := q.normal.popFront()
	if o.isFlushMark() {
		return o
	}
	if n := q.deferredByPacket[o.packet.ID]; n > 1 {
		q.deferredByPacket[o.packet.ID] = n - 1
	} else {
		delete(q.deferredByPacket, o.packet.ID)
	}
	return o
}
