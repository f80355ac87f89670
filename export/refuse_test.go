package export_test

import (
	"bytes"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/export"
)

// The columns are a promise: a new version appends names.
func TestColumnNames(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{
		"time", "transfer", "kind", "asset", "scale", "debit", "credit", "amount", "debit_balance", "credit_balance", "transfers", "code",
		"packet", "condition", "order", "key_hash", "reason", "journal", "round", "late", "ledger",
	}, export.ColumnNames())
}

// What a format cannot carry, and unknown columns, are refused before a file is there.
func TestRefusedBeforeALine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rand.Uint64())
	w.addPeers("nul\x00byte")
	path := filepath.Join(t.TempDir(), "books")
	write := func(path string, format export.Format) error {
		_, err := export.WriteFile(t.Context(), w.ledger, w.book, export.Query{Names: []string{"nul\x00byte"}}, path, format)
		return err
	}
	err := write(path, export.CSV())
	require.ErrorIs(t, err, export.ErrFormat)
	require.ErrorContains(t, err, `nul\x00byte`)
	for _, format := range []export.Format{export.CSV("time", "nothing"), export.JSONLines("nothing")} {
		err = write(path, format)
		require.ErrorIs(t, err, accounts.ErrInvalid)
		require.ErrorContains(t, err, "nothing")
	}
	for _, target := range []string{os.DevNull, t.TempDir()} {
		require.ErrorIs(t, write(target, export.JSONLines()), export.ErrTarget)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Empty(t, left)
	require.NoError(t, write(path, export.JSONLines()), "JSON has an escape for the byte")
	require.Error(t, write(filepath.Join(path, "below a file"), export.JSONLines()))
}

// A wrong query is refused by the name of its field.
func TestRefusedQueries(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rand.Uint64())
	now := time.Now()
	for field, q := range map[string]export.Query{
		"To": {From: now, To: now}, "Sum": {Sum: "week"}, "Assets": {Assets: []accounts.Asset{yen, yen}},
	} {
		_, err := export.Run(t.Context(), w.ledger, w.book, q, export.CSV().NewWriter(&bytes.Buffer{}))
		var fault *accounts.FieldError
		require.ErrorAs(t, err, &fault)
		require.Equal(t, field, fault.Field)
	}
	_, err := export.Run(t.Context(), w.ledger, w.book, export.Query{Assets: []accounts.Asset{{Code: "GBP", Ledger: 9}}}, export.CSV().NewWriter(&bytes.Buffer{}))
	require.ErrorIs(t, err, accounts.ErrUnknownAsset)
}

// The header tells what formats have to know before the first entry: bounds of all numbers, the opening balances, and
// which accounts no part before has.
func TestHeader(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rand.Uint64())
	var header export.Header
	format := export.Format{Name: "header", Extension: ".header", NewWriter: headerFormat(&header)}
	folder := t.TempDir()
	for part := 1; part <= 3; part++ {
		w.bookEvents(60)
		known := len(w.peers)
		if part == 2 {
			w.addPeers(peerNames[3])
		}
		written, err := export.WritePart(t.Context(), w.ledger, w.book, export.Query{Names: peerNames}, folder, format)
		require.NoError(t, err)
		require.Equal(t, part, header.Part)
		for _, account := range header.Accounts {
			isAdded := len(w.peers) > known && account.Peer == peerNames[3]
			require.Equal(t, part == 1 || isAdded, account.New, account.Name())
		}
		requireBounds(t, &header, &written.Summary)
		_, err = export.Run(t.Context(), w.ledger, w.book, export.Query{From: time.Now().Add(time.Hour)}, format.NewWriter(nil))
		require.NoError(t, err)
		requireBounds(t, &header, &export.Summary{Totals: make([]export.Total, 3)})
	}
}

// requireBounds requires the bounds to be at least the sums of the opening balances and of the amounts.
func requireBounds(t *testing.T, h *export.Header, s *export.Summary) {
	t.Helper()
	for i, asset := range h.Assets {
		sum := new(big.Int)
		for _, account := range h.Accounts {
			if account.Asset == asset.Asset {
				sum.Add(sum, h.Opening[account.Index].Units.Big())
			}
		}
		require.LessOrEqual(t, sum.Cmp(asset.Bound), 0, "%v: %v is above %v", asset.Asset, sum, asset.Bound)
		if amounts := s.Totals[i].Amounts; amounts != nil {
			require.LessOrEqual(t, amounts.Cmp(asset.Bound), 0)
		}
		require.Equal(t, h.Part == 1, asset.BoundBefore == nil)
	}
}
