//go:build cgo && unix

package backup

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/cluster"
	"github.com/peerledger/peerledger/ledger/ledgertest/tigerbeetletest"
)

// findBinary returns the path of a TigerBeetle server, or skips the test.
func findBinary(t *testing.T) string {
	t.Helper()
	binary, err := tigerbeetletest.FindBinary()
	switch {
	case err == nil:
		return binary
	case os.Getenv("PEERLEDGER_REQUIRE_CLUSTER") == "1":
		t.Fatal("needs " + err.Error())
	default:
		t.Skip("needs " + err.Error())
	}
	return ""
}

func openCluster(ctx context.Context, id uint128.Uint128, address string) (ledger.Ledger, error) {
	return cluster.Open(ctx, cluster.Config{ClusterID: id, Addresses: []string{address}, Sessions: 1})
}

// writeTransfers runs a server with this file while it writes more transfers.
func writeTransfers(t *testing.T, server Server, file string, from, to uint64) Totals {
	t.Helper()
	l, stop, err := server(t.Context(), file)
	require.NoError(t, err)
	if from == 0 {
		_, err = l.CreateAccounts(t.Context(), []ledger.Account{
			{ID: ledger.NewID(1, 0), Ledger: 1, Code: 1}, {ID: ledger.NewID(2, 0), Ledger: 1, Code: 1},
		})
		require.NoError(t, err)
	}
	var events []ledger.Transfer
	for i := from; i < to; i++ {
		events = append(events, ledger.Transfer{
			ID: ledger.NewID(i+1, 0), DebitAccountID: ledger.NewID(1, 0), CreditAccountID: ledger.NewID(2, 0),
			Ledger: 1, Code: 1, Amount: ledger.NewAmount(i + 1),
		})
	}
	results, err := l.CreateTransfers(t.Context(), events)
	require.NoError(t, err)
	require.Equal(t, ledger.TransferCreated, results[0].Status)
	totals, err := ReadTotals(t.Context(), l, nil)
	require.NoError(t, err)
	require.NoError(t, stop())
	return totals
}

// A real server's file is backed up, verified, lost and restored, and the server continues with the
// copy.
func TestOnTigerBeetle(t *testing.T) {
	t.Parallel()
	path := findBinary(t)
	server := Binary(path, openCluster, "--development")
	dir := t.TempDir()
	n := node{filepath.Join(dir, "data", "7_0.tigerbeetle"), filepath.Join(dir, "backups")}
	require.NoError(t, os.Mkdir(filepath.Dir(n.file), 0o700))
	output, err := exec.CommandContext(t.Context(), path, "format", "--cluster=7", "--replica=0", "--replica-count=1", "--development", n.file).CombinedOutput()
	require.NoError(t, err, string(output))
	before := writeTransfers(t, server, n.file, 0, 200)

	// A backup is refused while the server runs.
	_, stop, err := server(t.Context(), n.file)
	require.NoError(t, err)
	_, err = Create(t.Context(), n.makeOptions())
	require.ErrorIs(t, err, ErrInUse)
	o := n.makeOptions()
	o.Totals = func(context.Context) (Totals, error) { return before, nil }
	o.Stop = func(context.Context) error { return stop() }
	o.Start = func(context.Context) error { return nil }
	b := n.createBackup(t, o)
	require.Less(t, b.Manifest.Packed, int64(50<<20), "a file that is mostly empty")

	after := writeTransfers(t, server, n.file, 200, 230)
	report, err := b.Verify(t.Context(), server, func(context.Context) (Totals, error) { return after, nil }, nil)
	require.NoError(t, err)
	require.Equal(t, []Relation{Equal, MovedOn}, []Relation{report.Comparisons[0].Relation, report.Comparisons[1].Relation}, "%+v", report)

	require.NoError(t, os.Remove(n.file))
	require.NoError(t, b.Restore(t.Context(), n.file, nil))
	again := writeTransfers(t, server, n.file, 200, 230)
	relation, detail := Compare(after, again)
	require.Equal(t, Equal, relation, detail)
}

// The copy of a production server's file starts too, whatever the sizes of its requests.
func TestCopyOfAProductionServer(t *testing.T) {
	t.Parallel()
	path := findBinary(t)
	file := filepath.Join(t.TempDir(), "7_0.tigerbeetle")
	output, err := exec.CommandContext(t.Context(), path, "format", "--cluster=7", "--replica=0", "--replica-count=1", file).CombinedOutput()
	require.NoError(t, err, string(output))
	want := writeTransfers(t, Binary(path, openCluster, "--cache-grid=64MiB"), file, 0, ledger.BatchMax)
	l, stop, err := Binary(path, openCluster)(t.Context(), file)
	require.NoError(t, err)
	got, err := ReadTotals(t.Context(), l, nil)
	require.NoError(t, err)
	require.NoError(t, stop())
	relation, detail := Compare(want, got)
	require.Equal(t, Equal, relation, detail)
}

// A server that does not start leaves its reason in the error.
func TestServerThatDoesNotTakeTheFile(t *testing.T) {
	t.Parallel()
	n := newNode(t) // has only a superblock
	_, _, err := Binary(findBinary(t), openCluster)(t.Context(), n.file)
	require.ErrorContains(t, err, "ended: ")
}
