//go:build cgo && unix

package export_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/export"
	"github.com/peerledger/peerledger/ledger/ledgertest/tigerbeetletest"
)

// On a TigerBeetle, or else on a server in this process, the rows add up to the balances, and parts to the whole.
func TestOnACluster(t *testing.T) {
	t.Parallel()
	w := &world{t: t, still: true}
	w.openBooks(tigerbeetletest.Start(t, tigerbeetletest.Config{}).Open(t), rand.Uint64())
	folder, together := t.TempDir(), []map[string]string(nil)
	for range 3 {
		w.bookEvents(40)
		part, err := export.WritePart(t.Context(), w.ledger, w.book, export.Query{Names: peerNames}, folder, export.CSV())
		require.NoError(t, err)
		text, err := os.ReadFile(filepath.Join(folder, part.Name))
		require.NoError(t, err)
		together = append(together, parseCSV(t, string(text))...)
	}
	rows, _ := exportCSV(t, w, export.Query{})
	require.Equal(t, together, rows)
	sums := addUp(t, rows)
	for name, balance := range ledgerBalances(t, w) {
		if sums[name] != nil || balance.Sign() != 0 {
			require.Equal(t, balance, sums[name], name)
		}
	}
}
