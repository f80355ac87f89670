package aggregate

import (
	"time"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// heldAmounts are the amounts of a held packet.
type heldAmounts struct{ in, out, dust uint64 }

// cutExpiry shortens the Expiry of a prepare to the MaxHold of its peers, in whole milliseconds. A
// repeat gets the Expiry of the first prepare, which e remembers: its caller may not know of the cut.
func (m *machine) cutExpiry(p *transfers.Packet, e *memoryEntry) {
	sender, receiver, err := m.parties(nil, p)
	if err != nil {
		return // the packet is refused for the same reason
	}
	maxHold := shortestMaxHold(sender.limits, receiver.limits)
	if maxHold == 0 {
		return
	}
	latest := (m.wall + int64(maxHold)) / nanosPerMilli * nanosPerMilli
	if e != nil {
		latest = m.firstExpiry(e)
	}
	if p.Expiry.UnixNano() > latest {
		p.Expiry = time.Unix(0, latest).UTC()
	}
}

// firstExpiry returns the Expiry of a remembered packet. If its hold has ended, the Expiry is right
// for whole milliseconds.
func (m *machine) firstExpiry(e *memoryEntry) int64 {
	if e.kind() == stateHeld {
		return m.held.at(e.open()).end - int64(m.rules.margin)
	}
	return (int64(e.state>>stateBits) - ceilMillis(int64(m.rules.margin))) * nanosPerMilli
}

// checkPacketLimits checks the limits of a single new packet that need no accounts.
func (m *machine) checkPacketLimits(p *transfers.Packet, sender, receiver *peer) error {
	if err := checkConversion(m.rules.guard, m.book, p); err != nil || m.limiter == nil {
		return err
	}
	return checkPacket(p, sender.limits, receiver.limits)
}

// checkLimits checks caps and rates of a new packet. A packet that waits for its sender's reservation
// is checked again against the caps, and takes the rates once.
func (m *machine) checkLimits(p *transfers.Packet, k *heldPacket, sender, receiver *peer) error {
	if m.limiter == nil {
		return nil
	}
	if err := m.limiter.checkCaps(p, sender.limits, receiver.limits); err != nil || sender.limits == nil || k.isRated {
		return err
	}
	k.isRated = true
	return sender.limits.takeRate(p.In, time.Unix(0, m.wall))
}

// holdLimits counts a packet that was accepted.
func (m *machine) holdLimits(i uint32, p *transfers.Packet, sender, receiver *peer) {
	if m.limiter != nil {
		m.limiter.noteHeld(i, heldAmounts{p.In, p.Out, p.Dust})
		m.limiter.hold(p, sender.limits, receiver.limits)
	}
}

// releaseLimits takes back the hold of an accepted packet.
func (m *machine) releaseLimits(i uint32) {
	if m.limiter == nil {
		return
	}
	k, amounts := m.held.at(i), m.limiter.held[i]
	sender, receiver := m.peers[k.sender], m.peers[k.receiver]
	p := transfers.Packet{From: sender.account, To: receiver.account, In: amounts.in, Out: amounts.out, Dust: amounts.dust}
	m.limiter.release(&p, sender.limits, receiver.limits)
}

// fulfillLimits counts a fulfilled packet.
func (m *machine) fulfillLimits(p *transfers.Packet, sender, receiver *peer) {
	if m.limiter != nil {
		m.limiter.fulfill(p, sender.limits, receiver.limits)
	}
}

// noteBooked counts a round that was applied: the next look-up has its packets.
func (m *machine) noteBooked(r *round) {
	if m.limiter != nil {
		m.eachLimited(r, (*limits).noteBooked)
	}
}

// restoreLimits counts the fulfills of rounds that are not known to be applied, after a restart.
func (m *machine) restoreLimits(attempt *round, tallies []*tally) {
	if m.limiter == nil {
		return
	}
	if attempt != nil {
		m.eachLimited(attempt, (*limits).owe)
	}
	for _, t := range tallies {
		r := &round{}
		for _, c := range t.charges {
			r.senders = append(r.senders, roundSender{account: c.peer.account, amount: c.amount})
		}
		r.takes, r.gives = t.flows()
		m.eachLimited(r, (*limits).owe)
	}
}

// eachLimited calls count with the amounts of a round that count against limits.
func (m *machine) eachLimited(r *round, count func(*limits, ledger.Amount, direction)) {
	countFlow := func(f *flow, ofPeer, ofLiquidity direction) {
		l, d := m.limiter.floors[f.party.ledger], ofLiquidity
		switch f.party.kind { //nolint:exhaustive // revenue and dust have no limits
		case partyLiquidity:
		case partyPeer:
			l, d = m.knownPeer(f.party.peer).limits, ofPeer
		default:
			return
		}
		if l != nil {
			count(l, f.amount, d)
		}
	}
	for i := range r.senders {
		countFlow(&flow{party{kind: partyPeer, peer: r.senders[i].account}, r.senders[i].amount}, incoming, incoming)
	}
	for i := range r.takes {
		countFlow(&r.takes[i], incoming, outgoing)
	}
	for i := range r.gives {
		countFlow(&r.gives[i].flow, outgoing, incoming)
	}
}

// readLimits takes the accounts of a peer with limits from a look-up.
func (m *machine) readLimits(p *peer, found map[ledger.ID]*ledger.Account) {
	if p.limits != nil {
		reserved := ledger.NewAmount(m.reservedInLedger(p))
		p.limits.readAccounts(peerReading(found[p.ids.Peer], found[p.ids.Line], found[p.ids.Arrears], found[p.ids.Settlement], reserved))
	}
}

// reservedInLedger returns what the peer's reservations hold in the ledger for certain. While a
// round is cut and not applied, the ledger has the reservations that the round posts, and not the
// new one, the peer's first.
func (m *machine) reservedInLedger(p *peer) (sum uint64) {
	holds := p.holds
	if m.round != nil && p.cutIn == m.round.round.number {
		s := &m.round.round.senders[p.cutAs]
		sum = m.certainHolds(s.holds)
		if s.renewed > 0 {
			holds = holds[1:]
		}
	}
	return sum + m.certainHolds(holds)
}

// certainHolds adds up the reservations that the ledger cannot have released yet.
func (m *machine) certainHolds(holds []hold) (sum uint64) {
	for _, h := range holds {
		if h.endsAt > m.mono {
			sum += h.amount
		}
	}
	return sum
}
