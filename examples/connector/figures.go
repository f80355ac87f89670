package main

import (
	"fmt"
	"math/big"
)

// figures are what one of two connectors has booked for the fulfilled packets between them, in units
// of their asset, since both were started. The peer of figures is the opposite connector.
type figures struct {
	FromPeer, ToPeer               *big.Int // sums of the packets from and to the peer
	PacketsFromPeer, PacketsToPeer *big.Int // numbers of the packets that came and left
	// FailedToPeer is the sum of the packets that left for the peer and got no answer in time, or none
	// that was understood.
	FailedToPeer *big.Int
	// Debt is what our side owes the peer, less what the peer owes us, by the connector's balance.
	Debt *big.Int
}

// figureDifference is a difference between the figures of two connectors.
type figureDifference struct {
	Amount *big.Int `json:"amount"` // the peer's figure less ours, in units, for our debt to the peer
	Reason string   `json:"reason"` // "": unexplained
}

// The reasons of differences that the peer's habits make. Each is seen in the peer's own figures.
const (
	// reasonRepeats: ilp-connector 23.0.2 answers a repeat of a packet from its memory, but books it
	// once more to the account of the connector that it did not send the repeat to.
	reasonRepeats = "repeats: the peer booked more to us than the packets that it sent us, for it books a repeated packet that it answers from memory"
	// reasonLostToPeer: ilp-connector 23.0.2 gives up a packet whose answer does not come, with R00 or
	// F02, and books nothing; a receiver has fulfilled the packet all the same.
	reasonLostToPeer = "lost answers: the peer got no answer in time to packets that we fulfilled, and booked nothing for them"
	// reasonLostHere: the peer's answers did not come before the packets expired.
	reasonLostHere = "lost answers: the peer fulfilled packets whose answer did not reach us before they expired"
)

// compareFigures explains the differences between our figures and the peer's. The amounts add up to
// the difference between the two balances. A difference without a reason is a fault on one side.
func compareFigures(ours, theirs figures) []figureDifference {
	var list []figureDifference
	add := func(amount *big.Int, reason string) {
		if amount.Sign() != 0 {
			list = append(list, figureDifference{amount, reason})
		}
	}
	here := new(big.Int).Sub(theirs.FromPeer, ours.ToPeer) // above 0: they count more packets of ours
	reason := ""
	if here.Sign() > 0 && here.Cmp(ours.FailedToPeer) <= 0 && theirs.PacketsFromPeer.Cmp(ours.PacketsToPeer) > 0 {
		reason = reasonLostHere
	}
	add(here, reason)

	there := new(big.Int).Sub(ours.FromPeer, theirs.ToPeer) // above 0: they count less for us
	add(there, explainPeersPackets(there, ours, theirs))

	// What no packet explains: settlements and corrections, which the figures do not have.
	add(new(big.Int).Sub(theirs.Debt, new(big.Int).Sub(theirs.FromPeer, theirs.ToPeer)), "")
	add(new(big.Int).Sub(new(big.Int).Sub(ours.ToPeer, ours.FromPeer), ours.Debt), "")
	return list
}

// explainPeersPackets names why the peer's sum of its packets to us differs from ours; "" for no
// reason. missing is ours less theirs.
func explainPeersPackets(missing *big.Int, ours, theirs figures) string {
	switch {
	case ours.PacketsFromPeer.Cmp(theirs.PacketsToPeer) < 0:
		return "" // packets that the peer saw fulfilled are not in our books
	case missing.Sign() < 0:
		return reasonRepeats
	case missing.Cmp(theirs.FailedToPeer) <= 0:
		return reasonLostToPeer
	default:
		return ""
	}
}

func (d figureDifference) String() string {
	if d.Reason == "" {
		return fmt.Sprintf("%+d units UNEXPLAINED", d.Amount)
	}
	return fmt.Sprintf("%+d units: %s", d.Amount, d.Reason)
}
