package transfers

import (
	"sync/atomic"

	"github.com/peerledger/peerledger/ledger"
)

// lane sends operations to the ledger, one request at a time. A batch is whatever queued
// up while the previous request was in flight.
//
// A batch is resolved completely, resends included, before the next batch is sent, and
// contains at most one fulfill or reject of a packet. So nothing overtakes an operation on
// its own packet. Operations on one packet keep their order. Between packets, operations on
// promised money go before prepares if more than one batch is waiting.
//
// An operation passes four parts, each in a file of its own:
//
//	inbox         callers add operations, under its own lock
//	batchBuilder  orders them and builds batches, under its own lock
//	sender        resolves one batch after the other; one goroutine
//	publisher     gives the results to events and callers; a second goroutine, so that the
//	              sender is at the ledger all the time
type lane struct {
	load      atomic.Int64 // operations without a published result
	inbox     *inbox
	builder   *batchBuilder
	sender    *sender
	publisher *publisher
}

func newLane(number int, l ledger.Ledger, r *Recorder) *lane {
	ln := &lane{inbox: newInbox()}
	ln.builder = newBatchBuilder(number, ln.inbox)
	ln.publisher = newPublisher(r, ln)
	ln.sender = newSender(l, r, ln)
	return ln
}

// addOperation adds a copy of an operation; false if the lane is closed.
func (ln *lane) addOperation(o *operation) bool {
	ln.load.Add(1)
	added := ln.inbox.addOperation(o)
	if !added {
		ln.load.Add(-1)
	}
	return added
}

// addFlushMark adds a mark: its slot is published after all operations added before the
// mark. false if the lane is closed.
func (ln *lane) addFlushMark(slot *resultSlot) bool {
	return ln.inbox.addOperation(&operation{slot: slot})
}
