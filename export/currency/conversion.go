package currency

import (
	"math/big"
	"time"

	"github.com/shopspring/decimal"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/export"
	"github.com/peerledger/peerledger/ledger"
)

// Conversion is a packet that came in in one asset and went out in another.
type Conversion struct {
	Time     time.Time // of its first entry, by the ledger's clock
	Packet   ledger.ID
	From, To accounts.Asset
	In, Out  *big.Int // units of From that we got, dust and fee included, and units of To that we gave
	Late     bool     // booked by a correction
	// InValue and OutValue are the worth of In and Out at the operator's rates. Their difference is the margin.
	InValue, OutValue decimal.Decimal
}

// Rate returns how many whole units of To one whole unit of From has brought, exactly.
func (c *Conversion) Rate() *big.Rat {
	in := decimal.NewFromBigInt(c.In, -int32(c.From.Scale)).Rat()
	return new(big.Rat).Quo(decimal.NewFromBigInt(c.Out, -int32(c.To.Scale)).Rat(), in)
}

// Margin is what the conversion has brought, at the operator's rates.
func (c *Conversion) Margin() decimal.Decimal { return c.InValue.Sub(c.OutValue) }

// legs are the entries of one packet. A ledger writes a packet's legs one after another.
type legs struct {
	id     ledger.ID
	time   time.Time
	late   bool
	states []*assetState // of the assets, in the order of their first leg
	units  []*big.Int    // how the packet changes what we own, by asset
	values []decimal.Decimal
}

// addLeg adds an entry to the packet's legs. The first entry of something else ends the packet before it.
func (c *calculator) addLeg(e *export.Entry, s *assetState, units *big.Int) error {
	if c.query.Conversions == nil {
		return nil
	}
	if e.Packet != c.packet.id {
		if err := c.endPacket(); err != nil {
			return err
		}
	}
	if e.Packet.IsZero() || units.Sign() == 0 {
		return nil
	}
	p := &c.packet
	if len(p.states) == 0 {
		p.id, p.time, p.late = e.Packet, time.Unix(0, int64(e.Time)).UTC(), e.Late
	}
	value := s.valueOf(units)
	for i := range p.states {
		if p.states[i] == s {
			p.units[i].Add(p.units[i], units)
			p.values[i] = p.values[i].Add(value)
			return nil
		}
	}
	p.states, p.units, p.values = append(p.states, s), append(p.units, new(big.Int).Set(units)), append(p.values, value)
	return nil
}

// endPacket reports a packet that changed the currency.
func (c *calculator) endPacket() error {
	p := c.packet
	c.packet = legs{}
	if len(p.states) != 2 {
		return nil
	}
	in, out := 0, 1
	if p.units[in].Sign() < 0 {
		in, out = 1, 0
	}
	if p.units[in].Sign() <= 0 || p.units[out].Sign() >= 0 {
		return nil
	}
	return c.query.Conversions(&Conversion{
		Time: p.time, Packet: p.id, From: p.states[in].line.Asset, To: p.states[out].line.Asset, Late: p.late,
		In: p.units[in], Out: p.units[out].Neg(p.units[out]), InValue: p.values[in], OutValue: p.values[out].Neg(),
	})
}
