package transfers

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// batch is a set of operations that go to the ledger together. It has one owner at a time,
// and needs no lock: the batchBuilder fills it, the sender resolves it, the publisher
// publishes it and gives it back to the builder.
type batch struct {
	remaining  []*operation // without an answer, in the order of the request
	answered   []*operation // answered or given up, not published yet
	flushMarks []*operation
	report     Batch
	traceCtx   context.Context   // of the tracer's start; nil: not followed
	followed   []context.Context // of the operations that are followed

	// Of the builder.
	resolvedPackets map[ledger.ID]struct{} // packets with a fulfill or reject in the batch
	firstArrival    time.Duration          // the smallest operation.arrivedAt
	earliestExpiry  time.Time              // the earliest Expiry of its prepares; zero if no prepare has one

	// Of the request.
	transfers         []ledger.Transfer
	fullyEncoded      bool      // transfers has the transfers of all remaining operations
	needsVerification bool      // some packet in remaining may differ from its prepare
	hasCorrections    bool      // some operation in remaining is a correction
	sentAt            time.Time // when the current request was sent first
	unknownSince      time.Time // the sentAt of the oldest operation with sent set
	resending         int       // operations of a request of unknown outcome, sent again unchanged

	// Buffers of the publisher.
	touchedPeers     peerSet
	senders          peerSet
	resolvedFulfills []resolvedFulfill
}

func newBatch() *batch {
	b := &batch{resolvedPackets: make(map[ledger.ID]struct{}), touchedPeers: newPeerSet(), senders: newPeerSet()}
	b.resetBatch()
	return b
}

// resetBatch empties a batch and keeps its memory.
func (b *batch) resetBatch() {
	clear(b.resolvedPackets)
	b.remaining, b.answered, b.flushMarks, b.transfers = b.remaining[:0], b.answered[:0], b.flushMarks[:0], b.transfers[:0]
	b.fullyEncoded, b.hasCorrections, b.needsVerification, b.resending = true, false, false, 0
	b.earliestExpiry, b.firstArrival = time.Time{}, math.MaxInt64
	b.traceCtx = nil
	clear(b.followed)
	b.followed = b.followed[:0]
}

// addOperation adds an operation and its transfers.
func (b *batch) addOperation(o *operation) {
	b.remaining = append(b.remaining, o)
	b.firstArrival = min(b.firstArrival, o.arrivedAt)
	b.transfers = o.appendTransfers(b.transfers)
	b.needsVerification = b.needsVerification || !o.isVerified()
	if o.followed != nil {
		b.followed = append(b.followed, o.followed.ctx)
	}
	if e := o.packet.Expiry; o.kind == KindPrepare && !e.IsZero() && (b.earliestExpiry.IsZero() || e.Before(b.earliestExpiry)) {
		b.earliestExpiry = e
	}
}

// dropExpired refuses the prepares whose packets expired before they were sent. A prepare
// that was sent once may be in the books, also if the ledger never got a later request with
// it: it is sent again.
func (b *batch) dropExpired(now time.Time) {
	if b.earliestExpiry.IsZero() || now.Before(b.earliestExpiry) {
		return
	}
	kept := b.remaining[:0]
	for _, o := range b.remaining {
		if e := o.packet.Expiry; o.kind != KindPrepare || o.sent || o.voiding || e.IsZero() || now.Before(e) {
			kept = append(kept, o)
			continue
		}
		o.refuseUnsent(fmt.Errorf("%w: it expired while it waited to be sent", ErrHoldTooShort))
		b.answered = append(b.answered, o)
	}
	b.remaining, b.fullyEncoded = kept, false
}

// prepareRequest makes transfers a request of at most limit transfers, and returns how many
// operations the request has.
func (b *batch) prepareRequest(limit int) int {
	wasEncoded := b.fullyEncoded
	b.fullyEncoded = false
	if wasEncoded {
		return len(b.remaining)
	}
	return b.encodeRequest(limit)
}

// encodeRequest encodes as many of the remaining operations as fit, at least one. A resent
// operation may need more transfers than it was added with.
func (b *batch) encodeRequest(limit int) (n int) {
	b.transfers = b.transfers[:0]
	for _, o := range b.remaining {
		if len(b.transfers)+o.transferCount() > limit && n > 0 {
			break
		}
		b.transfers = o.appendTransfers(b.transfers)
		n++
	}
	return n
}

// markUnknown notes that the ledger may have executed the first n operations. The same
// request is sent again.
func (b *batch) markUnknown(n int) {
	if !slices.ContainsFunc(b.remaining, func(o *operation) bool { return o.sent }) {
		b.unknownSince = b.sentAt
	}
	for _, o := range b.remaining[:n] {
		o.sent = true
	}
	b.resending = n
}

// applyResults handles the ledger's results of the first n operations, and returns the
// operations that are answered now. Those that must be resent stay in front of the others,
// in their order.
func (b *batch) applyResults(n int, results []ledger.CreateTransferResult, now time.Time) []*operation {
	resent, sinceSent, wereAnswered := b.remaining[:0], elapsedBetween(b.sentAt, now), len(b.answered)
	for _, o := range b.remaining[:n] {
		waited, size := sinceSent, o.transferCount()
		if o.sent {
			waited = elapsedBetween(b.unknownSince, now)
		}
		if o.handleResults(results[:size], waited) {
			resent = append(resent, o)
			b.hasCorrections = b.hasCorrections || o.isCorrection()
		} else {
			b.answered = append(b.answered, o)
		}
		results = results[size:]
	}
	b.remaining = append(resent, b.remaining[n:]...)
	return b.answered[wereAnswered:]
}

// elapsedBetween returns the longer of the times that the monotonic clock and the wall clock
// show between two readings. The monotonic clock of a virtual machine stops while the machine
// is suspended, and the ledger's clock does not; the wall clock may be set back.
func elapsedBetween(from, to time.Time) time.Duration {
	return max(to.Sub(from), to.Round(0).Sub(from.Round(0)))
}

// endUnanswered ends the first n operations without an answer.
func (b *batch) endUnanswered(n int, cause error, recorderClosed bool) {
	for _, o := range b.remaining[:n] {
		o.endUnanswered(cause, recorderClosed)
	}
	b.answered = append(b.answered, b.remaining[:n]...)
	b.remaining = append(b.remaining[:0], b.remaining[n:]...)
}
