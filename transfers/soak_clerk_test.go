package transfers_test

import (
	"context"
	"errors"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// question is an operation of which nobody has seen the answer. Asking again with the
// same packet must find out, and must not book it twice.
type question struct {
	op     transfers.Op
	raced  bool // with the opposite: that this lost is a fair answer
	unheld bool // the packet's prepare may never have come, or is still on its way
	booked bool // it must be in the books already: the journal was given it
}

// clerk asks the questions of all workers through a recorder of its own, until it knows.
// It does so while the storm goes on, since a list of them all would grow for ever.
type clerk struct {
	*soak
	model   *model
	asked   counts
	pending []question
}

// clerkBatch is how many questions the clerk asks at once.
const clerkBatch = 2000

// run answers questions until there will be no more.
func (c *clerk) run(ctx context.Context) {
	open := true
	for open || len(c.pending) > 0 {
		open = c.collect(open)
		ops := make([]transfers.Op, len(c.pending))
		for i, q := range c.pending {
			ops[i] = q.op
		}
		results, _ := c.asking.Load().RecordAll(ctx, ops...) // each result has its error
		left := c.pending[:0:0]
		for i, q := range c.pending {
			next, again := c.answer(q, &results[i])
			if again {
				left = append(left, next)
			}
		}
		c.pending = left
		if ctx.Err() != nil {
			c.fail("the clerk had %d questions left: %v", len(left), context.Cause(ctx))
			return
		}
	}
}

// collect takes the questions that are there, and waits for one if it has none. It
// returns false if no more will come.
func (c *clerk) collect(open bool) bool {
	for open && len(c.pending) < clerkBatch {
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

// answer books what an answer says. again says that there is something else to ask.
func (c *clerk) answer(q question, r *transfers.Result) (next question, again bool) {
	name := q.op.Kind.String()
	switch class := c.classify(r); class {
	case unknown, notRecorded:
		c.asked[name+" asked more than once"]++
		return q, true
	case done, late:
		c.asked[name+" done"]++
	case lapsed:
		c.asked[name+" done, hold over"]++
		return q, false
	case refused:
		c.asked[name+" refused"]++
		c.judge(q, r)
		return q, false
	}
	if q.booked && r.Outcome != ledger.OutcomeAlreadyApplied {
		c.fail("fulfill of packet %v was in the journal, and is not in the books: %v", r.Packet.ID, r.Outcome)
	}
	switch q.op.Kind {
	case transfers.KindPrepare: // as if the caller had it in the first place
		return question{op: transfers.FulfillOp(r.Packet)}, true
	case transfers.KindFulfill, transfers.KindForward:
		c.acknowledge(c.model, r)
	case transfers.KindReject:
	}
	return q, false
}

// judge fails the soak if a refusal is not a fair answer.
func (c *clerk) judge(q question, r *transfers.Result) {
	switch {
	case q.op.Kind == transfers.KindPrepare:
	case q.raced && errors.Is(r.Err, transfers.ErrPacketConflict):
	case q.unheld && errors.Is(r.Err, transfers.ErrUnknownPacket):
	default:
		c.fail("asked again: %v", r.Err)
	}
}

// acknowledge books a fulfill or a forward that is in the ledger. What a late one took from
// its sender is in the ledger only: the collector looks it up.
func (s *soak) acknowledge(m *model, r *transfers.Result) {
	if r.Late {
		select {
		case s.lates <- r.Packet:
		case <-s.life.Done():
		}
		return
	}
	m.book(&r.Packet)
}

// collector looks up what the senders of late packets were charged, and books them.
type collector struct {
	*soak
	model   *model
	whole   int // charged all of it
	part    int // charged less than all
	none    int // booked without the sender
	ourself int // from ourselves, so nobody is charged
}

const (
	legOfSender   = 15 // charges the sender of a correction
	phaseLate     = 4
	phaseNoSender = 5
)

func transferOf(packet ledger.ID, leg, phase uint64) ledger.ID {
	packet.Lo |= leg<<4 | phase
	return packet
}

// run books late packets until there will be no more.
func (c *collector) run(ctx context.Context) {
	for p := range c.lates {
		packets := []transfers.Packet{p}
		for len(c.lates) > 0 && len(packets) < clerkBatch {
			packets = append(packets, <-c.lates)
		}
		rows := c.lookup(ctx, packets)
		if rows == nil {
			return
		}
		for i := range packets {
			c.settleOne(&packets[i], rows)
		}
	}
}

// lookup reads the transfers that tell how packets were booked; nil if ctx has ended.
func (c *collector) lookup(ctx context.Context, packets []transfers.Packet) map[ledger.ID]ledger.Transfer {
	var ids []ledger.ID
	for i := range packets {
		id := packets[i].ID
		first := c.first(&packets[i])
		ids = append(ids, transferOf(id, legOfSender, phaseLate), transferOf(id, first, phaseLate), transferOf(id, first, phaseNoSender))
	}
	found := make(map[ledger.ID]ledger.Transfer, len(ids))
	const most = 500 // a request must be answered between two faults
	for len(ids) > 0 {
		n := min(most, len(ids))
		rows, err := c.clean.LookupTransfers(ctx, ids[:n])
		switch {
		case ctx.Err() != nil:
			c.fail("the collector did not finish: %v", err)
			return nil
		case err == nil:
			for _, row := range rows {
				found[row.ID] = row
			}
			ids = ids[n:]
		default:
			pass(ctx, stallLeast)
		}
	}
	return found
}

// first is the number of a packet's first leg.
func (c *collector) first(p *transfers.Packet) uint64 {
	all, _ := c.model.movements(p)
	return all[0].leg
}

// settleOne books one late packet.
func (c *collector) settleOne(p *transfers.Packet, rows map[ledger.ID]ledger.Transfer) {
	first := c.first(p)
	sender, charged := rows[transferOf(p.ID, legOfSender, phaseLate)]
	_, booked := rows[transferOf(p.ID, first, phaseLate)]
	_, without := rows[transferOf(p.ID, first, phaseNoSender)]
	if booked == without || charged != (booked && !p.From.IsOwn()) {
		c.fail("packet %v is late: with the sender %v, without %v, charged %v", p.ID, booked, without, charged)
		return
	}
	_, owed := c.model.movements(p)
	collected, _ := sender.Amount.Uint64()
	switch {
	case p.From.IsOwn():
		c.ourself++
	case without:
		c.none++
	case collected < owed:
		c.part++
	default:
		c.whole++
	}
	c.model.bookLate(p, collected)
}
