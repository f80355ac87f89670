package transfers

import (
	"sync"

	"github.com/peerledger/peerledger/internal/requestlimit"
	"github.com/peerledger/peerledger/ledger"
)

// batchBuilder builds the batches of a lane. The sender takes batches; the publisher
// prebuilds the next batch while the sender is at the ledger, and gives published batches
// back.
type batchBuilder struct {
	laneNumber int
	inbox      *inbox

	mu            sync.Mutex // inbox.mu may be taken while mu is held
	queue         laneQueue
	transferLimit int      // transfers in a request; only the sender changes it
	prebuilt      *batch   // goes next; nil if there is none
	reusable      []*batch // published batches
}

func newBatchBuilder(laneNumber int, in *inbox) *batchBuilder {
	return &batchBuilder{laneNumber: laneNumber, inbox: in, queue: newLaneQueue(), transferLimit: ledger.BatchMax}
}

// hasWork reports whether an operation or a flush mark waits.
func (bb *batchBuilder) hasWork() bool {
	bb.mu.Lock()
	defer bb.mu.Unlock()
	return bb.prebuilt != nil || !bb.queue.isEmpty() || !bb.inbox.isEmpty()
}

// awaitBatch waits for the next batch; nil if the lane is closed and empty. Only the sender
// may call it.
func (bb *batchBuilder) awaitBatch() *batch {
	for {
		b, closed := bb.tryNextBatch()
		if b != nil || closed {
			return b
		}
		<-bb.inbox.wake
	}
}

// tryNextBatch returns the next batch, nil if nothing waits. No batch follows a nil of a
// closed lane.
func (bb *batchBuilder) tryNextBatch() (b *batch, closed bool) {
	bb.mu.Lock()
	defer bb.mu.Unlock()
	if b = bb.prebuilt; b != nil {
		bb.prebuilt = nil
		return b, false
	}
	added, closed := bb.inbox.takeArrivalsOrIdle(!bb.queue.isEmpty())
	bb.queue.addArrivals(added, bb.transferLimit)
	if bb.queue.isEmpty() {
		return nil, closed
	}
	return bb.buildBatch(), false
}

// prebuildBatch builds the next batch if a full one waits. A batch that is not full would
// miss the operations that arrive before it can be sent.
func (bb *batchBuilder) prebuildBatch() {
	bb.mu.Lock()
	defer bb.mu.Unlock()
	if bb.prebuilt != nil {
		return
	}
	bb.queue.addArrivals(bb.inbox.takeArrivals(), bb.transferLimit)
	if bb.queue.transferCount() >= bb.transferLimit {
		bb.prebuilt = bb.buildBatch()
	}
}

// buildBatch moves as many operations as one request takes from the queue into a batch. A
// chain is never cut. A batch has at most one fulfill or reject of a packet: one that must
// be resent, because its ids are burnt, must not find that a later one on its packet was
// applied first. REQUIRES: mu is held, the queue is not empty.
func (bb *batchBuilder) buildBatch() *batch {
	b := bb.takeReusable()
	for o := bb.queue.peekNext(); o != nil; o = bb.queue.peekNext() {
		if o.isFlushMark() {
			b.flushMarks = append(b.flushMarks, bb.queue.popNext())
			continue
		}
		if len(b.transfers)+o.transferCount() > bb.transferLimit && len(b.remaining) > 0 {
			break
		}
		if !o.kind.beginsPacket() {
			resolved := len(b.resolvedPackets)
			b.resolvedPackets[o.packet.ID] = struct{}{}
			if isRepeated := len(b.resolvedPackets) == resolved; isRepeated {
				break
			}
		}
		b.addOperation(bb.queue.popNext())
	}
	b.report = Batch{Lane: bb.laneNumber, Operations: len(b.remaining), Queued: bb.queue.operationCount()}
	return b
}

func (bb *batchBuilder) takeReusable() *batch {
	n := len(bb.reusable)
	if n == 0 {
		return newBatch()
	}
	b := bb.reusable[n-1]
	bb.reusable = bb.reusable[:n-1]
	b.resetBatch()
	return b
}

// reuseBatch keeps a published batch for a later buildBatch.
func (bb *batchBuilder) reuseBatch(b *batch) {
	bb.mu.Lock()
	defer bb.mu.Unlock()
	bb.reusable = append(bb.reusable, b)
}

// lowerTransferLimit lowers the limit for good after the ledger found a request of so many
// transfers too large.
func (bb *batchBuilder) lowerTransferLimit(refusedTransfers int) {
	bb.mu.Lock()
	defer bb.mu.Unlock()
	limit := requestlimit.NewCreates(bb.transferLimit)
	limit.Lower(refusedTransfers)
	bb.transferLimit = limit.Max()
}
