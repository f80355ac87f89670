package transfers_test

import (
	"context"
	"errors"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// question is an operation whose answer no caller has seen. Recording the same packet again
// must give the answer, and must not book the packet twice.
type question struct {
	op           transfers.Op
	isRaced      bool // recorded at once with the opposite: a conflict is expected
	maybeUnheld  bool // the packet's prepare may be lost or on its way
	mustBeBooked bool // the journal had it, so it must be in the books
}

// retrier records the questions of all workers again, through its own recorder, until each is
// answered. It works during the storm: a list of all questions would grow without bound.
type retrier struct {
	*soak
	model   *model
	counts  counts
	pending []question
}

// retryBatch is how many questions the retrier records at once.
const retryBatch = 2000

// answerQuestions answers questions until their channel is closed.
func (c *retrier) answerQuestions(ctx context.Context) {
	open := true
	for open || len(c.pending) > 0 {
		open = c.takeQuestions(open)
		ops := make([]transfers.Op, len(c.pending))
		for i, q := range c.pending {
			ops[i] = q.op
		}
		results, _ := c.retryRecorder.Load().RecordAll(ctx, ops...) // each result has its error
		left := c.pending[:0:0]
		for i, q := range c.pending {
			next, mustAsk := c.handleResult(q, &results[i])
			if mustAsk {
				left = append(left, next)
			}
		}
		c.pending = left
		if ctx.Err() != nil {
			c.failf("the retrier had %d questions left: %v", len(left), context.Cause(ctx))
			return
		}
	}
}

// takeQuestions takes the waiting questions, and waits for a question if no question is pending.
// After the channel is closed the result is false.
func (c *retrier) takeQuestions(open bool) bool {
	for open && len(c.pending) < retryBatch {
		if len(c.pending) == 0 {
			q, ok := <-c.questions
			if !ok {
				return false
			}
			c.pending = append(c.pending, q)
		}
		select {
		case q, ok := <-c.questions:
			if !ok {
				return false
			}
			c.pending = append(c.pending, q)
		default:
			return true
		}
	}
	return open
}

// handleResult books an answer in the model. mustAsk is true if next is to be recorded.
func (c *retrier) handleResult(q question, r *transfers.Result) (next question, mustAsk bool) {
	name := q.op.Kind.String()
	switch class := c.classifyResult(r); class {
	case unknown, notRecorded:
		c.counts[name+" asked more than once"]++
		return q, true
	case done, late:
		c.counts[name+" done"]++
	case holdOver:
		c.counts[name+" done, hold over"]++
		return q, false
	case refused:
		c.counts[name+" refused"]++
		c.checkRefusal(q, r)
		return q, false
	}
	if q.mustBeBooked && r.Outcome != ledger.OutcomeAlreadyApplied {
		c.failf("fulfill of packet %v was in the journal, and is not in the books: %v", r.Packet.ID, r.Outcome)
	}
	switch q.op.Kind {
	case transfers.KindPrepare: // as if the caller had it in the first place
		return question{op: transfers.FulfillOp(r.Packet)}, true
	case transfers.KindFulfill, transfers.KindForward:
		c.bookAcknowledged(c.model, r)
	case transfers.KindReject:
	}
	return q, false
}

// checkRefusal fails the soak if the ledger had no reason for a refusal.
func (c *retrier) checkRefusal(q question, r *transfers.Result) {
	switch {
	case q.op.Kind == transfers.KindPrepare:
	case q.isRaced && errors.Is(r.Err, transfers.ErrPacketConflict):
	case q.maybeUnheld && errors.Is(r.Err, transfers.ErrUnknownPacket):
	default:
		c.failf("asked again: %v", r.Err)
	}
}

// bookAcknowledged books a fulfill or a forward that is in the ledger. Only the ledger knows
// the amount charged to the sender of a late packet: the lateReader looks it up.
func (s *soak) bookAcknowledged(m *model, r *transfers.Result) {
	if r.Late {
		select {
		case s.latePackets <- r.Packet:
		case <-s.ctx.Done():
		}
		return
	}
	m.bookPacket(&r.Packet)
}

// lateReader looks up the amounts charged to the senders of late packets, and books them.
type lateReader struct {
	*soak
	model          *model
	chargedWhole   int // packets whose sender was charged the whole amount
	chargedPart    int // a part
	chargedNothing int // nothing
	fromOurselves  int // without a sender to charge
}

const (
	legOfSender   = 15 // charges the sender of a correction
	phaseLate     = 4
	phaseNoSender = 5
)

func legTransferID(packet ledger.ID, leg, phase uint64) ledger.ID {
	packet.Lo |= leg<<4 | phase
	return packet
}

// bookLatePackets books late packets until their channel is closed.
func (c *lateReader) bookLatePackets(ctx context.Context) {
	for p := range c.latePackets {
		packets := []transfers.Packet{p}
		for len(c.latePackets) > 0 && len(packets) < retryBatch {
			packets = append(packets, <-c.latePackets)
		}
		rows := c.lookupRows(ctx, packets)
		if rows == nil {
			return
		}
		for i := range packets {
			c.bookLatePacket(&packets[i], rows)
		}
	}
}

// lookupRows reads the transfers that corrections may have made; nil if ctx has ended.
func (c *lateReader) lookupRows(ctx context.Context, packets []transfers.Packet) map[ledger.ID]ledger.Transfer {
	var ids []ledger.ID
	for i := range packets {
		id := packets[i].ID
		first := c.firstLeg(&packets[i])
		ids = append(ids, legTransferID(id, legOfSender, phaseLate), legTransferID(id, first, phaseLate), legTransferID(id, first, phaseNoSender))
	}
	found := make(map[ledger.ID]ledger.Transfer, len(ids))
	const most = 500 // small enough to be answered between two faults
	for len(ids) > 0 {
		n := min(most, len(ids))
		rows, err := c.direct.LookupTransfers(ctx, ids[:n])
		switch {
		case ctx.Err() != nil:
			c.failf("the late reader did not finish: %v", err)
			return nil
		case err == nil:
			for _, row := range rows {
				found[row.ID] = row
			}
			ids = ids[n:]
		default:
			waitFor(ctx, minStall)
		}
	}
	return found
}

// firstLeg returns the number of a packet's first leg.
func (c *lateReader) firstLeg(p *transfers.Packet) uint64 {
	all, _ := c.model.movements(p)
	return all[0].leg
}

// bookLatePacket checks and books one late packet.
func (c *lateReader) bookLatePacket(p *transfers.Packet, rows map[ledger.ID]ledger.Transfer) {
	first := c.firstLeg(p)
	sender, charged := rows[legTransferID(p.ID, legOfSender, phaseLate)]
	_, booked := rows[legTransferID(p.ID, first, phaseLate)]
	_, without := rows[legTransferID(p.ID, first, phaseNoSender)]
	if booked == without || charged != (booked && !p.From.IsOwn()) {
		c.failf("packet %v is late: with the sender %v, without %v, charged %v", p.ID, booked, without, charged)
		return
	}
	_, owed := c.model.movements(p)
	collected, _ := sender.Amount.Uint64()
	switch {
	case p.From.IsOwn():
		c.fromOurselves++
	case without:
		c.chargedNothing++
	case collected < owed:
		c.chargedPart++
	default:
		c.chargedWhole++
	}
	c.model.bookLatePacket(p, collected)
}
