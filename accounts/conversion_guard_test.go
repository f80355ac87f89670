package accounts_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
)

// Each check by itself, and the zero guard. 5 cents are worth 10 of the other asset.
func TestConversionGuard(t *testing.T) {
	t.Parallel()
	from := accounts.Asset{Code: "A", Scale: 2, Ledger: 1}
	strict, lossy := accounts.Asset{Code: "B", Scale: 2, Ledger: 2}, accounts.Asset{Code: "B", Scale: 2, Ledger: 2, AllowLoss: true}
	double := func(a, b accounts.Asset) *accounts.Converter {
		c, err := accounts.NewConverter(a, b, rate("2"))
		require.NoError(t, err)
		return c
	}
	none := func(accounts.Asset, accounts.Asset) *accounts.Converter { return nil }
	for _, c := range []struct {
		guard                     accounts.ConversionGuard
		in, out                   uint64
		allowsStrict, allowsLossy bool
	}{
		{accounts.ConversionGuard{}, 5, 0, true, true},
		{accounts.ConversionGuard{}, 0, 5, true, true},
		{accounts.ConversionGuard{GuardConversions: true}, 5, 0, false, false},
		{accounts.ConversionGuard{GuardConversions: true}, 0, 5, false, true},
		{accounts.ConversionGuard{GuardConversions: true}, 0, 0, true, true},
		{accounts.ConversionGuard{GuardConversions: true}, 1, 900, true, true},
		{accounts.ConversionGuard{Rate: none}, 1, 900, true, true},
		{accounts.ConversionGuard{Rate: double}, 5, 10, true, true},
		{accounts.ConversionGuard{Rate: double}, 5, 11, false, true},
		{accounts.ConversionGuard{Rate: double}, 0, 1, false, true},
		{accounts.ConversionGuard{Rate: double}, 5, 0, true, true},
		{accounts.ConversionGuard{GuardConversions: true, Rate: double}, 5, 0, false, false},
	} {
		require.Equal(t, c.allowsStrict, c.guard.Allows(from, strict, c.in, c.out), "%+v", c)
		require.Equal(t, c.allowsLossy, c.guard.Allows(from, lossy, c.in, c.out), "%+v", c)
	}
}

func ExampleConversionGuard_Allows() {
	usd, eur := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}, accounts.Asset{Code: "EUR", Scale: 2, Ledger: 2}
	guard := accounts.ConversionGuard{GuardConversions: true}
	fmt.Println(guard.Allows(usd, eur, 100, 92), guard.Allows(usd, eur, 1, 0))
	// Output: true false
}
