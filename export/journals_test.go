package export_test

import (
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/export"
	"github.com/peerledger/peerledger/export/journal/journaltest"
)

// sums adds up the entries of each account.
type sums struct {
	balances map[*export.Account]*big.Int
}

func (s sums) Begin(*export.Header) error { return nil }
func (s sums) Write(e *export.Entry) error {
	for account, amount := range map[*export.Account]*big.Int{e.Debit: e.Amount.Big(), e.Credit: new(big.Int).Neg(e.Amount.Big())} {
		if s.balances[account] == nil {
			s.balances[account] = new(big.Int)
		}
		s.balances[account].Add(s.balances[account], amount)
	}
	return nil
}
func (s sums) End(*export.Summary) error { return nil }

// The accounting programs accept the parts of a continued export, each included behind the one before, and have
// the balances of one whole export: with peers that are added, sums by day, of some peers, and with peers that leave the
// configuration and come into it: a peer keeps the name that the parts before have.
func TestContinuedJournals(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Log("seed", seed)
	const otherNames = "other names"
	for name, query := range map[string]export.Query{
		"entries":    {Names: peerNames},
		"days":       {Names: peerNames, Sum: export.SumDay},
		"some peers": {Names: peerNames, Peers: peerNames[:2]},
		otherNames:   {Names: peerNames[:1]},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			journaltest.Each(t, func(t *testing.T, p journaltest.Program) {
				t.Helper()
				w, query := newWorld(t, seed), query
				folder, parts := t.TempDir(), []string{}
				for i := range 4 {
					w.bookEvents(40)
					if i == 2 {
						w.addPeers(peerNames[3])
					}
					if name == otherNames && i > 0 {
						query.Names = peerNames[1:]
					}
					part, err := export.WritePart(t.Context(), w.ledger, w.book, query, folder, p.Format)
					require.NoError(t, err)
					if part.Name != "" {
						parts = append(parts, part.Name)
					}
				}
				got, err := p.Balances(t, p.IncludeAll(t, folder, len(parts), func(i int) string { return parts[i] }))
				require.NoError(t, err)
				whole := sums{map[*export.Account]*big.Int{}}
				if name == otherNames {
					query.Names = []string{peerNames[0], peerNames[3]}
				}
				if query.Sum == export.SumDay { // the newest row's day is not over
					var h export.Header
					_, err = export.Run(t.Context(), w.ledger, w.book, query, &headerWriter{&h})
					require.NoError(t, err)
					query.To = time.Unix(0, int64(h.Last)).UTC().Truncate(24 * time.Hour)
				}
				_, err = export.Run(t.Context(), w.ledger, w.book, query, whole)
				require.NoError(t, err)
				want := map[string]string{}
				for account, sum := range whole.balances {
					if sum.Sign() != 0 {
						asset := account.Asset
						want[p.AccountName(account)+" "+p.Commodity(asset.Code, asset.Scale)] = fixed(sum, asset)
					}
				}
				require.Equal(t, want, got)
			})
		})
	}
}

// fixed returns whole units with all decimals.
func fixed(units *big.Int, asset accounts.Asset) string {
	return new(big.Rat).SetFrac(units, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(asset.Scale)), nil)).FloatString(int(asset.Scale))
}
