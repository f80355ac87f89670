package transfers

import (
	"time"

	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
)

// operation is what a lane has to do. It belongs to its lane, which uses it again
// when it is done: nobody else keeps a pointer to it. It is written by one core and
// read by another for each packet, so it is small: its legs are worked out again.
type operation struct {
	next *operation  // in the lane's queue, or among those to be used again
	slot *resultSlot // where the answer goes

	kind     Kind  // 0: nothing but a mark, see lane.mark
	phase    phase // that it is to be sent under
	count    uint8 // of legs
	drawn    bool  // the packet's id was drawn here: nobody else has it
	handed   bool  // a request with it was handed over and not answered
	giveBack bool  // a prepare for nobody: what it holds is being voided
	lost     bool  // given up without an answer, or not given back: it may be in the books
	replayed bool  // an earlier recorder left it in the journal
	entry    wal.Position
	came     time.Duration // when it came to its lane, at the latest: see lane.push

	packet   Packet
	from, to *assetOf // of the packet
}

// appendLegs appends the packet's legs, which fill has found good.
func (o *operation) appendLegs(dst []leg) []leg {
	dst, _ = appendLegs(dst, &o.packet, o.from, o.to)
	return dst
}

// actual is the kind of what is to be sent next.
func (o *operation) actual() Kind {
	if o.giveBack {
		return KindReject
	}
	return o.kind
}

// size is how many transfers it sends.
func (o *operation) size() int {
	if o.collects() {
		return int(o.count) + 1
	}
	return int(o.count)
}

// number is the leg that a position in the chain stands for.
func (o *operation) number(position int) uint8 {
	legs := o.appendLegs(nil)
	if position >= len(legs) {
		return legCollect
	}
	return legs[max(position, 0)].number // -1 if no answer says which one it was
}

// op is what its caller has asked for.
func (o *operation) op() Op { return Op{Kind: o.kind, Packet: o.packet} }

// result is its answer, as a Ticket gives it.
func (o *operation) result() Result { return o.slot.buildResult(o.kind, o.packet) }

// refuse answers an operation that was not sent.
func (o *operation) refuse(err error) {
	o.slot.outcome, o.slot.err = ledger.OutcomeRefused, wrapError(o.kind, o.packet.ID, err)
	o.slot.markAnswered()
}

// list is operations in order.
type list struct{ head, tail *operation }

func (l *list) empty() bool { return l.head == nil }

func (l *list) push(o *operation) {
	o.next = nil
	if l.tail == nil {
		l.head = o
	} else {
		l.tail.next = o
	}
	l.tail = o
}

// pop takes the first one, nil if there is none.
func (l *list) pop() *operation {
	o := l.head
	if o == nil {
		return nil
	}
	if l.head = o.next; l.head == nil {
		l.tail = nil
	}
	o.next = nil
	return o
}

// join puts all of another list behind this one.
func (l *list) join(other list) {
	switch {
	case other.head == nil:
		return
	case l.tail == nil:
		l.head = other.head
	default:
		l.tail.next = other.head
	}
	l.tail = other.tail
}

// queue is a list that knows how long it is.
type queue struct {
	list
	operations int
	transfers  int // that they send
}

func (q *queue) push(o *operation) {
	q.list.push(o)
	q.operations++
	q.transfers += o.size()
}

// pop takes the first one; there must be one.
func (q *queue) pop() *operation {
	o := q.list.pop()
	q.operations--
	q.transfers -= o.size()
	return o
}

func (q *queue) join(other queue) {
	q.list.join(other.list)
	q.operations += other.operations
	q.transfers += other.transfers
}
