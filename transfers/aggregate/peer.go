package aggregate

import (
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// maxReserved bounds the reservations of a peer, so that their sums fit 64 bits.
const maxReserved = 1 << 62

// hold is a reservation in the ledger: a pending transfer from a sender to transit.
type hold struct {
	id     ledger.ID
	amount uint64
	endsAt time.Duration // the ledger may release it from then on, by the monotonic clock; 0: unknown
}

// peer is a peer in an asset, as sender and as receiver.
//
// The credit line rests on one rule: held + used <= the sum of holds. Only late packets and lost
// reservations break it; a round then charges the rest to the peer's arrears.
type peer struct {
	account accounts.PeerAccount
	ids     accounts.PeerIDs

	holds []hold        // in the ledger, or in the round under way
	held  uint64        // of packets prepared and not resolved
	used  ledger.Amount // of packets fulfilled and not in a round yet

	known    bool      // the ledger has answered with the peer's accounts
	refusal  error     // why new packets of the peer are refused, or nil
	debtor   bool      // the peer is in arrears
	headroom uint64    // of the last look-up, with our reservations, less what rounds took since
	recent   uint64    // use of an interval, decaying
	waiting  []*packet // prepares that need more of the headroom, in order
	wanted   bool      // in machine.wants
	renew    bool      // in machine.renewals
}

// reserved returns the sum of the holds that outlive a moment.
func (p *peer) reserved(until time.Duration) (sum uint64) {
	for _, h := range p.holds {
		if h.endsAt >= until {
			sum += h.amount
		}
	}
	return sum
}

// reservedInAll returns the sum of all holds.
func (p *peer) reservedInAll() (sum uint64) {
	for _, h := range p.holds {
		sum += h.amount
	}
	return sum
}

// free returns how much of the reservations that outlive a moment is left for new packets.
func (p *peer) free(until time.Duration) uint64 {
	taken, ok := p.used.Add(ledger.NewAmount(p.held))
	if !ok {
		return 0
	}
	free, _ := ledger.NewAmount(p.reserved(until)).SubFloor(taken).Uint64()
	return free
}

// wishedReserve returns how much the peer's reservations should have in all: enough for its
// recent use, and no more than stays free beside them.
func (m *machine) wishedReserve(p *peer) uint64 {
	if m.isReleasing(p) {
		return 0
	}
	return min(p.recent<<recentShift, p.headroom/2, maxReserved)
}

// isReleasing reports whether the peer's reservations shrink to its packets.
func (m *machine) isReleasing(p *peer) bool { return m.closing || p.refusal != nil }

// recentShift sizes a reservation: 16 intervals like the busiest of late.
const recentShift = 4

// noteUse ends an interval in which the peer used an amount.
func (p *peer) noteUse(amount uint64) {
	p.recent = max(min(amount, maxReserved>>recentShift), p.recent-p.recent/8-min(p.recent, 1))
}
