package accounts

import (
	"fmt"
	"math"
	"math/big"
	"math/bits"

	"github.com/shopspring/decimal"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
)

// Converter converts amounts between two assets at a rate, or between two scales at rate 1. It is
// immutable, and may be used concurrently.
type Converter struct {
	from, to Asset
	num, den *big.Int // units of to for one unit of from
	num64    uint64   // and den64: num and den if both fit; otherwise den64 is 0
	den64    uint64
}

// Conversion is a converted amount. In, Out and Dust are fields of a transfers.Packet between the
// assets: the recorder books Dust in the chain of the packet.
type Conversion struct {
	In   ledger.Amount // units of from: the sum of Cost and Dust
	Cost ledger.Amount // units of from: the worth of Out, rounded up
	Dust ledger.Amount // units of from: the remainder
	Out  ledger.Amount // units of to
}

// PacketTooLargeError is returned by [Converter.ConvertPacket]: the converted amount has no room in
// a packet, whose amount has 64 bits. It matches [ErrInvalid]. The amounts are units of the incoming
// asset: an ILP connector answers the sender with both (F08).
type PacketTooLargeError struct {
	From, To Asset
	In       uint64 // of the packet
	MaxIn    uint64 // the largest amount with a converted amount below 2^64
}

func (e *PacketTooLargeError) Error() string {
	return fmt.Sprintf("accounts: conversion of %v to %v: an amount of %d is above 2^64-1 units after it; the largest is %d", e.From, e.To, e.In, e.MaxIn)
}

// Is reports whether target is [ErrInvalid].
func (e *PacketTooLargeError) Is(target error) bool { return target == ErrInvalid }

// maxRateText bounds the digits of a rate, to keep conversions fast.
const maxRateText = 40

// NewConverter makes a [Converter]. The rate is the worth of one whole unit of from in whole
// units of to: above 0, with at most 40 digits before and after the point. The error matches
// [ErrInvalid] and names the Rate.
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

// Covers reports whether in, in units of from, is worth at least out, in units of to. It is made
// for the hot path: it allocates only for a rate of more than some 19 digits.
func (c *Converter) Covers(in, out uint64) bool {
	if c.den64 == 0 {
		worth := new(big.Int).Mul(new(big.Int).SetUint64(in), c.num)
		return worth.Cmp(new(big.Int).Mul(new(big.Int).SetUint64(out), c.den)) >= 0
	}
	worthHi, worthLo := bits.Mul64(in, c.num64)
	wantHi, wantLo := bits.Mul64(out, c.den64)
	return worthHi > wantHi || worthHi == wantHi && worthLo >= wantLo
}

// Convert converts an incoming amount. Out is its worth, rounded down. Cost is the fewest units
// worth Out, and Dust is the rest of In: In is exactly Cost plus Dust, and never more is paid out
// than came in. A Converter keeps no remainder between conversions, so a crash loses nothing.
// Cost may be worth up to one unit of from more than Out. This fraction cannot be booked: it
// stays in our liquidity with Cost.
//
// The error matches [ErrInvalid]: Out is above 2^128-1 units. (A packet carries amounts below
// 2^64: see [ledger.Amount.Uint64].)
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

// ConvertPacket converts the amount of a packet, as [Converter.Convert] does. out and dust are
// fields of a transfers.Packet whose In is in.
//
// The error is a [*PacketTooLargeError]: out would be above 2^64-1. Refuse the packet before any
// packet is sent on: some connectors send the lowest 64 bits instead.
func (c *Converter) ConvertPacket(in uint64) (out, dust uint64, err error) {
	conversion, err := c.Convert(ledger.NewAmount(in))
	outUnits, fits := conversion.Out.Uint64()
	if err != nil || !fits {
		return 0, 0, &PacketTooLargeError{From: c.from, To: c.to, In: in, MaxIn: c.maxPacket()}
	}
	dust, _ = conversion.Dust.Uint64() // fits: it is a part of in
	return outUnits, dust, nil
}

// maxPacket returns the largest amount of a packet whose converted amount is below 2^64:
// amount * num / den < 2^64.
func (c *Converter) maxPacket() uint64 {
	largest := new(big.Int).Lsh(c.den, 64)
	largest.Sub(largest, big.NewInt(1)).Quo(largest, c.num)
	if !largest.IsUint64() {
		return math.MaxUint64
	}
	return largest.Uint64()
}

// Deliver converts an outgoing amount: In is the fewest units worth Out, without Dust. The error
// matches [ErrInvalid]: In is above 2^128-1 units.
func (c *Converter) Deliver(out ledger.Amount) (Conversion, error) {
	cost, err := c.toAmount(c.from, c.roundedCost(out.Big()))
	return Conversion{In: cost, Cost: cost, Out: out}, err
}

// roundedCost returns the worth of an amount in units of from, rounded up.
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
