package journal_test

import (
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/export"
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
	eachProgram(t, func(t *testing.T, p program) {
		t.Helper()
		rng, _ := seeded(t)
		for range books {
			b := randomBook(rng, 300)
			b.begin([]int{0, 50}[rng.IntN(2)])
			var ends []int
			if rng.IntN(2) == 0 {
				ends = []int{20 + rng.IntN(40), 80 + rng.IntN(100)}
			}
			parts, closing := b.write(t, p.format, ends...)
			balances, err := p.balances(t, saveParts(t, p, parts))
			require.NoError(t, err)
			requireBalances(t, p, b, closing, balances)
		}
	})
}

// saveParts writes each part to a file, and returns the path of one that includes them.
func saveParts(t *testing.T, p program, parts []string) string {
	t.Helper()
	folder, includes := t.TempDir(), ""
	for i, part := range parts {
		path := filepath.Join(folder, strconv.Itoa(i)+p.format.Extension)
		require.NoError(t, os.WriteFile(path, []byte(part), 0o600))
		includes += fmt.Sprintf(p.include, path) + "\n"
	}
	path := filepath.Join(folder, "all"+p.format.Extension)
	require.NoError(t, os.WriteFile(path, []byte(includes), 0o600))
	return path
}

// requireBalances compares the balances, after the opening balances have their other side and the limbs are joined.
func requireBalances(t *testing.T, p program, b *book, closing []export.Balance, got map[string]string) {
	t.Helper()
	joinLimbs(t, got)
	want := b.texts(closing, p.accountName, p.commodity)
	for _, asset := range b.assets {
		openings := new(big.Int)
		for i, a := range b.accounts {
			if a.Asset == asset {
				openings.Sub(openings, b.opening[i].Big())
			}
		}
		if openings.Sign() != 0 {
			want["Equity:Opening-Balances "+p.commodity(asset.Code, asset.Scale)] = fixed(openings, asset.Scale)
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

// accountName returns the name of an account, as docs/accounting.md has it.
func (p program) accountName(a *export.Account) string {
	name := map[export.AccountKind]string{
		export.KindPeer: "Liabilities:Peer", export.KindArrears: "Assets:Arrears", export.KindSettlement: "Assets:Settlement",
		export.KindLiquidity: "Equity:Liquidity", export.KindRevenue: "Income:Revenue", export.KindDust: "Income:Dust",
		export.KindSuspense: "Liabilities:Suspense", export.KindOutside: "Assets:Outside", export.KindControl: "Equity:Control",
		export.KindTransit: "Liabilities:Transit", export.KindOther: "Equity:Other",
	}[a.Kind]
	if a.Peer != "" {
		return name + ":" + p.account(a.Peer)
	}
	if !a.Hash.IsZero() {
		return name + ":" + p.hash + a.Hash.String()
	}
	return name
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
