package transfers

import (
	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
)

// operation is what a lane has to do. It belongs to its lane, which uses it again
// when it is done: nobody else keeps a pointer to it.
type operation struct {
	next *operation // in the lane's queue, or among those to be used again
	slot *slot      // where the answer goes

	kind   Kind // 0: nothing but a mark, see lane.mark
	packet Packet
	legs   [maxLegs]leg
	count  int // of legs

	phase    phase // that it is to be sent under
	drawn    bool  // the packet's id was drawn here: nobody else has it
	handed   bool  // a request with it was handed over and not answered
	giveBack bool  // a prepare for nobody: what it holds is being voided
	lost     bool  // given up without an answer
	replayed bool  // an earlier recorder left it in the journal
	entry    wal.Position
}

// actual is the kind of what is to be sent next.
func (o *operation) actual() Kind {
	if o.giveBack {
		return KindReject
	}
	return o.kind
}

// corrects reports whether it is sent as a correction of what came too late.
func (o *operation) corrects() bool {
	return o.phase == phaseCorrection || o.phase == phaseWithoutSender
}

// collects reports whether a correction collects from the sender what it has put
// into suspense. We do not collect from ourselves.
func (o *operation) collects() bool { return o.phase == phaseCorrection && !o.packet.From.Own() }

// size is how many transfers it sends.
func (o *operation) size() int {
	if o.collects() {
		return o.count + 1
	}
	return o.count
}

// number is the leg that a position in the chain stands for.
func (o *operation) number(position int) uint8 {
	if position >= o.count {
		return legCollect
	}
	return o.legs[max(position, 0)].number // -1 if no answer says which one it was
}

// op is what its caller has asked for.
func (o *operation) op() Op { return Op{Kind: o.kind, Packet: o.packet} }

// result is its answer, as a Ticket gives it.
func (o *operation) result() Result { return o.slot.result(o.kind, o.packet) }

// refuse answers an operation that was not sent.
func (o *operation) refuse(err error) {
	o.slot.outcome, o.slot.err = ledger.OutcomeRefused, wrap(o.kind, o.packet.ID, err)
	o.slot.answer()
}

// queue is operations in order.
type queue struct {
	head, tail *operation
	operations int
	transfers  int // that they send
}

func (q *queue) push(o *operation) {
	o.next = nil
	if q.tail == nil {
		q.head = o
	} else {
		q.tail.next = o
	}
	q.tail = o
	q.operations++
	q.transfers += o.size()
}

// pop takes the first one; there must be one.
func (q *queue) pop() *operation {
	o := q.head
	if q.head = o.next; q.head == nil {
		q.tail = nil
	}
	q.operations--
	q.transfers -= o.size()
	o.next = nil
	return o
}

func (q *queue) empty() bool { return q.head == nil }
