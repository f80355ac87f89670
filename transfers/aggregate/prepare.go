package aggregate

import (
	"fmt"
	"math"
	"time"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// waitingPacket is a prepare that waits for a look-up or a top-up.
type waitingPacket struct {
	packet           transfers.Packet
	index            uint32 // of the heldPacket
	sender, receiver *peer
	queue            []*queued // operations behind the prepare; the first is its caller's
	tries            int       // top-ups asked for
}

// queued is an operation that waits for the decision about a prepare.
type queued struct {
	op    transfers.Op
	token any
}

// prepare decides a new packet, or lets it wait for a look-up or a top-up.
func (m *machine) prepare(e *memoryEntry, op *transfers.Op, sender, receiver *peer, seal uint64) (r reply, later *queued) {
	left := time.Duration(op.Packet.Expiry.UnixNano() - m.clock)
	if e != nil {
		op.Packet.Hold = max(left, 0) + m.rules.margin
		return m.acceptAgain(), nil
	}
	charge, err := m.checkPrepare(op, sender, receiver, left)
	if err != nil {
		return refuse(op, err), nil
	}
	op.Packet.Hold = left + m.rules.margin
	sender.activeAt, receiver.activeAt = m.mono, m.mono
	k := heldPacket{
		id: op.Packet.ID, charge: charge, end: m.endOf(&op.Packet), until: m.mono + op.Packet.Hold + m.rules.outage + 1<<bucketShift,
		sender: sender.index, receiver: receiver.index,
	}
	isFree, err := m.decide(&op.Packet, &k, sender, receiver, len(sender.waiting) > 0)
	if err != nil {
		return refuse(op, err), nil
	}
	if isFree {
		sender.held += charge
		m.holdLimits(m.remember(&k, seal), &op.Packet, sender, receiver)
		return accept(0, ledger.OutcomeApplied), nil
	}
	k.waiting = true
	w := &waitingPacket{packet: op.Packet, index: m.remember(&k, seal), sender: sender, receiver: receiver}
	m.waiting[w.index] = w
	later = &queued{op: *op}
	w.queue = append(w.queue, later)
	m.waitFor(w)
	return reply{}, later
}

// checkPrepare finds the faults of a new packet that need no accounts, and returns what it charges
// to the sender. left is the time to its expiry by the highest wall clock: a hold must end after
// the horizon's clock has passed it.
func (m *machine) checkPrepare(op *transfers.Op, sender, receiver *peer, left time.Duration) (charge uint64, err error) {
	if m.closing {
		return 0, transfers.ErrRecorderClosed
	}
	flows, err := flowsOf(&op.Packet, sender.asset.allowLoss)
	if err == nil {
		err = m.checkPacketLimits(&op.Packet, sender, receiver)
	}
	switch {
	case err != nil:
		return 0, err
	case op.Packet.Hold < 0 || op.Packet.Hold > math.MaxUint32*time.Second:
		return 0, &transfers.PacketError{Kind: transfers.KindPrepare, ID: op.Packet.ID, Field: "Hold", Reason: "must be up to 2^32-1 seconds"}
	case left < m.rules.minHold:
		return 0, fmt.Errorf("%w: %v until %v, want %v", transfers.ErrHoldTooShort, left, op.Packet.Expiry, m.rules.minHold)
	case left > m.rules.maxHold:
		return 0, &transfers.PacketError{Kind: transfers.KindPrepare, ID: op.Packet.ID, Field: "Expiry", Reason: fmt.Sprintf("must be within Config.MaxHold, %v", m.rules.maxHold)}
	}
	return flows.charge, nil
}

// remember adds a held packet to the memory.
func (m *machine) remember(k *heldPacket, seal uint64) uint32 {
	i := m.held.add(*k)
	e := m.memory.insert(k.id, m.forgetBefore())
	e.seal = seal
	e.setHeld(i)
	return i
}

// decide reports whether the sender's reservations cover a packet (isFree), refuses it (err), or
// lets it wait. isBehind: prepares of the sender wait before it.
func (m *machine) decide(packet *transfers.Packet, k *heldPacket, sender, receiver *peer, isBehind bool) (isFree bool, err error) {
	for _, p := range [...]*peer{sender, receiver} {
		if p.known && p.refusal != nil {
			return false, p.refusal
		}
	}
	if sender.known && sender.debtor && !m.rules.allowArrears {
		return false, transfers.ErrInArrears
	}
	if !sender.known || !receiver.known {
		return false, nil
	}
	if err := m.checkLimits(packet, k, sender, receiver); err != nil {
		return false, err
	}
	return !isBehind && (k.charge == 0 || k.charge <= sender.free(k.until)), nil
}

// waitsAt returns the peer at which a prepare waits: the sender, or the receiver of a packet from
// ourselves.
func (w *waitingPacket) waitsAt() *peer {
	if w.sender.isOwn {
		return w.receiver
	}
	return w.sender
}

// waitFor lets a prepare wait.
func (m *machine) waitFor(w *waitingPacket) {
	p := w.waitsAt()
	p.waiting = append(p.waiting, w)
	m.want(p)
	m.wantUnknown(w)
}

// wantUnknown asks for a look-up of the peers that the ledger has not answered about.
func (m *machine) wantUnknown(w *waitingPacket) {
	for _, p := range [...]*peer{w.sender, w.receiver} {
		if !p.known {
			m.want(p)
		}
	}
}

// want asks for a look-up of the peer.
func (m *machine) want(p *peer) {
	if !p.wanted && !p.isOwn {
		p.wanted = true
		m.wants = append(m.wants, p)
	}
}

// settleWaiting decides the prepares that wait at a peer, in order, after a look-up or a top-up.
// isFinal refuses those that the peer's headroom does not cover.
func (m *machine) settleWaiting(p *peer, isFinal bool) {
	for len(p.waiting) > 0 {
		w := p.waiting[0]
		isFree, err := false, error(transfers.ErrHoldTooShort)
		if m.clock < w.packet.Expiry.UnixNano() {
			isFree, err = m.decide(&w.packet, m.held.at(w.index), w.sender, w.receiver, false)
		}
		switch {
		case isFree:
			m.acceptWaiting(w)
		case err != nil:
			m.refuseWaiting(w, err)
		case !isFinal:
			return
		case !w.sender.known || !w.receiver.known:
			m.wantUnknown(w)
			m.want(p) // once more, behind the other peer
			return
		default:
			m.refuseWaiting(w, transfers.ErrCreditLine)
		}
	}
}

// acceptWaiting accepts the first prepare that waits at its peer.
func (m *machine) acceptWaiting(w *waitingPacket) {
	k := m.held.at(w.index)
	k.waiting = false
	w.sender.held += k.charge
	m.holdLimits(w.index, &w.packet, w.sender, w.receiver)
	m.endWaiting(w)
	m.answerQueue(w, nil)
}

// refuseWaiting refuses a waiting prepare.
func (m *machine) refuseWaiting(w *waitingPacket, err error) {
	m.endWaiting(w)
	m.memory.remove(w.packet.ID)
	m.held.remove(w.index)
	m.answerQueue(w, err)
}

// endWaiting takes a prepare out of those that wait.
func (m *machine) endWaiting(w *waitingPacket) {
	delete(m.waiting, w.index)
	p := w.waitsAt()
	for i := range p.waiting {
		if p.waiting[i] == w {
			p.waiting = append(p.waiting[:i:i], p.waiting[i+1:]...)
			return
		}
	}
}

// refuseExpired refuses the prepares that have waited until their packets expired.
func (m *machine) refuseExpired() {
	for _, w := range m.waiting {
		if m.clock >= w.packet.Expiry.UnixNano() {
			m.refuseWaiting(w, transfers.ErrHoldTooShort)
		}
	}
}

// refuseAllWaiting refuses all prepares that wait.
func (m *machine) refuseAllWaiting(err error) {
	for _, p := range m.peers {
		for len(p.waiting) > 0 {
			m.refuseWaiting(p.waiting[0], err)
		}
	}
}

// answerQueue answers the operations behind a decided prepare, in order.
func (m *machine) answerQueue(w *waitingPacket, err error) {
	for i, q := range w.queue {
		var r reply
		switch {
		case err != nil && q.op.Kind == transfers.KindPrepare:
			r = refuse(&q.op, err)
		case i == 0:
			r = accept(0, ledger.OutcomeApplied)
		default:
			var later *queued
			if r, later = m.submit(moment{m.wall, m.mono}, &q.op); later != nil {
				later.token = q.token
				continue
			}
		}
		m.decided = append(m.decided, decision{q.token, &q.op, r})
	}
}
