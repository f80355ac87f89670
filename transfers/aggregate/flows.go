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

// flow is an amount that a round takes from an account or gives to an account.
type flow struct {
	party  party
	amount ledger.Amount
}

func ownParty(kind partyKind, number uint32) party { return party{kind: kind, ledger: number} }

func peerParty(p *peer) party {
	return party{kind: partyPeer, ledger: p.account.Ledger(), peer: p.account}
}

// packetFlows is how a packet changes accounts. In each asset the takes and the gives are equal.
// The sums over many packets are the same as those of the legs that [transfers.Recorder] writes.
// Of two assets, the first is the sender's and the second the receiver's.
type packetFlows struct {
	charge      uint64 // taken from the sender; 0 if the packet is from ourselves
	takeFirst   uint64 // taken from liquidity, first asset
	takeSecond  uint64 // taken from liquidity, second asset
	receive     uint64 // given to the receiver; 0 if the packet is to ourselves
	toLiquidity uint64 // given to liquidity, first asset
	revenue     uint64 // first asset
	dust        uint64 // first asset
}

// isEmpty reports whether the packet moves nothing.
func (f *packetFlows) isEmpty() bool {
	return f.charge|f.takeFirst|f.takeSecond|f.receive|f.toLiquidity|f.revenue|f.dust == 0
}

// flowsOf returns the flows of a packet. The error matches [transfers.ErrAmounts].
func flowsOf(p *transfers.Packet, allowLoss bool) (packetFlows, error) {
	fromUs, sameAsset := p.From.IsOwn(), p.From.Ledger() == p.To.Ledger()
	if sameAsset && !fromUs && p.In < p.Out && !allowLoss {
		return packetFlows{}, fmt.Errorf("%w: in %d, out %d", transfers.ErrAmounts, p.In, p.Out)
	}
	return flowsOfAmounts(heldAmounts{p.In, p.Out, p.Dust}, fromUs, p.To.IsOwn(), sameAsset), nil
}

// flowsOfAmounts returns the flows of a packet from or to ourselves, or between peers.
func flowsOfAmounts(a heldAmounts, fromUs, toUs, sameAsset bool) (f packetFlows) {
	switch {
	case !sameAsset:
		return conversionFlows(a, fromUs, toUs)
	case fromUs && toUs:
	case fromUs:
		// We pay what the receiver gets, and charge ourselves no fee.
		f.takeFirst, f.receive = a.out, a.out
	case toUs:
		// A packet to ourselves keeps its whole In with us.
		f.charge, f.toLiquidity = a.in, a.in
	default:
		through := min(a.in, a.out)
		f.charge, f.receive, f.takeFirst, f.revenue = a.in, a.out, a.out-through, a.in-through
	}
	return f
}

func conversionFlows(a heldAmounts, fromUs, toUs bool) (f packetFlows) {
	if f.dust = a.dust; fromUs {
		f.takeFirst = a.dust // the rest stays in liquidity
	} else {
		f.charge, f.toLiquidity = a.in, a.in-a.dust
	}
	if !toUs {
		f.takeSecond, f.receive = a.out, a.out
	}
	return f
}
