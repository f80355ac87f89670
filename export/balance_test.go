package export_test

import (
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/export"
	"github.com/peerledger/peerledger/ledger"
)

// Balances are the sums that big integers give, or do not fit 128 bits.
func TestBalanceCountsAsBigIntegers(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Log("seed", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	limit := ledger.AmountMax.Big()
	var balance export.Balance
	exact := new(big.Int)
	for range 100_000 {
		amount := ledger.Amount(uint128.New(rng.Uint64(), rng.Uint64()).Rsh(uint(rng.IntN(128))))
		change, move := amount.Big(), balance.Debit
		if rng.IntN(2) == 0 {
			change.Neg(change)
			move = balance.Credit
		}
		after, ok := move(amount)
		sum := change.Add(change, exact)
		require.Equal(t, sum.CmpAbs(limit) <= 0, ok)
		if !ok {
			continue
		}
		balance, exact = after, sum
		require.Equal(t, exact.String(), balance.String())
		require.Zero(t, exact.Cmp(balance.Big()))
		require.Equal(t, exact.Sign() == 0, balance.IsZero())
		require.Equal(t, exact.Sign() < 0, balance.Negative)
	}
}

func TestAccountNames(t *testing.T) {
	t.Parallel()
	for name, account := range map[string]export.Account{
		"liquidity":                              {Kind: export.KindLiquidity},
		"peer:alice":                             {Kind: export.KindPeer, Peer: "alice"},
		"arrears:a:b#c":                          {Kind: export.KindArrears, Peer: "a:b#c"},
		"other#0000000000000000000000000000002a": {Kind: export.KindOther, Hash: ledger.NewID(42, 0)},
	} {
		require.Equal(t, name, account.Name())
	}
}
