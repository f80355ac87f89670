package aggregate

import (
	"fmt"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// partyKind is the kind of an account that a round credits or debits.
type partyKind uint8

const (
	partyPeer partyKind = iota + 1
	partyLiquidity
	partyRevenue
	partyDust
)

// party is an account of a round: of a peer, or our own in an asset.
type party struct {
	kind   partyKind
	ledger uint32
	peer   accounts.PeerAccount // zero for our own
}

// flow is an amount that a packet takes from an account or gives to an account.
type flow struct {
	party  party
	amount ledger.Amount
}

// packetFlows is how a packet changes accounts. In each asset the takes and the gives are equal.
// The sums over many packets are the same as those of the legs that [transfers.Recorder] writes.
type packetFlows struct {
	charge    uint64 // taken from the sender; 0 if the packet is from ourselves
	takes     [2]flow
	gives     [3]flow
	takeCount int
	giveCount int
}

func (f *packetFlows) take(p party, amount uint64) {
	if amount > 0 {
		f.takes[f.takeCount] = flow{p, ledger.NewAmount(amount)}
		f.takeCount++
	}
}

func (f *packetFlows) give(p party, amount uint64) {
	if amount > 0 {
		f.gives[f.giveCount] = flow{p, ledger.NewAmount(amount)}
		f.giveCount++
	}
}

// isEmpty reports whether the packet moves nothing.
func (f *packetFlows) isEmpty() bool { return f.charge == 0 && f.takeCount == 0 && f.giveCount == 0 }

func ownParty(kind partyKind, number uint32) party { return party{kind: kind, ledger: number} }

func accountParty(a accounts.PeerAccount) party {
	if a.IsOwn() {
		return ownParty(partyLiquidity, a.Ledger())
	}
	return party{kind: partyPeer, ledger: a.Ledger(), peer: a}
}

// flowsOf returns the flows of a packet. The error matches [transfers.ErrAmounts].
func flowsOf(p *transfers.Packet, allowLoss bool) (f packetFlows, err error) {
	if p.From.Ledger() != p.To.Ledger() {
		return conversionFlows(p), nil
	}
	number := p.From.Ledger()
	liquidity := ownParty(partyLiquidity, number)
	switch {
	case p.From == p.To && p.From.IsOwn():
	case p.From.IsOwn():
		// We pay what the receiver gets, and charge ourselves no fee.
		f.take(liquidity, p.Out)
		f.give(accountParty(p.To), p.Out)
	case p.In < p.Out && !allowLoss:
		err = fmt.Errorf("%w: in %d, out %d", transfers.ErrAmounts, p.In, p.Out)
	case p.To.IsOwn():
		// A packet to ourselves keeps its whole In with us.
		f.charge = p.In
		f.give(liquidity, p.In)
	default:
		f.charge = p.In
		f.take(liquidity, p.Out-min(p.In, p.Out))
		f.give(accountParty(p.To), p.Out)
		f.give(ownParty(partyRevenue, number), p.In-min(p.In, p.Out))
	}
	return f, err
}

func conversionFlows(p *transfers.Packet) (f packetFlows) {
	a, b := p.From.Ledger(), p.To.Ledger()
	if p.From.IsOwn() {
		f.take(ownParty(partyLiquidity, a), p.Dust) // the rest stays in liquidity
	} else {
		f.charge = p.In
		f.give(ownParty(partyLiquidity, a), p.In-p.Dust)
	}
	f.give(ownParty(partyDust, a), p.Dust)
	if !p.To.IsOwn() {
		f.take(ownParty(partyLiquidity, b), p.Out)
		f.give(accountParty(p.To), p.Out)
	}
	return f
}
