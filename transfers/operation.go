package transfers

import (
	"time"

	"github.com/peerledger/peerledger/internal/wal"
)

// operation is an [Op] on its way through a lane. The lane owns and reuses it: nothing else
// keeps a pointer to it. For each packet one core writes an operation and another core reads
// it, so it is small. Its legs are computed where they are used: with the legs in it (392
// bytes) a lane took 12 to 28 % more CPU time.
type operation struct {
	next *operation // in an operationList
	slot *resultSlot

	kind        Kind  // 0 is a flush mark
	phase       phase // of the transfers to send next
	legCount    uint8
	generatedID bool               // the recorder generated the packet's id: no other program knows it
	sent        bool               // in a request without an answer
	voiding     bool               // a prepare without a caller, whose hold is being voided
	unanswered  bool               // given up without an answer: it may be in the books, or its hold may remain
	replayed    bool               // an earlier recorder left it in the journal
	followed    *followedOperation // nil: no tracer follows the operation
	journalPos  wal.Position
	arrivedAt   time.Duration // in the lane's inbox, since inbox.created

	packet             Packet
	fromAsset, toAsset *assetInfo // of the packet
}

// appendLegs appends the packet's legs. initOperation has checked that they can be computed.
func (o *operation) appendLegs(dst []leg) []leg {
	dst, _ = appendLegs(dst, &o.packet, o.fromAsset, o.toAsset)
	return dst
}

// isFlushMark reports whether the operation is only a mark; see [lane.addFlushMark].
func (o *operation) isFlushMark() bool { return o.kind == 0 }

// sendKind returns the kind of the transfers to send next.
func (o *operation) sendKind() Kind {
	if o.voiding {
		return KindReject
	}
	return o.kind
}

// transferCount returns how many transfers the operation sends.
func (o *operation) transferCount() int {
	if o.chargesSender() {
		return int(o.legCount) + 1
	}
	return int(o.legCount)
}

// legNumber returns the number of the leg at a position in the chain. Position -1, of a
// refusal without a breaker, counts as the first.
func (o *operation) legNumber(position int) uint8 {
	legs := o.appendLegs(nil)
	if position >= len(legs) {
		return legCollect
	}
	return legs[max(position, 0)].number
}

// toOp returns the caller's request.
func (o *operation) toOp() Op { return Op{Kind: o.kind, Packet: o.packet} }

// toResult returns the answer as the caller gets it.
func (o *operation) toResult() Result { return o.slot.buildResult(o.kind, o.packet) }
