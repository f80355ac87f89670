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

// holdFor is added to the margin between the two expiries of a packet: a replay may
// be slower than the connector was.
const holdFor = 10 * time.Minute

// newPacket is a forwarded packet of the trace. Its id and hold are worked out from
// the trace alone, so that a second replay repeats the very same transfers.
func (p *pass) newPacket(f *trace.Forward) (transfers.Packet, error) {
	from, to := p.peers[f.From], p.peers[f.To]
	packet := transfers.Packet{
		ID: packetID(f), From: from.account, To: to.account, In: f.In, Out: f.Out,
		Hold: max(0, f.InExpiry.Sub(f.OutExpiry)) + holdFor, Condition: f.Condition,
	}
	if from.asset.code != to.asset.code {
		return packet, nil // traded at a rate that the trace does not tell
	}
	rest, err := leftOver(f, from.asset.scale, to.asset.scale)
	if from.asset != to.asset {
		packet.Dust = rest
	} // else it is our fee
	return packet, err
}

// packetID is 48 bits of the expiry's milliseconds, a bit that is always set, so
// that no id is 0, and the trace's id, with the low 8 bits clear.
func packetID(f *trace.Forward) ledger.ID {
	return ledger.NewID(f.ID<<8, uint64(f.InExpiry.UnixMilli())<<16|1<<15|f.ID>>56)
}

// errRate says that a packet pays out more than it brought in, at the rate of 1 at
// which the same money at two scales is traded.
var errRate = errors.New("packet pays out more than it brought in")

// leftOver is what a packet brought in beyond what it pays out of the same money, at
// the scale at which it came in.
func leftOver(f *trace.Forward, from, to uint8) (uint64, error) {
	cost := decimal.NewFromUint64(f.Out).Shift(int32(from) - int32(to)).Ceil()
	in := decimal.NewFromUint64(f.In)
	if cost.GreaterThan(in) {
		return 0, fmt.Errorf("%w: %d at scale %d, %d at scale %d", errRate, f.In, from, f.Out, to)
	}
	return in.Sub(cost).BigInt().Uint64(), nil
}
