package aggregate

import (
	"github.com/peerledger/peerledger/internal/packetlog"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// fulfill books a packet. A packet without a hold, as after a restart, is booked by its own fields.
func (m *machine) fulfill(e *memoryEntry, op *transfers.Op, sender, receiver *peer, seal uint64, end int64) reply {
	flows, err := flowsOf(&op.Packet, sender.asset.allowLoss)
	if err != nil {
		return refuse(op, err)
	}
	late := false
	switch {
	case e == nil:
		e = m.memory.insert(op.Packet.ID, m.forgetBefore())
		e.seal = seal
		late = m.isLate(sender, &flows)
	case e.kind() == stateFulfilled:
		return m.acceptAgain()
	case e.kind() == stateRejected:
		return m.refuseConflict(op)
	case e.kind() == stateHeld:
		m.releaseHeld(e.open())
	default:
		late = m.isLate(sender, &flows)
	}
	e.setEnded(stateFulfilled, end)
	m.fulfillLimits(&op.Packet, sender, receiver)
	m.bookFulfill(&op.Packet, &flows, sender, receiver)
	r := accept(m.appendPacket(packetlog.KindFulfill, &op.Packet, m.fulfills, sender, receiver), ledger.OutcomeApplied)
	if r.late = late; late {
		m.noteLate(r.result(op))
	}
	return r
}

// isLate reports whether the sender's reservations do not cover a packet without a hold.
func (m *machine) isLate(sender *peer, f *packetFlows) bool {
	return !sender.isOwn && f.charge > sender.free(m.mono)
}

// releaseHeld ends the hold of a packet that is resolved.
func (m *machine) releaseHeld(i uint32) {
	k := m.held.at(i)
	m.peers[k.sender].held -= k.charge
	m.releaseLimits(i)
	m.held.remove(i)
}

// bookFulfill adds a fulfilled packet to the sums of the next round.
func (m *machine) bookFulfill(p *transfers.Packet, f *packetFlows, sender, receiver *peer) {
	m.fulfills++
	if !f.isEmpty() {
		m.sumPacket(p, f, sender, receiver, m.fulfills)
	}
}

// sumPacket adds a fulfilled packet to the last tally.
func (m *machine) sumPacket(p *transfers.Packet, f *packetFlows, sender, receiver *peer, number uint64) {
	m.summed = number
	m.lastTally().addPacket(sender, receiver, f, p.ID, number)
	if f.charge > 0 {
		m.noteUsed(sender, ledger.NewAmount(f.charge))
	}
}

// noteUsed counts what a sender's packets used, and cuts a round before its reservations are used
// up.
func (m *machine) noteUsed(s *peer, amount ledger.Amount) {
	s.used, _ = s.used.Add(amount)
	used, fits := s.used.Uint64()
	reserved := s.reservedInAll()
	if !fits || used > reserved/2 {
		m.cutNow = true
	}
	if !fits || used > reserved {
		m.want(s) // the headroom may cover it
	}
}

// lastTally returns the tally that grows, a new one if a round is full.
func (m *machine) lastTally() *tally {
	last := len(m.tallies) - 1
	if last < 0 || m.tallies[last].legs+mostLegsAdded > m.rules.maxLegs {
		m.tallies = append(m.tallies, m.newTally())
		last++
	}
	return m.tallies[last]
}

func (m *machine) newTally() *tally {
	m.serial++
	return &tally{serial: m.serial, begunAt: m.wall}
}

// reject ends a hold. A reject of an unknown packet is noted too: its prepare may have been
// forgotten in a restart.
func (m *machine) reject(e *memoryEntry, op *transfers.Op, sender, receiver *peer, seal uint64, end int64) reply {
	switch {
	case e == nil:
		if _, err := flowsOf(&op.Packet, sender.asset.allowLoss); err != nil {
			return refuse(op, err)
		}
		e = m.memory.insert(op.Packet.ID, m.forgetBefore())
		e.seal = seal
	case e.kind() == stateRejected:
		return m.acceptAgain()
	case e.kind() == stateFulfilled:
		return m.refuseConflict(op)
	case e.kind() == stateHeld:
		m.releaseHeld(e.open())
	}
	e.setEnded(stateRejected, end)
	return accept(m.appendPacket(packetlog.KindReject, &op.Packet, 0, sender, receiver), ledger.OutcomeApplied)
}
