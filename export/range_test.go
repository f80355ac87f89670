package export_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/export"
	"github.com/peerledger/peerledger/ledger"
)

// Parts written in random steps, while events go on, are together one whole export.
func TestPartsAreOneExport(t *testing.T) {
	t.Parallel()
	for _, format := range []export.Format{export.CSV(), export.JSONLines()} {
		w := newWorld(t, rand.Uint64())
		folder, parts := t.TempDir(), 0
		for range 6 {
			w.bookEvents(w.rng.IntN(60))
			if w.rng.IntN(3) == 0 && len(w.peers) < 15 {
				w.addPeers(peerNames[len(w.peers)/3])
			}
			part, err := export.WritePart(t.Context(), w.ledger, w.book, export.Query{Names: peerNames}, folder, format)
			require.NoError(t, err)
			if part.Name != "" {
				parts++
			}
		}
		require.Greater(t, parts, 2)
		whole := filepath.Join(t.TempDir(), "whole")
		_, err := export.WriteFile(t.Context(), w.ledger, w.book, export.Query{Names: peerNames}, whole, format)
		require.NoError(t, err)
		want, err := os.ReadFile(whole)
		require.NoError(t, err)
		head := ""
		if format.Name == "csv" {
			head = strings.Join(export.ColumnNames(), ",") + "\n"
		}
		together := head
		for number := range parts {
			text, err := os.ReadFile(filepath.Join(folder, fmt.Sprintf("entries-%06d%s", number+1, format.Extension)))
			require.NoError(t, err)
			together += strings.TrimPrefix(string(text), head)
		}
		require.Equal(t, string(want), together)
		names, err := filepath.Glob(filepath.Join(folder, ".*"))
		require.NoError(t, err)
		require.Empty(t, names, "no temporary file is left")
	}
}

// Two exports at once into one folder would write the same entries: the second one is refused and leaves the first alone.
func TestOneExportAtATime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rand.Uint64())
	w.bookEvents(20)
	folder, asked := t.TempDir(), 0
	csvFormat := export.CSV()
	during := export.Format{Name: csvFormat.Name, Extension: csvFormat.Extension, NewWriter: func(out io.Writer) export.Writer {
		asked++
		_, err := export.WritePart(t.Context(), w.ledger, w.book, export.Query{}, folder, csvFormat)
		require.ErrorIs(t, err, export.ErrBusy)
		return csvFormat.NewWriter(out)
	}}
	part, err := export.WritePart(t.Context(), w.ledger, w.book, export.Query{}, folder, during)
	require.NoError(t, err)
	require.Equal(t, []int{1, 1}, []int{part.Number, asked})
	part, err = export.WritePart(t.Context(), w.ledger, w.book, export.Query{}, folder, csvFormat)
	require.NoError(t, err, "the folder is free again")
	require.Empty(t, part.Name)
}

// Parts of sums end with whole days: the sums of a day are in one part.
func TestPartsOfSums(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rand.Uint64())
	folder, days := t.TempDir(), map[string]string{}
	for range 8 {
		w.bookEvents(w.rng.IntN(40))
		part, err := export.WritePart(t.Context(), w.ledger, w.book, export.Query{Names: peerNames, Sum: export.SumDay}, folder, export.CSV())
		require.NoError(t, err)
		if part.Name == "" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(folder, part.Name))
		require.NoError(t, err)
		for _, row := range parseCSV(t, string(text)) {
			if name, known := days[row["time"]]; known {
				require.Equal(t, name, part.Name, "the sums of %s are in two parts", row["time"])
			}
			days[row["time"]] = part.Name
		}
	}
	require.Greater(t, len(days), 1)
}

// An export of a range has the rows of the range alone, and the balances before and after it.
func TestRange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rand.Uint64())
	w.bookEvents(200)
	all, _ := exportCSV(t, w, export.Query{})
	timeOfRow := func(i int) time.Time {
		at, err := time.Parse(time.RFC3339Nano, all[i]["time"])
		require.NoError(t, err)
		return at
	}
	for range 20 {
		first := w.rng.IntN(len(all))
		end := first + w.rng.IntN(len(all)-first)
		q := export.Query{From: timeOfRow(first), To: timeOfRow(end)}
		if first == end {
			q.To = q.To.Add(1)
			end++
		}
		rows, summary := exportCSV(t, w, q)
		require.Equal(t, all[first:end], rows)
		entries := 0
		for _, total := range summary.Totals {
			entries += int(total.Entries)
		}
		require.Equal(t, end-first, entries)
	}
	rows, _ := exportCSV(t, w, export.Query{From: timeOfRow(len(all) - 1).Add(time.Hour)})
	require.Empty(t, rows)
	rows, _ = exportCSV(t, w, export.Query{To: time.Unix(0, 1)})
	require.Empty(t, rows)
}

// An export of some assets or peers has their rows as a whole export has them; accounts of which rows are missing have no
// balance.
func TestAssetsAndPeers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rand.Uint64())
	w.addPeers(peerNames[3:]...)
	w.bookEvents(300)
	all, _ := exportCSV(t, w, export.Query{})
	selectRows := func(accept func(row map[string]string) bool, isCovered func(name string) bool) (rows []map[string]string) {
		for _, row := range all {
			if !accept(row) {
				continue
			}
			kept := map[string]string{}
			for name, value := range row {
				kept[name] = value
			}
			for _, side := range []string{"debit", "credit"} {
				if !isCovered(row[side]) {
					kept[side+"_balance"] = ""
				}
			}
			rows = append(rows, kept)
		}
		return rows
	}
	rows, _ := exportCSV(t, w, export.Query{Assets: []accounts.Asset{yen, nano}})
	require.Equal(t, selectRows(func(row map[string]string) bool { return row["ledger"] != "2" }, func(string) bool { return true }), rows)
	for _, names := range [][]string{peerNames[:1], peerNames[1:4]} { // few accounts are merged, many are read with all rows
		isChosen := func(name string) bool {
			for _, chosen := range names {
				if kind, peer, ok := strings.Cut(name, ":"); ok && peer == chosen && kind != "" {
					return true
				}
			}
			return false
		}
		rows, _ = exportCSV(t, w, export.Query{Peers: names})
		want := selectRows(func(row map[string]string) bool { return isChosen(row["debit"]) || isChosen(row["credit"]) }, isChosen)
		require.Equal(t, want, rows)
		var out bytes.Buffer
		q := export.Query{Peers: names, Names: peerNames}
		_, err := export.Run(t.Context(), &changed{Ledger: w.ledger, limit: 9}, w.book, q, export.CSV().NewWriter(&out))
		require.NoError(t, err)
		require.Equal(t, want, parseCSV(t, out.String()), "pages of up to 9 rows")
	}
	_, err := export.Run(t.Context(), w.ledger, w.book, export.Query{Peers: []string{"nobody"}}, export.CSV().NewWriter(&bytes.Buffer{}))
	require.ErrorIs(t, err, accounts.ErrNotProvisioned)
}

// changed is a ledger that changes the rows of answers, answers small pages, and has events between its answers.
type changed struct {
	ledger.Ledger

	change func(rows []ledger.Transfer) []ledger.Transfer
	limit  uint32
	before func()
}

func (c *changed) QueryTransfers(ctx context.Context, f ledger.QueryFilter) ([]ledger.Transfer, error) {
	if c.before != nil {
		c.before()
	}
	if c.limit != 0 && f.Limit > c.limit {
		return nil, ledger.ErrTooMuchData
	}
	rows, err := c.Ledger.QueryTransfers(ctx, f)
	if c.change != nil && f.Limit > 1 {
		rows = c.change(rows)
	}
	return rows, err
}

func (c *changed) GetAccountTransfers(ctx context.Context, f ledger.AccountFilter) ([]ledger.Transfer, error) {
	if c.limit != 0 && f.Limit > c.limit {
		return nil, ledger.ErrTooMuchData
	}
	return c.Ledger.GetAccountTransfers(ctx, f)
}

// A row that is missing, twice or of another amount is an error, and leaves no file.
func TestWrongRowsAreNoticed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rand.Uint64())
	w.bookEvents(100)
	moved := func(row ledger.Transfer) bool {
		return !row.Flags.Any(ledger.TransferPending|ledger.TransferVoidPending) && !row.Amount.IsZero()
	}
	for name, change := range map[string]func([]ledger.Transfer, int) []ledger.Transfer{
		"missing": func(rows []ledger.Transfer, i int) []ledger.Transfer { return append(rows[:i:i], rows[i+1:]...) },
		"amount": func(rows []ledger.Transfer, i int) []ledger.Transfer {
			rows[i].Amount, _ = rows[i].Amount.Add(ledger.NewAmount(1))
			return rows
		},
		"swapped": func(rows []ledger.Transfer, i int) []ledger.Transfer {
			rows[i].DebitAccountID, rows[i].CreditAccountID = rows[i].CreditAccountID, rows[i].DebitAccountID
			return rows
		},
	} {
		l := &changed{Ledger: w.ledger, change: func(rows []ledger.Transfer) []ledger.Transfer {
			for i := len(rows) / 2; i < len(rows); i++ {
				if moved(rows[i]) {
					return change(rows, i)
				}
			}
			return rows
		}}
		path := filepath.Join(t.TempDir(), "books.csv")
		_, err := export.WriteFile(t.Context(), l, w.book, export.Query{}, path, export.CSV())
		require.ErrorIs(t, err, export.ErrBooks, name)
		left, err := os.ReadDir(filepath.Dir(path))
		require.NoError(t, err)
		require.Empty(t, left, name)
	}
}

// An export is of one moment, whatever is written while it reads, and whatever the size of pages.
func TestExportOfAMovingLedger(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rand.Uint64())
	w.bookEvents(100)
	want, _ := exportCSV(t, w, export.Query{})
	asked := 0
	l := &changed{Ledger: w.ledger, limit: 64}
	l.before = func() {
		if asked++; asked > 1 && asked < 30 { // after the newest row was read
			_, err := w.book.Fund(t.Context(), accounts.Capital{Asset: yen, Key: fmt.Sprint("moving ", asked), Amount: ledger.NewAmount(1)})
			require.NoError(t, err)
		}
	}
	var out bytes.Buffer
	_, err := export.Run(t.Context(), l, w.book, export.Query{Names: peerNames}, export.CSV().NewWriter(&out))
	require.NoError(t, err)
	require.Equal(t, want, parseCSV(t, out.String()))
	require.Greater(t, asked, 5)
}

// Rows of another program on the same ledger number are no entries, unless they touch an account of ours.
func TestOtherPrograms(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rand.Uint64())
	w.bookEvents(50)
	before, _ := exportCSV(t, w, export.Query{})
	own, _ := w.book.AssetIDs(yen.Ledger)
	_, err := w.ledger.CreateAccounts(t.Context(), []ledger.Account{{ID: ledger.NewID(5, 5), Ledger: 3, Code: 1}, {ID: ledger.NewID(6, 5), Ledger: 3, Code: 7}})
	require.NoError(t, err)
	_, err = w.ledger.CreateTransfers(t.Context(), []ledger.Transfer{
		{ID: ledger.NewID(7, 5), DebitAccountID: ledger.NewID(5, 5), CreditAccountID: ledger.NewID(6, 5), Amount: ledger.NewAmount(9), Ledger: 3, Code: 1},
		{ID: ledger.NewID(8, 5), DebitAccountID: ledger.NewID(5, 5), CreditAccountID: own.Revenue, Amount: ledger.AmountMax, Flags: ledger.TransferBalancingDebit, Ledger: 3, Code: 99},
		{ID: ledger.NewID(9, 5), DebitAccountID: own.Revenue, CreditAccountID: ledger.NewID(5, 5), Amount: ledger.NewAmount(3), Ledger: 3, Code: 99},
	})
	require.NoError(t, err)
	rows, _ := exportCSV(t, w, export.Query{})
	require.Len(t, rows, len(before)+1, "a transfer of 0 moves nothing")
	last := rows[len(rows)-1]
	require.Equal(t, "other", last["kind"])
	require.Equal(t, "other#"+ledger.NewID(5, 5).String(), last["credit"])
	require.Empty(t, last["credit_balance"])
	require.NotEmpty(t, last["debit_balance"])
}

// Amounts and sums of 39 digits are exact.
func TestLargestAmounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rand.Uint64())
	own, _ := w.book.AssetIDs(atto.Ledger)
	for i, n := range []ledger.Amount{ledger.AmountMax, {Lo: 1}, {Hi: 1 << 63}} {
		debit, credit := own.Outside, own.Liquidity
		if i == 1 {
			debit, credit = own.Suspense, own.Dust
		}
		if i == 2 {
			debit, credit = own.Revenue, own.Suspense
		}
		results, err := w.ledger.CreateTransfers(t.Context(), []ledger.Transfer{{ID: ledger.NewID(uint64(i)+1, 3), DebitAccountID: debit, CreditAccountID: credit, Amount: n, Ledger: 2, Code: 30}})
		require.NoError(t, err)
		require.Equal(t, ledger.TransferCreated, results[0].Status)
	}
	rows, summary := exportCSV(t, w, export.Query{})
	require.Len(t, rows, 3)
	addUp(t, rows)
	require.Equal(t, "-340282366920938463463374607431768211455", rows[0]["credit_balance"])
	want := new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 128), new(big.Int).Lsh(big.NewInt(1), 127))
	require.Equal(t, want.String(), summary.Totals[1].Amounts.String())
}
