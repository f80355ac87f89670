package parquet_test

import (
	"bytes"
	"encoding/json"
	"math/big"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/export"
	"github.com/peerledger/peerledger/export/parquet"
	"github.com/peerledger/peerledger/ledger"
)

// opened is what a program has of a file.
type opened struct {
	Type string   `json:"type"` // of the column amount
	Rows [][]any  `json:"rows"` // asset, debit, credit, amount, debit balance, credit balance, time in ns
	Sums [][2]any `json:"sums"` // ledger number and sum of amounts, by the program
}

// DuckDB, pyarrow, pandas and Polars have every amount, balance, time and sum to the unit, negative balances
// included: as decimals up to 38 digits, in one scale for all assets, and else as texts.
func TestProgramsOpenExactly(t *testing.T) {
	t.Parallel()
	nano, atto := accounts.Asset{Code: "USD", Scale: 9, Ledger: 1}, accounts.Asset{Code: "USD", Scale: 18, Ledger: 2}
	yen, fine := accounts.Asset{Code: `¥"`, Scale: 0, Ledger: 3}, accounts.Asset{Code: "X", Scale: 30, Ledger: 4}
	for name, test := range map[string]struct {
		assets  []accounts.Asset
		bits    uint
		decimal bool
	}{
		"small amounts of three scales": {[]accounts.Asset{nano, atto, yen}, 40, true},
		"up to 38 digits":               {[]accounts.Asset{nano}, 115, true},
		"39 digits":                     {[]accounts.Asset{nano, yen}, 128, false},
		"scale 30":                      {[]accounts.Asset{fine}, 100, true},
		"scales 0 and 30":               {[]accounts.Asset{fine, yen}, 60, false},
		"scale 39":                      {[]accounts.Asset{{Code: "Y", Scale: 39, Ledger: 5}}, 60, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Log("seed", seed)
			b := newBook(rand.New(rand.NewPCG(seed, 0)), test.assets, test.bits, 500)
			path := filepath.Join(t.TempDir(), "entries.parquet")
			require.NoError(t, os.WriteFile(path, b.write(t), 0o600))
			programs, totals := openFile(t, path)
			require.Equal(t, b.totals(), totals)
			require.Len(t, programs, 4)
			for program, got := range programs {
				require.Equal(t, test.decimal, strings.HasPrefix(strings.ToLower(got.Type), "decimal"), "%s: %s", program, got.Type)
				b.requireRows(t, program, got, test.decimal)
			}
		})
	}
}

// A file without entries has all columns.
func TestProgramsOpenAnEmptyFile(t *testing.T) {
	t.Parallel()
	b := newBook(rand.New(rand.NewPCG(1, 1)), []accounts.Asset{{Code: "USD", Scale: 2, Ledger: 1}}, 8, 0)
	path := filepath.Join(t.TempDir(), "entries.parquet")
	require.NoError(t, os.WriteFile(path, b.write(t), 0o600))
	programs, totals := openFile(t, path)
	require.Equal(t, "0.00", totals[0].Amounts)
	for _, got := range programs {
		require.Empty(t, got.Rows)
	}
}

func openFile(t *testing.T, path string) (map[string]opened, []parquet.Total) {
	t.Helper()
	python := os.Getenv("PEERLEDGER_TABLES")
	if python == "" {
		t.Skip("needs DuckDB, pyarrow, pandas and Polars: .ci/install tables, and PEERLEDGER_TABLES")
	}
	cmd := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "open.py"), path)
	var faults bytes.Buffer
	cmd.Stderr = &faults
	output, err := cmd.Output()
	require.NoError(t, err, faults.String())
	var result struct {
		DuckDB, Pyarrow, Pandas, Polars opened
		Totals                          []parquet.Total
		Versions                        []string
	}
	decoder := json.NewDecoder(bytes.NewReader(output))
	decoder.UseNumber()
	require.NoError(t, decoder.Decode(&result))
	for _, version := range result.Versions {
		t.Logf("took part: %s", version)
	}
	return map[string]opened{"duckdb": result.DuckDB, "pyarrow": result.Pyarrow, "pandas": result.Pandas, "polars": result.Polars}, result.Totals
}

// book is an export to be written.
type book struct {
	header  export.Header
	entries []export.Entry
	closing []export.Balance
}

func newBook(rng *rand.Rand, assets []accounts.Asset, bits uint, entries int) *book {
	b := &book{header: export.Header{Part: 1}}
	for _, asset := range assets {
		b.header.Assets = append(b.header.Assets, export.Asset{Asset: asset, Bound: new(big.Int)})
		for _, peer := range []string{"alice", "日本\n", `"'`, ""} {
			kind := export.KindPeer
			if peer == "" {
				kind = export.KindLiquidity
			}
			b.header.Accounts = append(b.header.Accounts, &export.Account{Index: len(b.closing), Asset: asset, Kind: kind, Peer: peer, New: true})
			b.closing = append(b.closing, export.Balance{})
		}
	}
	b.header.Opening = append(b.header.Opening, b.closing...)
	at := uint64(time.Date(2026, 1, 30, 23, 59, 59, 999_999_999, time.UTC).UnixNano())
	for len(b.entries) < entries {
		debit, credit := b.header.Accounts[rng.IntN(len(b.closing))], b.header.Accounts[rng.IntN(len(b.closing))]
		amount := ledger.Amount(uint128.New(rng.Uint64(), rng.Uint64()).Rsh(128 - bits))
		debitBalance, fits := b.closing[debit.Index].Debit(amount)
		creditBalance, fitsToo := b.closing[credit.Index].Credit(amount)
		if debit.Asset != credit.Asset || debit == credit || amount.IsZero() || !fits || !fitsToo {
			continue
		}
		b.closing[debit.Index], b.closing[credit.Index] = debitBalance, creditBalance
		b.entries = append(b.entries, export.Entry{
			Time: at, Transfer: ledger.NewID(at, 1), Count: 1, Kind: accounts.EntryPacket, Debit: debit, Credit: credit, Amount: amount,
			DebitBalance: debitBalance, CreditBalance: creditBalance,
		})
		at++
		for i := range b.header.Assets {
			if bound := b.header.Assets[i].Bound; b.header.Assets[i].Asset == debit.Asset {
				bound.Add(bound, amount.Big())
			}
		}
	}
	return b
}

func (b *book) write(t *testing.T) []byte {
	t.Helper()
	summary := &export.Summary{Closing: b.closing}
	for _, a := range b.header.Assets {
		total := export.Total{Amounts: a.Bound}
		for i := range b.entries {
			if b.entries[i].Debit.Asset == a.Asset {
				total.Entries++
				total.Transfers++
			}
		}
		summary.Totals = append(summary.Totals, total)
	}
	var file bytes.Buffer
	w := parquet.Format().NewWriter(&file)
	require.NoError(t, w.Begin(&b.header))
	for i := range b.entries {
		e := b.entries[i]
		require.NoError(t, w.Write(&e))
	}
	require.NoError(t, w.End(summary))
	return file.Bytes()
}

func (b *book) totals() []parquet.Total {
	var totals []parquet.Total
	for _, a := range b.header.Assets {
		total := parquet.Total{Asset: a.Code, Scale: a.Scale, Ledger: a.Ledger, Amounts: fixed(a.Bound, a.Scale)}
		for i := range b.entries {
			if b.entries[i].Debit.Asset == a.Asset {
				total.Entries++
				total.Transfers++
			}
		}
		totals = append(totals, total)
	}
	return totals
}

// requireRows compares rows and sums as numbers: decimals have the decimals of the largest scale.
func (b *book) requireRows(t *testing.T, program string, got opened, hasSums bool) {
	t.Helper()
	require.Len(t, got.Rows, len(b.entries), program)
	for i, e := range b.entries {
		row, scale := got.Rows[i], e.Debit.Asset.Scale
		require.Equal(t, []any{e.Debit.Asset.Code, e.Debit.Name(), e.Credit.Name()}, row[:3], program)
		for j, want := range []*big.Int{e.Amount.Big(), e.DebitBalance.Big(), e.CreditBalance.Big()} {
			number, err := decimal.NewFromString(row[3+j].(string))
			require.NoError(t, err)
			require.True(t, decimal.NewFromBigInt(want, -int32(scale)).Equal(number), "%s: %v, not %s units at scale %d", program, row[3+j], want, scale)
		}
		require.Equal(t, json.Number(uint128.From64(e.Time).String()), row[6], program)
	}
	if !hasSums {
		return
	}
	require.Len(t, got.Sums, len(b.header.Assets), program)
	for i, sum := range got.Sums {
		number, err := decimal.NewFromString(sum[1].(string))
		require.NoError(t, err)
		a := b.header.Assets[i]
		require.True(t, decimal.NewFromBigInt(a.Bound, -int32(a.Scale)).Equal(number), "%s: the sum is %v, not %s units", program, sum[1], a.Bound)
	}
}

func fixed(units *big.Int, scale uint8) string {
	return new(big.Rat).SetFrac(units, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)).FloatString(int(scale))
}
