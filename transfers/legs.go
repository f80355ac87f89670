package transfers

import (
	"fmt"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// leg is one movement of a packet. Legs are numbered by what they are, so that a
// leg left out does not change the ids of the others.
type leg struct {
	debit, credit ledger.ID
	amount        uint64
	ledger        uint32
	code          uint16
	number        uint8
}

// maxLegs is how many legs a packet has at most.
const maxLegs = 3

// assetInfo is what must be known of an asset to write a packet.
type assetInfo struct {
	asset     accounts.Asset
	ids       accounts.AssetIDs
	allowLoss bool
	book      *accounts.Book // for the arrears accounts of peers in it
}

// appendLegs appends the legs of a packet whose two assets are from and to. Legs
// of amount 0, and from an account to itself, are left out. The error matches
// ErrAmounts.
func appendLegs(dst []leg, p *Packet, from, to *assetInfo) ([]leg, error) {
	if p.From.Ledger() != p.To.Ledger() {
		return appendConversion(dst, p, from, to), nil
	}
	if p.In < p.Out && !from.allowLoss && !p.From.IsOwn() {
		return dst, fmt.Errorf("%w: in %d, out %d", ErrAmounts, p.In, p.Out)
	}
	if p.From == p.To && !p.From.IsOwn() {
		return appendReturn(dst, p, &from.ids), nil
	}
	return appendSameAsset(dst, p, &from.ids), nil
}

func appendSameAsset(dst []leg, p *Packet, own *accounts.AssetIDs) []leg {
	n := p.From.Ledger()
	paid := min(p.In, p.Out)
	if p.From.IsOwn() {
		// What we send costs what the receiver gets; there is nobody to
		// charge a fee to.
		return appendLeg(dst, leg{own.Liquidity, p.To.ID(), p.Out, n, chart.CodePacket, 0})
	}
	if p.To.IsOwn() {
		// What is for ourselves stays with us whole.
		return appendLeg(dst, leg{p.From.ID(), own.Liquidity, p.In, n, chart.CodePacket, 0})
	}
	dst = appendLeg(dst, leg{p.From.ID(), p.To.ID(), paid, n, chart.CodePacket, 0})
	dst = appendLeg(dst, leg{p.From.ID(), own.Revenue, p.In - paid, n, chart.CodeFee, 1})
	return appendLeg(dst, leg{own.Liquidity, p.To.ID(), p.Out - paid, n, chart.CodeConversion, 1})
}

// appendReturn is a packet that goes back to its sender: an account cannot be
// debited to itself, so it crosses our liquidity.
func appendReturn(dst []leg, p *Packet, own *accounts.AssetIDs) []leg {
	n := p.From.Ledger()
	paid := min(p.In, p.Out)
	dst = appendLeg(dst, leg{p.From.ID(), own.Liquidity, paid, n, chart.CodePacket, 0})
	dst = appendLeg(dst, leg{own.Liquidity, p.To.ID(), p.Out, n, chart.CodePacket, 1})
	return appendLeg(dst, leg{p.From.ID(), own.Revenue, p.In - paid, n, chart.CodeFee, 2})
}

func appendConversion(dst []leg, p *Packet, from, to *assetInfo) []leg {
	a, b := p.From.Ledger(), p.To.Ledger()
	dst = appendLeg(dst, leg{p.From.ID(), from.ids.Liquidity, p.In - p.Dust, a, chart.CodeConversion, 0})
	dst = appendLeg(dst, leg{to.ids.Liquidity, p.To.ID(), p.Out, b, chart.CodeConversion, 1})
	return appendLeg(dst, leg{p.From.ID(), from.ids.Dust, p.Dust, a, chart.CodeDustLeg, 2})
}

func appendLeg(dst []leg, l leg) []leg {
	if l.amount == 0 || l.debit == l.credit {
		return dst
	}
	return append(dst, l)
}

// hashLegs is a 32-bit hash of all legs. The first leg carries it, so that an id
// used again for a packet that differs only in a later leg is noticed at the
// first. It is stored in the ledger, so it must never change.
func hashLegs(legs []leg) uint32 {
	h := uint64(1)
	for _, l := range legs {
		for _, word := range [...]uint64{
			l.debit.Lo, l.debit.Hi, l.credit.Lo, l.credit.Hi, l.amount,
			uint64(l.number)<<48 | uint64(l.code)<<32 | uint64(l.ledger),
		} {
			// Multiplying carries only upwards; folding the top down lets
			// every bit of a word reach every bit of the result.
			h = (h ^ word) * 0x9e3779b97f4a7c15
			h ^= h >> 32
		}
	}
	return uint32(h)
}
