package aggregate

import (
	"container/heap"
	"time"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// packetState is the state of a remembered packet.
type packetState uint8

const (
	stateWaiting   packetState = iota + 1 // prepared; the sender's reservation has to grow first
	stateOpen                             // prepared: the sender's peer.held counts it
	stateExpired                          // the hold has ended
	stateFulfilled                        // journaled
	stateRejected                         // journaled
)

// packet is a packet that the machine remembers until its horizon has passed.
type packet struct {
	packet transfers.Packet
	state  packetState
	flows  packetFlows
	sender *peer  // nil for packets from ourselves
	number uint64 // of the fulfill
	record uint64 // number of the record that resolved it
	end    int64  // end of the hold, wall clock, ns since the Unix epoch
	until  time.Duration
	queue  []queued // operations behind a waiting prepare; the first are the prepare's callers
	tries  int      // top-ups asked for
	index  int      // in the timeline, -1: not there
}

// queued is an operation that waits for the decision about a prepare.
type queued struct {
	op    transfers.Op
	token any
}

// sameAs reports whether a caller's packet is this packet.
func (k *packet) sameAs(p *transfers.Packet) bool {
	q := &k.packet
	return q.In == p.In && q.Out == p.Out && q.Dust == p.Dust && q.From == p.From && q.To == p.To &&
		q.Expiry.Equal(p.Expiry)
}

// timeline orders packets by the wall time at which their state changes next: the end of the hold,
// or the horizon.
type timeline struct {
	horizon time.Duration
	packets []*packet
}

// nextChange returns the moment at which a packet changes next.
func (t *timeline) nextChange(k *packet) int64 {
	if k.state == stateOpen || k.state == stateWaiting {
		return k.end
	}
	return k.end + int64(t.horizon)
}

func (t *timeline) Len() int { return len(t.packets) }
func (t *timeline) Less(i, j int) bool {
	return t.nextChange(t.packets[i]) < t.nextChange(t.packets[j])
}

func (t *timeline) Swap(i, j int) {
	t.packets[i], t.packets[j] = t.packets[j], t.packets[i]
	t.packets[i].index, t.packets[j].index = i, j
}

func (t *timeline) Push(x any) {
	k, _ := x.(*packet)
	k.index = len(t.packets)
	t.packets = append(t.packets, k)
}

func (t *timeline) Pop() any {
	last := len(t.packets) - 1
	k := t.packets[last]
	t.packets[last] = nil
	t.packets, k.index = t.packets[:last], -1
	return k
}

// remember adds a packet, or moves it after a change of its state.
func (m *machine) remember(k *packet) {
	if _, known := m.packets[k.packet.ID]; known {
		heap.Fix(&m.timeline, k.index)
		return
	}
	m.packets[k.packet.ID] = k
	heap.Push(&m.timeline, k)
}

func (m *machine) forget(k *packet) {
	delete(m.packets, k.packet.ID)
	if k.index >= 0 {
		heap.Remove(&m.timeline, k.index)
	}
}

// forgetBooked forgets a fulfilled packet beyond its horizon once the ledger has its round.
func (m *machine) forgetBooked(k *packet) {
	if k.number <= m.through {
		m.forget(k)
		return
	}
	heap.Remove(&m.timeline, k.index)
	m.overdue = append(m.overdue, k)
}

// forgetOverdue forgets the packets beyond their horizon that the ledger has now.
func (m *machine) forgetOverdue() {
	kept := m.overdue[:0]
	for _, k := range m.overdue {
		if k.number <= m.through {
			m.forget(k)
		} else {
			kept = append(kept, k)
		}
	}
	clear(m.overdue[len(kept):])
	m.overdue = kept
}

// observe moves the clocks on: holds end, and packets beyond their horizon are forgotten. The wall
// clock of the machine never goes back.
func (m *machine) observe(now moment) {
	m.mono = max(m.mono, now.mono)
	m.wall = now.wall
	m.clock = max(m.clock, now.wall)
	for len(m.timeline.packets) > 0 {
		k := m.timeline.packets[0]
		if m.timeline.nextChange(k) >= m.clock {
			return
		}
		switch k.state {
		case stateOpen:
			k.sender.release(k.flows.charge)
			k.state = stateExpired
			m.remember(k)
		case stateWaiting:
			m.refuseWaiting(k, transfers.ErrHoldTooShort)
		case stateFulfilled:
			m.forgetBooked(k)
		case stateExpired, stateRejected:
			m.forget(k)
		}
	}
}

// release gives the amount of a hold back to the reservation; p may be nil.
func (p *peer) release(amount uint64) {
	if p != nil {
		p.held -= amount
	}
}

// beyondHorizon reports whether a hold that ended then is out of the machine's memory.
func (m *machine) beyondHorizon(end int64) bool { return m.clock > end+int64(m.rules.horizon) }

// endOf returns the end of a packet's hold.
func (m *machine) endOf(p *transfers.Packet) int64 {
	return p.Expiry.UnixNano() + int64(m.rules.margin)
}

// holdEnd returns the end of a remembered packet's hold, or without one the end by the packet's own
// fields.
func (m *machine) holdEnd(k *packet, p *transfers.Packet) int64 {
	if k != nil {
		return k.end
	}
	return m.endOf(p)
}

// remembered returns the packet with an id, or nil.
func (m *machine) remembered(id ledger.ID) *packet { return m.packets[id] }
