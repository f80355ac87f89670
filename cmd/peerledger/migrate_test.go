package main

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/migrate"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

func TestMigrateIsRefused(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	for _, args := range [][]string{{}, {"--to-cluster-id", "7"}, {"--to-addresses", "tb:1"}, {"--to-cluster-id", "x", "--to-addresses", "tb:1"}} {
		require.Equal(t, statusUsage, s.runCommand(t, append([]string{"migrate"}, args...)...).status, args)
	}
	target := filepath.Join(t.TempDir(), "target")
	require.Contains(t, s.runOK(t, "migrate", "--to-folder", target), "Would copy the whole ledger")

	// The newest rows are too young to be imported.
	got := s.runCommand(t, "migrate", "--to-folder", target, "--yes")
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.errors, "stop all connectors, and try again")
}

// The result of a migration shows the burnt ids, and the help says of which sources they are burnt again.
func TestMigrateShowsBurntIDs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	hourAgo := embedded.WithClock(func() time.Time { return time.Now().Add(-time.Hour) })
	l, err := embedded.Open(from, hourAgo)
	require.NoError(t, err)
	_, err = l.CreateAccounts(t.Context(), []ledger.Account{{ID: ledger.NewID(0, 1), Ledger: 1, Code: 1}, {ID: ledger.NewID(0, 2), Ledger: 1, Code: 1}})
	require.NoError(t, err)
	// No such account: the refusal burns the id.
	_, err = l.CreateTransfers(t.Context(), []ledger.Transfer{{ID: ledger.NewID(0, 3), DebitAccountID: ledger.NewID(0, 1), CreditAccountID: ledger.NewID(0, 9), Amount: ledger.NewAmount(1), Ledger: 1, Code: 1}})
	require.NoError(t, err)
	require.NoError(t, l.Close())

	got := runApp(t, "--folder", from, "migrate", "--to-folder", to, "--yes", "--json")
	require.Zero(t, got.status, got.errors)
	var done change
	require.NoError(t, json.Unmarshal([]byte(got.out), &done))
	require.Equal(t, &migrate.Result{Accounts: 2, Burnt: 1}, done.Migrated)
	require.Contains(t, got.out, `"burnt_ids":1`)
	require.Contains(t, done.Note, "burnt again: 1 id.")
	require.Contains(t, runApp(t, "migrate", "--help").out, "From a folder, every id that a refusal has burnt is")
}
