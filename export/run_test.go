package export_test

import (
	"bytes"
	"encoding/csv"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/export"
	"github.com/peerledger/peerledger/ledger"
)

// exportCSV exports to CSV, and returns the rows without the columns' names.
func exportCSV(t *testing.T, w *world, q export.Query) ([]map[string]string, *export.Summary) {
	t.Helper()
	var out bytes.Buffer
	q.Names = peerNames
	summary, err := export.Run(t.Context(), w.ledger, w.book, q, export.CSV().NewWriter(&out))
	require.NoError(t, err)
	return parseCSV(t, out.String()), summary
}

// parseCSV returns the rows by the names of the columns.
func parseCSV(t *testing.T, text string) (rows []map[string]string) {
	t.Helper()
	records, err := csv.NewReader(strings.NewReader(strings.ReplaceAll(text, "\r\n", "\r\r\n"))).ReadAll() // the reader drops a \r before \n
	require.NoError(t, err)
	require.Equal(t, export.ColumnNames(), records[0])
	for _, record := range records[1:] {
		row := map[string]string{}
		for i, name := range records[0] {
			row[name] = record[i]
		}
		rows = append(rows, row)
	}
	return rows
}

// addUp returns the sums of the rows by asset and account, and requires each running balance to be the sum so far.
func addUp(t *testing.T, rows []map[string]string) map[string]*big.Int {
	t.Helper()
	sums := map[string]*big.Int{}
	for i, row := range rows {
		amount, ok := new(big.Int).SetString(row["amount"], 10)
		require.True(t, ok && amount.Sign() > 0, row)
		for side, sign := range map[string]int64{"debit": 1, "credit": -1} {
			name := row["asset"] + "/" + row["scale"] + " " + row[side]
			if sums[name] == nil {
				sums[name] = new(big.Int)
			}
			sums[name].Add(sums[name], new(big.Int).Mul(amount, big.NewInt(sign)))
			require.Equal(t, sums[name].String(), row[side+"_balance"], "row %d: %v", i, row)
		}
	}
	return sums
}

// ledgerBalances returns debits less credits of the ledger's accounts, by asset and account; the credit line is part of the
// peer's.
func ledgerBalances(t *testing.T, w *world) map[string]*big.Int {
	t.Helper()
	sums := map[string]*big.Int{}
	add := func(asset accounts.Asset, name string, id ledger.ID) {
		name = asset.String() + " " + name
		rows, err := w.ledger.LookupAccounts(t.Context(), []ledger.ID{id})
		require.NoError(t, err)
		for _, row := range rows {
			if sums[name] == nil {
				sums[name] = new(big.Int)
			}
			sums[name].Add(sums[name], row.DebitsPosted.Big()).Sub(sums[name], row.CreditsPosted.Big())
		}
	}
	for _, asset := range w.book.Assets() {
		own, _ := w.book.AssetIDs(asset.Ledger)
		for name, id := range map[string]ledger.ID{
			"liquidity": own.Liquidity, "revenue": own.Revenue, "dust": own.Dust, "suspense": own.Suspense, "outside": own.Outside,
			"transit": own.Transit, "control": own.Control,
		} {
			add(asset, name, id)
		}
	}
	for _, peer := range w.peers {
		asset, _ := w.book.Asset(peer.Ledger())
		ids := w.book.PeerIDs(peer)
		for name, id := range map[string]ledger.ID{"peer": ids.Peer, "arrears": ids.Arrears, "settlement": ids.Settlement} {
			add(asset, name+":"+peer.Peer(), id)
		}
		add(asset, "peer:"+peer.Peer(), ids.Line)
	}
	return sums
}

// The sums of the rows are the balances of the ledger, to the unit, and so are the closing balances.
func TestRowsAddUpToTheLedger(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for range 2 {
		w := newWorld(t, rand.Uint64())
		w.bookEvents(300)
		w.bookRounds(60)
		w.bookEvents(50)
		for kind, n := range w.done {
			seen[kind] += n
		}
		for _, sum := range []export.Sum{export.SumNone, export.SumDay} {
			rows, summary := exportCSV(t, w, export.Query{Sum: sum})
			sums := addUp(t, rows)
			for name, balance := range ledgerBalances(t, w) {
				if sums[name] == nil {
					sums[name] = new(big.Int)
				}
				require.Equal(t, balance.String(), sums[name].String(), name)
				delete(sums, name)
			}
			require.Empty(t, sums, "accounts that the ledger does not have")
			requireTotals(t, rows, summary)
		}
	}
	t.Log(seen)
	require.Len(t, seen, 12, "every kind of event was booked")
}

// requireTotals requires the control totals to be those of the rows.
func requireTotals(t *testing.T, rows []map[string]string, summary *export.Summary) {
	t.Helper()
	amounts, entries := new(big.Int), uint64(0)
	for _, row := range rows {
		n, _ := new(big.Int).SetString(row["amount"], 10)
		amounts.Add(amounts, n)
	}
	for _, total := range summary.Totals {
		entries += total.Entries
		amounts.Sub(amounts, total.Amounts)
	}
	require.Len(t, rows, int(entries))
	require.Zero(t, amounts.Sign())
}

// Entries have the kinds and fields of the entries of statements.
func TestEntriesAreThoseOfStatements(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rand.Uint64())
	w.bookEvents(300)
	w.bookRounds(60)
	rows, _ := exportCSV(t, w, export.Query{})
	byTransfer := map[string]map[string]string{}
	for _, row := range rows {
		byTransfer[row["transfer"]] = row
	}
	for _, peer := range w.peers {
		statement, err := w.book.Statement(t.Context(), peer, time.Time{}, time.Time{})
		require.NoError(t, err)
		for e, err := range statement.Entries(t.Context()) {
			require.NoError(t, err)
			row := byTransfer[e.Transfer.String()]
			if e.Kind == accounts.EntryCreditLine || e.Amount.Sign() == 0 {
				require.Nil(t, row)
				continue
			}
			require.NotNil(t, row, "%+v", e)
			want := describeStatementEntry(&e)
			if e.Counterparty.AccountKind == "transit" && (row["kind"] == "fee" || row["kind"] == "dust") {
				continue
			}
			for name, value := range want {
				require.Equal(t, value, row[name], "%s of %+v: %v", name, e, row)
			}
		}
	}
}

// describeStatementEntry returns the fields of an entry as an export writes them.
func describeStatementEntry(e *accounts.Entry) map[string]string {
	id := func(id ledger.ID) string {
		if id.IsZero() {
			return ""
		}
		return id.String()
	}
	late := ""
	if e.Late {
		late = "true"
	}
	return map[string]string{
		"kind": string(e.Kind), "amount": new(big.Int).Abs(e.Amount).String(), "packet": id(e.Packet), "order": id(e.Order), "key_hash": id(e.KeyHash),
		"late": late, "time": e.Time.Format("2006-01-02T15:04:05.000000000Z"),
	}
}
