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

	kind        Kind  // 0: nothing but a mark, see lane.addFlushMark
	phase       phase // that it is to be sent under
	legCount    uint8 // of legs
	generatedID bool  // the packet's id was drawn here: nobody else has it
	sent        bool  // a request with it was handed over and not answered
	voiding     bool  // a prepare for nobody: what it holds is being voided
	unanswered  bool  // given up without an answer, or not given back: it may be in the books
	replayed    bool  // an earlier recorder left it in the journal
	journalPos  wal.Position
	arrivedAt   time.Duration // when it came to its lane, at the latest: see lane.addOperation

	packet             Packet
	fromAsset, toAsset *assetInfo // of the packet
}

// appendLegs appends the packet's legs, which fill has found good.
func (o *operation) appendLegs(dst []leg) []leg {
	dst, _ = appendLegs(dst, &o.packet, o.fromAsset, o.toAsset)
	return dst
}

// isFlushMark reports whether the operation is only a mark; see [lane.addFlushMark].
func (o *operation) isFlushMark() bool { return o.kind == 0 }

// sendKind is the kind of what is to be sent next.
func (o *operation) sendKind() Kind {
	if o.voiding {
		return KindReject
	}
	return o.kind
}

// transferCount is how many transfers it sends.
func (o *operation) transferCount() int {
	if o.chargesSender() {
		return int(o.legCount) + 1
	}
	return int(o.legCount)
}

// legNumber is the leg that a position in the chain stands for.
func (o *operation) legNumber(position int) uint8 {
	legs := o.appendLegs(nil)
	if position >= len(legs) {
		return legCollect
	}
	return legs[max(position, 0)].number // -1 if no answer says which one it was
}

// toOp is what its caller has asked for.
func (o *operation) toOp() Op { return Op{Kind: o.kind, Packet: o.packet} }

// toResult is its answer, as a Ticket gives it.
func (o *operation) toResult() Result { return o.slot.buildResult(o.kind, o.packet) }

// refuseUnsent answers an operation that was not sent.
func (o *operation) refuseUnsent(err error) {
	o.slot.outcome, o.slot.err = ledger.OutcomeRefused, wrapError(o.kind, o.packet.ID, err)
	o.slot.markAnswered()
}
