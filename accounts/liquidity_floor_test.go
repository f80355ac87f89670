package accounts_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// Liquidity above, at and below a floor; floors above, below and at 0, and none. A difference
// beyond 128 bits is the largest amount.
func TestLiquidityReserve(t *testing.T) {
	t.Parallel()
	const full = "3402823669209384634633746074317682114.55" // 2^128-1 units
	asset := accounts.Asset{Code: "A", Scale: 2, Ledger: 1}
	for _, c := range []struct {
		floor           accounts.Decimal
		credits, debits ledger.Amount
		above, below    ledger.Amount
	}{
		{"5.25", ledger.NewAmount(600), ledger.NewAmount(20), ledger.NewAmount(55), ledger.Amount{}},
		{"5.25", ledger.NewAmount(525), ledger.Amount{}, ledger.Amount{}, ledger.Amount{}},
		{"5.25", ledger.NewAmount(20), ledger.NewAmount(600), ledger.Amount{}, ledger.NewAmount(1105)},
		{"-5.00", ledger.NewAmount(20), ledger.NewAmount(519), ledger.NewAmount(1), ledger.Amount{}},
		{"-5.00", ledger.NewAmount(20), ledger.NewAmount(521), ledger.Amount{}, ledger.NewAmount(1)},
		{"0", ledger.NewAmount(7), ledger.Amount{}, ledger.NewAmount(7), ledger.Amount{}},
		{"", ledger.Amount{}, ledger.NewAmount(7), ledger.Amount{}, ledger.NewAmount(7)},
		{full, ledger.AmountMax, ledger.Amount{}, ledger.Amount{}, ledger.Amount{}},
		{full, ledger.Amount{}, ledger.AmountMax, ledger.Amount{}, ledger.AmountMax},
		{"-" + full, ledger.AmountMax, ledger.Amount{}, ledger.AmountMax, ledger.Amount{}},
	} {
		cfg := accounts.Config{Assets: []accounts.Asset{asset}}
		if c.floor != "" {
			cfg.LiquidityFloors = map[accounts.Asset]accounts.Decimal{asset: c.floor}
		}
		book, err := accounts.NewBook(embedded.New(), cfg)
		require.NoError(t, err)
		got := book.LiquidityReserve(asset, &ledger.Account{CreditsPosted: c.credits, DebitsPosted: c.debits, DebitsPending: ledger.NewAmount(3)})
		require.Equal(t, accounts.LiquidityReserve{Asset: asset, AboveFloor: c.above, BelowFloor: c.below, Held: ledger.NewAmount(3)}, got, "%+v", c)
	}
}
