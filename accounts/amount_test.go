package accounts_test

import (
	"math/big"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

func TestAmountsInWholeUnits(t *testing.T) {
	t.Parallel()
	scale := func(n uint8) accounts.Asset { return accounts.Asset{Code: "X", Scale: n, Ledger: 1} }
	for _, c := range []struct {
		asset        accounts.Asset
		text, units  string // units "": the text is refused
		formatted    string
		becauseOfThe string
	}{
		{asset: scale(2), text: "12.5", units: "1250", formatted: "12.50"},
		{asset: scale(2), text: "0", units: "0", formatted: "0.00"},
		{asset: scale(2), text: "007.10", units: "710", formatted: "7.10"},
		{asset: scale(2), text: "7.1000", units: "710", formatted: "7.10"}, // exact: nothing is rounded
		{asset: scale(0), text: "5", units: "5", formatted: "5"},
		{asset: scale(0), text: ledger.AmountMax.String(), units: ledger.AmountMax.String(), formatted: ledger.AmountMax.String()},
		{asset: scale(255), text: "0." + strings.Repeat("0", 254) + "1", units: "1", formatted: "0." + strings.Repeat("0", 254) + "1"},
		{asset: scale(2), text: "0.001", becauseOfThe: "must have at most 2 decimals"},
		{asset: scale(0), text: "340282366920938463463374607431768211456", becauseOfThe: "2^128-1"},
		{asset: scale(255), text: "1", becauseOfThe: "2^128-1"},
		{asset: scale(2), text: "", becauseOfThe: "digits"},
		{asset: scale(2), text: "-1", becauseOfThe: "digits"},
		{asset: scale(2), text: "+1", becauseOfThe: "digits"},
		{asset: scale(2), text: " 1", becauseOfThe: "digits"},
		{asset: scale(2), text: "1,000", becauseOfThe: "digits"},
		{asset: scale(2), text: "1.2.3", becauseOfThe: "digits"},
		{asset: scale(2), text: ".5", becauseOfThe: "digits"},
		{asset: scale(2), text: "5.", becauseOfThe: "digits"},
		{asset: scale(2), text: "1e999999999", becauseOfThe: "digits"},
		{asset: scale(2), text: "٣", becauseOfThe: "digits"},
		{asset: scale(2), text: strings.Repeat("0", 1<<20), becauseOfThe: "digits"},
	} {
		got, err := c.asset.Parse(c.text)
		if c.units == "" {
			requireField(t, err, "Amount")
			require.ErrorContains(t, err, c.becauseOfThe)
			require.Less(t, len(err.Error()), 300)
			continue
		}
		require.NoError(t, err, c.text)
		require.Equal(t, c.units, got.String())
		require.Equal(t, c.formatted, c.asset.Format(got))
	}
	for _, d := range []decimal.Decimal{
		decimal.New(-1, 0), decimal.New(1, 1<<30), decimal.New(1, -1<<30), decimal.New(1, -(1 << 31)), decimal.New(15, -3),
	} {
		_, err := scale(2).Units(d)
		requireField(t, err, "Amount")
		require.Less(t, len(err.Error()), 200)
	}
	got, err := scale(2).Units(decimal.New(0, 1<<30))
	require.NoError(t, err)
	require.True(t, got.IsZero())
}

func FuzzParseAmount(f *testing.F) {
	for _, text := range []string{"1", "0.5", "340282366920938463463374607431768211455", "1e5", "-0", "00.10"} {
		f.Add(text, uint8(2))
	}
	f.Fuzz(func(t *testing.T, text string, scale uint8) {
		a := accounts.Asset{Code: "X", Scale: scale, Ledger: 1}
		got, err := a.Parse(text)
		if err != nil {
			require.ErrorIs(t, err, accounts.ErrInvalid)
			return
		}
		want, ok := new(big.Rat).SetString(text)
		require.True(t, ok)
		unit := new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil))
		require.Zero(t, want.Cmp(unit.Mul(unit, new(big.Rat).SetInt(got.Big()))), "exactly what is written")
		again, err := a.Parse(a.Format(got))
		require.NoError(t, err)
		require.Equal(t, got, again)
	})
}
