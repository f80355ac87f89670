package aggregate

import (
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// tally adds up fulfilled packets until a round writes the sums.
type tally struct {
	serial  uint64 // of the machine's tallies
	charges []peerSum
	gives   []peerSum
	assets  []assetSums
	legs    int    // upper bound of the legs of its round
	through uint64 // the number of the last fulfill in it
	packets uint64
	digest  uint64 // of the packets' ids, in order
	begunAt int64  // wall clock of the first fulfill

	late, replayed []transfers.Result // for events
}

// peerSum is what a sender owes for the packets of a tally, or what a receiver earns.
type peerSum struct {
	peer   *peer
	amount ledger.Amount
}

// assetSums are the amounts of our own accounts in an asset.
type assetSums struct {
	asset                          *asset
	take, liquidity, revenue, dust ledger.Amount // take is from liquidity
}

// tallyPlace is the index of a party in a tally, if the serial is that tally's.
type tallyPlace struct {
	serial uint64
	index  int
}

// maxHolds is the number of a sender's reservations at which a round merges them.
const maxHolds = 4

// The legs of a round: for a sender the posts of its reservations, the new reservation, and two for
// arrears; one for a receiver; four for an asset.
const (
	legsBesidePosts = 3
	legsPerAsset    = 4
)

// mostLegsAdded is an upper bound of what a packet adds to a tally's legs.
const mostLegsAdded = maxHolds + legsBesidePosts + 1 + 2*legsPerAsset

// addPacket adds the flows of a fulfilled packet. Amounts fit: a tally has less than 2^64 packets
// of less than 2^64 units.
func (t *tally) addPacket(sender, receiver *peer, f *packetFlows, id ledger.ID, number uint64) {
	if f.charge > 0 {
		t.addCharge(sender, ledger.NewAmount(f.charge))
	}
	if f.receive > 0 {
		t.addGive(receiver, ledger.NewAmount(f.receive))
	}
	if f.takeFirst|f.toLiquidity|f.revenue|f.dust > 0 {
		s := t.sumsOf(sender.asset)
		addTo(&s.take, f.takeFirst)
		addTo(&s.liquidity, f.toLiquidity)
		addTo(&s.revenue, f.revenue)
		addTo(&s.dust, f.dust)
	}
	if f.takeSecond > 0 {
		addTo(&t.sumsOf(receiver.asset).take, f.takeSecond)
	}
	t.through = number
	t.packets++
	t.digest = mixWord(mixWord(t.digest, id.Lo), id.Hi)
}

func addTo(sum *ledger.Amount, amount uint64) {
	if amount > 0 {
		*sum, _ = sum.Add(ledger.NewAmount(amount))
	}
}

func (t *tally) addCharge(p *peer, amount ledger.Amount) {
	if p.chargeAt.serial != t.serial {
		p.chargeAt = tallyPlace{t.serial, len(t.charges)}
		t.charges = append(t.charges, peerSum{peer: p})
		t.legs += p.mostHolds() + legsBesidePosts
	}
	s := &t.charges[p.chargeAt.index]
	s.amount, _ = s.amount.Add(amount)
}

// mostHolds is the largest number of reservations that the peer's next round may post, as long as
// no top-up is asked for.
func (p *peer) mostHolds() int {
	if p.adopting {
		return maxHolds
	}
	return len(p.holds) + p.asked
}

func (t *tally) addGive(p *peer, amount ledger.Amount) {
	if p.giveAt.serial != t.serial {
		p.giveAt = tallyPlace{t.serial, len(t.gives)}
		t.gives = append(t.gives, peerSum{peer: p})
		t.legs++
	}
	s := &t.gives[p.giveAt.index]
	s.amount, _ = s.amount.Add(amount)
}

func (t *tally) sumsOf(a *asset) *assetSums {
	if a.sumsAt.serial != t.serial {
		a.sumsAt = tallyPlace{t.serial, len(t.assets)}
		t.assets = append(t.assets, assetSums{asset: a})
		t.legs += legsPerAsset
	}
	return &t.assets[a.sumsAt.index]
}

// flows returns what the tally's round takes from liquidity and gives.
func (t *tally) flows() (takes []flow, gives []roundGive) {
	for _, g := range t.gives {
		gives = append(gives, roundGive{flow: flow{peerParty(g.peer), g.amount}})
	}
	for i := range t.assets {
		s := &t.assets[i]
		number := s.asset.number
		if !s.take.IsZero() {
			takes = append(takes, flow{ownParty(partyLiquidity, number), s.take})
		}
		for _, own := range [...]flow{
			{ownParty(partyLiquidity, number), s.liquidity}, {ownParty(partyRevenue, number), s.revenue}, {ownParty(partyDust, number), s.dust},
		} {
			if !own.amount.IsZero() {
				gives = append(gives, roundGive{flow: own})
			}
		}
	}
	return takes, gives
}

// mixWord adds a word to a hash. A multiplication carries only upwards, so the top half is folded
// down.
func mixWord(h, word uint64) uint64 {
	h = (h ^ word) * 0x9e3779b97f4a7c15
	return h ^ h>>32
}
