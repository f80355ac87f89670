package aggregate

import (
	"github.com/peerledger/peerledger/ledger"
)

// tally adds up fulfilled packets until a round writes the sums.
type tally struct {
	charges []charge
	takes   []flow
	gives   []flow
	through uint64 // the number of the last fulfill in it
	packets uint64
	digest  uint64 // of the packets' ids, in order

	chargeIndex map[*peer]int
	takeIndex   map[party]int
	giveIndex   map[party]int
}

// charge is what a sender owes for the packets of a tally.
type charge struct {
	peer   *peer
	amount ledger.Amount
}

func newTally() *tally {
	return &tally{chargeIndex: map[*peer]int{}, takeIndex: map[party]int{}, giveIndex: map[party]int{}}
}

// maxHolds is the number of a sender's reservations at which a round merges them.
const maxHolds = 4

// legsPerSender is the largest number of legs for a sender: posts, the new reservation, and two
// for arrears. A sender gets one top-up more before a round merges its reservations.
const legsPerSender = maxHolds + 1 + 3

// maxLegs returns an upper bound of the legs of the tally's round.
func (t *tally) maxLegs() int { return legsPerSender*len(t.charges) + len(t.takes) + len(t.gives) }

// mostLegsAdded is an upper bound of what a packet adds to maxLegs.
const mostLegsAdded = legsPerSender + 5

// addPacket adds the flows of a fulfilled packet. Amounts fit: a tally has less than 2^64
// packets of less than 2^64 units.
func (t *tally) addPacket(sender *peer, f *packetFlows, id ledger.ID, number uint64) {
	if f.charge > 0 {
		i, known := t.chargeIndex[sender]
		if !known {
			i = len(t.charges)
			t.chargeIndex[sender] = i
			t.charges = append(t.charges, charge{peer: sender})
		}
		t.charges[i].amount, _ = t.charges[i].amount.Add(ledger.NewAmount(f.charge))
	}
	for _, take := range f.takes[:f.takeCount] {
		t.takes = addFlow(t.takes, t.takeIndex, take)
	}
	for _, give := range f.gives[:f.giveCount] {
		t.gives = addFlow(t.gives, t.giveIndex, give)
	}
	t.through = number
	t.packets++
	t.digest = mixWord(mixWord(t.digest, id.Lo), id.Hi)
}

func addFlow(flows []flow, index map[party]int, add flow) []flow {
	i, known := index[add.party]
	if !known {
		index[add.party] = len(flows)
		return append(flows, add)
	}
	flows[i].amount, _ = flows[i].amount.Add(add.amount)
	return flows
}

// mixWord adds a word to a hash. A multiplication carries only upwards, so the top half is folded
// down.
func mixWord(h, word uint64) uint64 {
	h = (h ^ word) * 0x9e3779b97f4a7c15
	return h ^ h>>32
}
