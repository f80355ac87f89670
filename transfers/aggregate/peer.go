package aggregate

import (
	"fmt"
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

// asset is one of the book's assets.
type asset struct {
	number    uint32
	allowLoss bool
	own       accounts.AssetIDs
	sumsAt    tallyPlace
}

// peer is a peer in an asset, as sender and as receiver. Our own account in an asset is one too: it
// has no reservations.
//
// The credit line rests on one rule: held + used <= the sum of holds. Only late packets and lost
// reservations break it; a round then charges the rest to the peer's arrears.
//
// The fields that a packet needs come first: so they are in few cache lines.
type peer struct {
	account  accounts.PeerAccount
	index    uint32 // in machine.peers
	isOwn    bool
	known    bool // the ledger has answered with the peer's accounts
	debtor   bool // the peer is in arrears
	isLogged bool // the journal has its index
	asset    *asset
	limits   *limits // nil without limits

	holds    []hold           // in the ledger, or in the round under way
	held     uint64           // of packets prepared and not resolved
	used     ledger.Amount    // of packets fulfilled and not in a round yet
	refusal  error            // why new packets of the peer are refused, or nil
	activeAt time.Duration    // of the last prepare, by the monotonic clock
	waiting  []*waitingPacket // prepares that need more of the headroom, in order
	chargeAt tallyPlace       // in the last tally
	giveAt   tallyPlace
	logIndex uint32

	isShort  bool   // since the last look-up, the ledger had less headroom than headroom
	adopting bool   // reservations of an earlier process may still be found
	wanted   bool   // in machine.wants
	polled   bool   // in machine.polls, or in wants as well
	renew    bool   // in machine.renewals
	cutIn    uint64 // number of the last round with a charge of the peer
	cutAs    int    // its index among that round's senders
	headroom uint64 // of the last look-up, with our reservations, less what rounds took since
	recent   uint64 // use of an interval, decaying
	asked    int    // top-ups on their way
	heldBack int    // hold-backs that have not ended
	ids      accounts.PeerIDs
}

// peerOf returns the peer with a handle, also our own. The error matches [accounts.ErrUnknownAsset].
func (m *machine) peerOf(a accounts.PeerAccount) (*peer, error) {
	if p := m.byID.find(a.ID()); p != nil {
		return p, nil
	}
	s := m.assets[a.Ledger()]
	if s == nil {
		described, known := m.book.Asset(a.Ledger())
		if !known {
			return nil, fmt.Errorf("%w: of %v", accounts.ErrUnknownAsset, a)
		}
		s = &asset{number: a.Ledger(), allowLoss: described.AllowLoss}
		s.own, _ = m.book.AssetIDs(a.Ledger())
		m.assets[a.Ledger()] = s
	}
	p := &peer{account: a, index: uint32(len(m.peers)), isOwn: a.IsOwn(), asset: s, known: a.IsOwn()}
	if !p.isOwn {
		p.ids = m.book.PeerIDs(a)
		if m.limiter != nil {
			p.limits = newLimits(m.book, a)
		}
	}
	m.peers = append(m.peers, p)
	m.byID.add(p)
	return p, nil
}

// knownPeer returns the peer of a round's sender or receiver.
func (m *machine) knownPeer(a accounts.PeerAccount) *peer { return m.byID.find(a.ID()) }

// reserved returns the sum of the holds that outlive a moment.
func (p *peer) reserved(until time.Duration) (sum uint64) {
	for i := range p.holds {
		if h := &p.holds[i]; h.endsAt >= until {
			sum += h.amount
		}
	}
	return sum
}

// reservedInAll returns the sum of all holds.
func (p *peer) reservedInAll() (sum uint64) {
	for i := range p.holds {
		sum += p.holds[i].amount
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

// kept returns what packets of the peer need of its reservations.
func (p *peer) kept() ledger.Amount {
	kept, _ := p.used.Add(ledger.NewAmount(p.held))
	return kept
}

// wishedReserve returns how much the peer's reservations should have in all: enough for its
// recent use, and no more than its share of the headroom.
func (m *machine) wishedReserve(p *peer) uint64 {
	if m.isReleasing(p) {
		return 0
	}
	return min(p.recent<<recentShift, m.mostReserved(p))
}

// mostReserved returns how much the peer's reservations should have in all, unless packets need more.
// Other recorders count a reservation as held, so it must leave them a part of an InFlightShare.
func (m *machine) mostReserved(p *peer) uint64 {
	return m.share(min(p.headroom, p.limits.leftByOthers()))
}

// share returns the part of a headroom that reservations may take.
func (m *machine) share(headroom uint64) uint64 {
	const hundred = 100
	return headroom/hundred*m.rules.sharePercent + headroom%hundred*m.rules.sharePercent/hundred
}

// isReleasing reports whether the peer's reservations shrink to its packets.
func (m *machine) isReleasing(p *peer) bool {
	return m.closing || p.refusal != nil || p.heldBack > 0 || p.debtor && !m.rules.allowArrears
}

// recentShift sizes a reservation: 16 intervals like the busiest of late.
const recentShift = 4

// noteUse ends an interval in which the peer used an amount.
func (p *peer) noteUse(amount uint64) {
	p.recent = max(min(amount, maxReserved>>recentShift), p.recent-p.recent/8-min(p.recent, 1))
}
