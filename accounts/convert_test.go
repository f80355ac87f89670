package accounts_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

func rate(text string) decimal.Decimal { return decimal.RequireFromString(text) }

func power(scale uint8) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)
}

func TestConvert(t *testing.T) {
	t.Parallel()
	of := func(scale uint8) accounts.Asset { return accounts.Asset{Code: "X", Scale: scale, Ledger: 1} }
	for _, c := range []struct {
		from, to            uint8
		rate                string
		in, cost, dust, out string
	}{
		{9, 2, "1", "1999999999", "1990000000", "9999999", "199"},
		{2, 9, "1", "199", "199", "0", "1990000000"},
		{2, 2, "0.5", "101", "100", "1", "50"},
		{2, 2, "1.0842", "100", "100", "0", "108"}, // 99.6 of 100 are paid for: no unit remains
		{2, 2, "0.333333", "100", "100", "0", "33"},
		{2, 2, "0.333333", "2", "0", "2", "0"},
		{0, 0, "3", "5", "5", "0", "15"},
		{0, 0, "1", ledger.AmountMax.String(), ledger.AmountMax.String(), "0", ledger.AmountMax.String()},
		{9, 9, "1", "0", "0", "0", "0"},
		{255, 0, "1", ledger.AmountMax.String(), "0", ledger.AmountMax.String(), "0"},
	} {
		converter, err := accounts.NewConverter(of(c.from), of(c.to), rate(c.rate))
		require.NoError(t, err)
		in, err := ledger.ParseAmount(c.in)
		require.NoError(t, err)
		got, err := converter.Convert(in)
		require.NoError(t, err)
		require.Equal(t, [4]string{c.in, c.cost, c.dust, c.out}, [4]string{got.In.String(), got.Cost.String(), got.Dust.String(), got.Out.String()}, c)
	}
	for _, text := range []string{"0", "-1", "1e41", "1e-41", "1e-10000", strings.Repeat("9", 60)} {
		_, err := accounts.NewConverter(of(2), of(2), rate(text))
		requireField(t, err, "Rate")
	}
	large, err := accounts.NewConverter(of(0), of(9), rate("1"))
	require.NoError(t, err)
	_, err = large.Convert(ledger.AmountMax)
	requireField(t, err, "Amount")
	small, err := accounts.NewConverter(of(9), of(0), rate("1"))
	require.NoError(t, err)
	_, err = small.Deliver(ledger.AmountMax)
	requireField(t, err, "Amount")
}

// manyConversions is the number of random conversions, and fewer with the race detector.
var manyConversions = 1_000_000

// A million conversions lose nothing. In units, the incoming amounts are exactly the costs and
// the dust. In exact value, the costs are worth the outgoing amounts, plus less than a unit for
// each conversion.
func TestMillionConversionsLoseNothing(t *testing.T) {
	t.Parallel()
	conversions := manyConversions
	if testing.Short() {
		conversions = 10_000
	}
	const perRate = 1000
	random := rand.New(rand.NewPCG(ledgertest.Seed(t), 11))
	in, cost, dust := new(big.Int), new(big.Int), new(big.Int)
	for range conversions / perRate {
		from := accounts.Asset{Code: "A", Scale: uint8(random.IntN(19)), Ledger: 1}
		to := accounts.Asset{Code: "B", Scale: uint8(random.IntN(19)), Ledger: 2}
		price := decimal.New(random.Int64N(1_000_000_000)+1, int32(random.IntN(12)-9))
		converter, err := accounts.NewConverter(from, to, price)
		require.NoError(t, err)
		// Units of to for a unit of from, computed in a different way.
		worth := new(big.Rat).Mul(price.Rat(), new(big.Rat).SetFrac(power(to.Scale), power(from.Scale)))
		paidFor, paidOut := new(big.Int), new(big.Int)
		for range perRate {
			amount := ledger.Amount(uint128.From64(random.Uint64() >> random.IntN(64)))
			got, err := converter.Convert(amount)
			for ; err != nil; got, err = converter.Convert(amount) { // too large in the asset to
				require.ErrorIs(t, err, accounts.ErrInvalid)
				amount = ledger.Amount(uint128.Uint128(amount).Rsh(16))
			}
			sum, fits := got.Cost.Add(got.Dust)
			if !fits || sum != amount || got.In != amount {
				t.Fatalf("%v of %v: cost %v, dust %v", amount, from, got.Cost, got.Dust)
			}
			back, err := converter.Deliver(got.Out)
			require.NoError(t, err)
			if back.In != got.Cost {
				t.Fatalf("%v delivered for %v, converted for %v", got.Out, back.In, got.Cost)
			}
			in.Add(in, got.In.Big())
			cost.Add(cost, got.Cost.Big())
			dust.Add(dust, got.Dust.Big())
			paidFor.Add(paidFor, got.Cost.Big())
			paidOut.Add(paidOut, got.Out.Big())
		}
		kept := new(big.Rat).Mul(new(big.Rat).SetInt(paidFor), worth)
		kept.Sub(kept, new(big.Rat).SetInt(paidOut)) // in units of to
		require.GreaterOrEqual(t, kept.Sign(), 0, "never more is paid out than paid for")
		bound := new(big.Rat).Mul(worth, new(big.Rat).SetInt64(perRate))
		require.Negative(t, kept.Cmp(bound), "less than a unit of from for each")
	}
	require.Zero(t, in.Cmp(new(big.Int).Add(cost, dust)))
	t.Logf("%d conversions: in %v = cost %v + dust %v", conversions, in, cost, dust)
}

// The outgoing amount of a Converter is covered by the incoming one, and one unit more is not, at
// rates of 64 bits and longer ones.
func TestConverterCovers(t *testing.T) {
	t.Parallel()
	for _, rate := range []string{"1", "0.923456789", "3", "0.333333333333333333333333333333", "123456789012345678901234567890", "0.0000001"} {
		c, err := accounts.NewConverter(usd, xrp, decimal.RequireFromString(rate))
		require.NoError(t, err)
		for _, in := range []uint64{0, 1, 7, 1 << 20, 1<<63 + 5, 1<<64 - 1} {
			got, err := c.Convert(ledger.NewAmount(in))
			out, fits := got.Out.Uint64()
			if err != nil || !fits || out == 1<<64-1 { // worth more than any packet
				require.True(t, c.Covers(in, 1<<64-1), "%s: %d", rate, in)
				continue
			}
			require.True(t, c.Covers(in, out), "%s: %d covers %d", rate, in, out)
			require.False(t, c.Covers(in, out+1), "%s: %d covers %d", rate, in, out+1)
		}
	}
}

// A converted amount of 2^64 units and more is refused, with the largest amount that passes: no
// packet carries the lowest 64 bits in its place.
func TestConvertPacket(t *testing.T) {
	t.Parallel()
	of := func(scale uint8) accounts.Asset { return accounts.Asset{Code: "X", Scale: scale, Ledger: 1} }
	for _, c := range []struct {
		from, to  uint8
		rate      string
		in        uint64
		out, dust uint64
		largest   uint64 // 0: converted
	}{
		{9, 2, "1", 1999999999, 199, 9999999, 0},
		{0, 9, "1", 18446744073, 18446744073000000000, 0, 0},
		{0, 9, "1", 18446744074, 0, 0, 18446744073},
		{0, 0, "1", math.MaxUint64, math.MaxUint64, 0, 0},
		{0, 0, "0.5", math.MaxUint64, math.MaxInt64, 1, 0},
		{0, 0, "2", 1 << 63, 0, 0, math.MaxInt64},
		{0, 0, "2", math.MaxInt64, math.MaxUint64 - 1, 0, 0},
		{0, 0, "1.5", 12297829382473034411, 0, 0, 12297829382473034410},
		{0, 0, "1.5", 12297829382473034410, math.MaxUint64, 0, 0},
		{0, 255, "1", 1, 0, 0, 0}, // not even one unit; see below
		{255, 0, "1", math.MaxUint64, 0, math.MaxUint64, 0},
	} {
		converter, err := accounts.NewConverter(of(c.from), of(c.to), rate(c.rate))
		require.NoError(t, err)
		out, dust, err := converter.ConvertPacket(c.in)
		require.Equal(t, [2]uint64{c.out, c.dust}, [2]uint64{out, dust}, c)
		if c.largest == 0 && c.to != 255 {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, accounts.ErrInvalid)
		var large *accounts.PacketTooLargeError
		require.ErrorAs(t, err, &large)
		require.Equal(t, accounts.PacketTooLargeError{From: of(c.from), To: of(c.to), In: c.in, MaxIn: c.largest}, *large)
		_, _, err = converter.ConvertPacket(large.MaxIn)
		require.NoError(t, err)
	}
}
