package currency

import (
	"math/big"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
)

// A result that does not add up is refused: units by the line, values by the line and in total.
func TestResultThatDoesNotAddUp(t *testing.T) {
	t.Parallel()
	makeResult := func() *Result {
		l := newLine(accounts.Asset{Code: "USD", Scale: 2, Ledger: 1})
		l.Capital, l.Closing = Sum{big.NewInt(100), decimal.New(2, 0)}, Sum{big.NewInt(100), decimal.New(3, 0)}
		l.Revaluation = decimal.New(1, 0)
		r := &Result{Lines: []Line{l}}
		r.addLines()
		return r
	}
	require.NoError(t, makeResult().check())
	for name, spoil := range map[string]func(*Result){
		"units": func(r *Result) { r.Lines[0].Fees.Units = big.NewInt(1) },
		"worth": func(r *Result) { r.Lines[0].Revaluation = decimal.New(2, 0) },
		"total": func(r *Result) { r.Total.Gain = decimal.New(2, 0) },
	} {
		r := makeResult()
		spoil(r)
		err := r.check()
		require.ErrorIs(t, err, ErrSums)
		require.ErrorContains(t, err, name)
	}
}
