package transfers

import (
	"fmt"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// leg is one movement of a packet's amount. A leg's number depends on its purpose, so leaving
// out a leg of amount 0 does not change the transfer ids of the other legs.
type leg struct {
	debit, credit ledger.ID
	amount        uint64
	ledger        uint32
	code          uint16
	number        uint8
}

// maxLegs is the largest number of legs of a packet.
const maxLegs = 3

// assetInfo is an asset with its accounts, as the legs of a packet need them.
type assetInfo struct {
	asset     accounts.Asset
	ids       accounts.AssetIDs
	allowLoss bool
	book      *accounts.Book // for the arrears accounts of the asset's peers
}

// appendLegs appends the legs of a packet from one asset to another or the same. Legs of
// amount 0, and legs from an account to itself, are left out. The error matches [ErrAmounts].
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
		// We pay what the receiver gets, and charge ourselves no fee.
		return appendLeg(dst, leg{own.Liquidity, p.To.ID(), p.Out, n, chart.CodePacket, 0})
	}
	if p.To.IsOwn() {
		// A packet to ourselves keeps its whole In with us.
		return appendLeg(dst, leg{p.From.ID(), own.Liquidity, p.In, n, chart.CodePacket, 0})
	}
	dst = appendLeg(dst, leg{p.From.ID(), p.To.ID(), paid, n, chart.CodePacket, 0})
	dst = appendLeg(dst, leg{p.From.ID(), own.Revenue, p.In - paid, n, chart.CodeFee, 1})
	return appendLeg(dst, leg{own.Liquidity, p.To.ID(), p.Out - paid, n, chart.CodeConversion, 1})
}

// appendReturn appends the legs of a packet back to its sender. The ledger refuses a transfer
// from an account to itself, so the amount crosses our liquidity.
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

// hashLegs returns a 32-bit hash of all legs. The first leg's transfer carries the hash, so the
// ledger refuses a reused packet id at the first leg even if only a later leg differs. The
// ledger stores the hash: the function must never change.
func hashLegs(legs []leg) uint32 {
	h := uint64(1)
	for _, l := range legs {
		for _, word := range [...]uint64{
			l.debit.Lo, l.debit.Hi, l.credit.Lo, l.credit.Hi, l.amount,
			uint64(l.number)<<48 | uint64(l.code)<<32 | uint64(l.ledger),
		} {
			// A multiplication carries only upwards. Folding the top half down
			// lets every bit of a word reach every bit of the result.
			h = (h ^ word) * 0x9e3779b97f4a7c15
			h ^= h >> 32
		}
	}
	return uint32(h)
}
