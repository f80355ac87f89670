package journal_test

import (
	"math/big"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/export"
	"github.com/peerledger/peerledger/export/journal/journaltest"
)

// The programs accept random books, in one part or in several of which each includes the one before, and have our
// balances to the unit. PEERLEDGER_EXPORT_BOOKS is the number of books, PEERLEDGER_EXPORT_SEED the seed.
func TestProgramsHaveOurBalances(t *testing.T) {
	t.Parallel()
	books := 4
	if text := os.Getenv("PEERLEDGER_EXPORT_BOOKS"); text != "" {
		var err error
		books, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	journaltest.Each(t, func(t *testing.T, p journaltest.Program) {
		t.Helper()
		rng, _ := seeded(t)
		for range books {
			b := randomBook(rng, 300)
			b.begin([]int{0, 50}[rng.IntN(2)])
			var ends []int
			if rng.IntN(2) == 0 {
				ends = []int{20 + rng.IntN(40), 80 + rng.IntN(100)}
			}
			parts, closing := b.write(t, p.Format, ends...)
			balances, err := p.Balances(t, p.SaveParts(t, parts))
			require.NoError(t, err)
			requireBalances(t, p, b, closing, balances)
		}
	})
}

// requireBalances compares the balances, after the opening balances have their other side and the limbs are joined.
func requireBalances(t *testing.T, p journaltest.Program, b *book, closing []export.Balance, got map[string]string) {
	t.Helper()
	joinLimbs(t, got)
	want := b.texts(closing, p.AccountName, p.Commodity)
	for _, asset := range b.assets {
		openings := new(big.Int)
		for i, a := range b.accounts {
			if a.Asset == asset {
				openings.Sub(openings, b.opening[i].Big())
			}
		}
		if openings.Sign() != 0 {
			want["Equity:Opening-Balances "+p.Commodity(asset.Code, asset.Scale)] = fixed(openings, asset.Scale)
		}
	}
	for key := range got {
		if strings.HasPrefix(key, "Equity:Other:") { // not in full
			continue
		}
		if want[key] == "" {
			require.Empty(t, got[key], key)
		}
	}
	for key, text := range want {
		require.Equal(t, text, got[key], key)
	}
}

// joinLimbs puts the amounts of beancount's two limbs together: 1 USD-9.E10 is 10^10 USD-9.
func joinLimbs(t *testing.T, balances map[string]string) {
	t.Helper()
	for key, high := range balances {
		plain, exponent, isHigh := strings.Cut(key, ".E")
		if !isHigh {
			continue
		}
		n, err := strconv.Atoi(exponent)
		require.NoError(t, err)
		scale := 19 - n
		sum, ok := new(big.Int).SetString(high, 10)
		require.True(t, ok, high)
		sum.Mul(sum, new(big.Int).Exp(big.NewInt(10), big.NewInt(19), nil))
		if low := strings.Replace(balances[plain], ".", "", 1); low != "" {
			units, ok := new(big.Int).SetString(low, 10)
			require.True(t, ok, low)
			sum.Add(sum, units)
		}
		delete(balances, key)
		delete(balances, plain)
		if sum.Sign() != 0 {
			balances[plain] = fixed(sum, uint8(scale))
		}
	}
}
