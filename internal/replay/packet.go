package replay

import (
	"errors"
	"fmt"
	"time"

	"github.com/shopspring/decimal"

	"github.com/peerledger/peerledger/internal/trace"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// holdFor is added to the difference of a packet's two expiries, because a replay may be slower
// than the connector was.
const holdFor = 10 * time.Minute

// newPacket returns a forwarded packet of the trace. Its id and hold depend on the trace alone, so
// a second replay repeats the same transfers.
func (p *pass) newPacket(f *trace.Forward) (transfers.Packet, error) {
	from, to := p.peers[f.From], p.peers[f.To]
	packet := transfers.Packet{
		ID: packetID(f), From: from.account, To: to.account, In: f.In, Out: f.Out,
		Hold: max(0, f.InExpiry.Sub(f.OutExpiry)) + holdFor, Condition: f.Condition,
	}
	if from.asset.code != to.asset.code {
		return packet, nil // traded at a rate that is not in the trace
	}
	rest, err := leftOver(f, from.asset.scale, to.asset.scale)
	if from.asset != to.asset {
		packet.Dust = rest
	} // else the rest is our fee
	return packet, err
}

// packetID returns 48 bits of the expiry's milliseconds, a bit that is always set so that no id is
// 0, and the trace's id. The low 8 bits are 0.
func packetID(f *trace.Forward) ledger.ID {
	return ledger.NewID(f.ID<<8, uint64(f.InExpiry.UnixMilli())<<16|1<<15|f.ID>>56)
}

// errRate is returned for a packet that pays out more than it brought in. Two scales of one asset
// code trade at the rate 1.
var errRate = errors.New("packet pays out more than it brought in")

// leftOver returns the amount received beyond the amount paid out, at the scale of the amount
// received.
func leftOver(f *trace.Forward, from, to uint8) (uint64, error) {
	cost := decimal.NewFromUint64(f.Out).Shift(int32(from) - int32(to)).Ceil()
	in := decimal.NewFromUint64(f.In)
	if cost.GreaterThan(in) {
		return 0, fmt.Errorf("%w: %d at scale %d, %d at scale %d", errRate, f.In, from, f.Out, to)
	}
	return in.Sub(cost).BigInt().Uint64(), nil
}
