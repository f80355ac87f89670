package accounts

import (
	"fmt"
	"math/big"
	"math/bits"

	"github.com/shopspring/decimal"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
)

// Converter converts amounts of one asset to another at a rate, or from one scale to
// another at rate 1. It never changes, and may be used concurrently.
type Converter struct {
	from, to Asset
	num, den *big.Int // units of to for one unit of from
	num64    uint64   // and den64: both, if they fit; else den64 is 0
	den64    uint64
}

// Conversion is an amount that is converted. For a transfers.Packet between the assets,
// In, Out and Dust are those of the packet: the recorder books Dust in the chain of the
// packet.
type Conversion struct {
	In   ledger.Amount // units of from; Cost and Dust together
	Cost ledger.Amount // units of from that Out is worth, rounded up
	Dust ledger.Amount // units of from that are left over
	Out  ledger.Amount // units of to
}

// maxRateText bounds the digits of a rate, so that none makes a conversion slow.
const maxRateText = 40

// NewConverter makes a Converter. The rate is how many whole units of to one whole unit
// of from is worth: above 0, with at most 40 digits before and after the point. The
// error matches ErrInvalid and names the Rate.
func NewConverter(from, to Asset, rate decimal.Decimal) (*Converter, error) {
	e := rate.Exponent()
	if !rate.IsPositive() || e > maxRateText || e < -maxRateText || rate.Coefficient().BitLen() > 4*maxRateText {
		return nil, &FieldError{
			Subject: fmt.Sprintf("conversion of %v to %v", from, to), Field: "Rate",
			Reason: fmt.Sprintf("%s must be above 0, with at most %d digits before and after the point", formatShort(rate), maxRateText),
		}
	}
	units := rate.Shift(int32(to.Scale) - int32(from.Scale))
	ratio := units.Rat()
	c := &Converter{from: from, to: to, num: ratio.Num(), den: ratio.Denom()}
	if c.num.IsUint64() && c.den.IsUint64() {
		c.num64, c.den64 = c.num.Uint64(), c.den.Uint64()
	}
	return c, nil
}

// Covers reports whether in, units of from, is worth out, units of to, or more. It is for the
// hot path: it allocates only if the rate has more than some 19 digits.
func (c *Converter) Covers(in, out uint64) bool {
	if c.den64 == 0 {
		worth := new(big.Int).Mul(new(big.Int).SetUint64(in), c.num)
		return worth.Cmp(new(big.Int).Mul(new(big.Int).SetUint64(out), c.den)) >= 0
	}
	worthHi, worthLo := bits.Mul64(in, c.num64)
	wantHi, wantLo := bits.Mul64(out, c.den64)
	return worthHi > wantHi || worthHi == wantHi && worthLo >= wantLo
}

// Convert converts what comes in: Out is what it is worth, rounded down, and Cost the
// fewest units that are worth Out. What is left of In is Dust, so In is Cost and Dust to
// the unit, and never more is paid out than came in. Nothing is kept between two
// conversions, so a crash loses nothing. What Out is worth less than Cost, below one
// unit of from, cannot be booked by anybody: it stays in our liquidity, with Cost.
//
// The error matches ErrInvalid: Out is above 2^128-1 units. (A packet carries amounts
// below 2^64: see ledger.Amount.Uint64.)
func (c *Converter) Convert(in ledger.Amount) (Conversion, error) {
	out := new(big.Int).Mul(in.Big(), c.num)
	out.Quo(out, c.den)
	outUnits, err := c.toAmount(c.to, out)
	if err != nil {
		return Conversion{}, err
	}
	cost, err := c.toAmount(c.from, c.roundedCost(out))
	if err != nil {
		return Conversion{}, err
	}
	return Conversion{In: in, Cost: cost, Dust: in.SubFloor(cost), Out: outUnits}, nil
}

// Deliver converts what must be paid out: In is the fewest units that are worth Out, and
// nothing is left over. The error matches ErrInvalid: In is above 2^128-1 units.
func (c *Converter) Deliver(out ledger.Amount) (Conversion, error) {
	cost, err := c.toAmount(c.from, c.roundedCost(out.Big()))
	return Conversion{In: cost, Cost: cost, Out: out}, err
}

// roundedCost is what an amount is worth in units of from, rounded up.
func (c *Converter) roundedCost(out *big.Int) *big.Int {
	cost, rest := new(big.Int).QuoRem(new(big.Int).Mul(out, c.den), c.num, new(big.Int))
	if rest.Sign() > 0 {
		cost.Add(cost, big.NewInt(1))
	}
	return cost
}

func (c *Converter) toAmount(asset Asset, n *big.Int) (ledger.Amount, error) {
	if n.BitLen() > 128 {
		return ledger.Amount{}, &FieldError{
			Subject: fmt.Sprintf("conversion of %v to %v", c.from, c.to), Field: "Amount",
			Reason: fmt.Sprintf("is too large: %v %s", asset, tooLarge),
		}
	}
	var buf [16]byte
	return ledger.Amount(uint128.FromBytesBE(n.FillBytes(buf[:]))), nil
}
