//go:build cgo && unix

package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/cluster"
)

// The operator's commands work on serve as on a cluster, and the folder has the books afterwards.
func TestCommandsOnServe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config, folder := filepath.Join(dir, "peerledger.yaml"), filepath.Join(dir, "books")
	require.NoError(t, os.WriteFile(config, []byte(configuration), 0o600))
	s := startServe(t, nil, "--folder", folder, "--cluster-id", "7")
	run := func(args ...string) outcome {
		return runApp(t, append([]string{"--config", config, "--cluster-id", "7", "--addresses", s.Address}, args...)...)
	}
	for _, step := range []struct {
		args []string
		want string
	}{
		{[]string{"doctor"}, "0 problems, 0 warnings"},
		{[]string{"peers", "provision", "--yes"}, "Done: provision 3 peers"},
		{[]string{"peers"}, "alice"},
		{[]string{"settle", "received", "bob@USD", "12.50", "--key", "k", "--yes"}, "Done: book a payment received"},
		{[]string{"balances", "bob@USD", "--json"}, `"position":"12.50"`},
		{[]string{"statement", "bob@USD"}, "12.50"},
		{[]string{"trial-balance"}, "total"},
		{[]string{"watch", "--once"}, "0 open orders"},
		{[]string{"doctor", "--json"}, `"code":"books-right"`},
	} {
		got := run(step.args...)
		require.Equal(t, statusDone, got.status, "%v: %s%s", step.args, got.out, got.errors)
		require.Contains(t, got.out, step.want, step.args)
	}
	got := run("--cluster-id", "8", "--timeout", "2s", "balances")
	require.Equal(t, statusNoAnswer, got.status)
	require.Contains(t, got.errors, "wrong cluster id")
	got = runApp(t, "--config", config, "--folder", folder, "balances")
	require.Equal(t, statusNoAnswer, got.status)
	require.Contains(t, got.errors, "folder is in use")
	require.NoError(t, s.process.Process.Signal(syscall.SIGTERM))
	require.Equal(t, statusDone, s.wait(t), s.stderr)
	got = runApp(t, "--config", config, "--folder", folder, "balances", "bob@USD")
	require.Contains(t, got.out, "12.50")
}

// The doctor warns of the small requests of --development, as of those of TigerBeetle's flag.
func TestDoctorOnServeWithSmallRequests(t *testing.T) {
	t.Parallel()
	s := startServe(t, nil, "--development", "--cluster-id", "7")
	got := runApp(t, "--cluster-id", "7", "--addresses", s.Address, "doctor")
	require.Contains(t, got.out, "253")
	require.Contains(t, got.out, "0 problems, 1 warning")
}

// With --development a reply has 1,016 change events at most, also when the client asks for 2,730, as
// from TigerBeetle 0.17.9 with the same flag.
func TestChangeEventsOfServeWithSmallRequests(t *testing.T) {
	t.Parallel()
	s := startServe(t, nil, "--development")
	l, err := cluster.Open(t.Context(), cluster.Config{ClusterID: uint128.Zero, Addresses: []string{s.Address}, Sessions: 1})
	require.NoError(t, err)
	_, err = l.CreateAccounts(t.Context(), []ledger.Account{
		{ID: ledger.NewID(1, 0), Ledger: 1, Code: 1}, {ID: ledger.NewID(2, 0), Ledger: 1, Code: 1},
	})
	require.NoError(t, err)
	for n := range uint64(5) {
		transfers := make([]ledger.Transfer, 250)
		for i := range transfers {
			transfers[i] = ledger.Transfer{
				ID: ledger.NewID(n*250+uint64(i)+1, 0), DebitAccountID: ledger.NewID(1, 0), CreditAccountID: ledger.NewID(2, 0),
				Amount: ledger.NewAmount(1), Ledger: 1, Code: 1,
			}
		}
		_, err := l.CreateTransfers(t.Context(), transfers)
		require.NoError(t, err)
	}
	events, err := l.GetChangeEvents(t.Context(), ledger.ChangeEventsFilter{Limit: ledger.ChangeEventsMax})
	require.NoError(t, err)
	require.Len(t, events, 1016)
	require.NoError(t, l.Close())
}

// Under load a signal ends serve with status 0, and each answered request is in the folder.
func TestServeStopsUnderLoad(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "books")
	s := startServe(t, nil, "--folder", folder)
	l, err := cluster.Open(t.Context(), cluster.Config{ClusterID: uint128.Zero, Addresses: []string{s.Address}, Sessions: 1})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	answered := make(chan uint64, 1)
	go func() { answered <- createUntilError(ctx, l, 1) }()
	awaitAccount(t, l, 20)
	require.NoError(t, s.process.Process.Signal(os.Interrupt))
	require.Equal(t, statusDone, s.wait(t), s.stderr)
	cancel()
	last := <-answered
	require.GreaterOrEqual(t, last, uint64(20))
	_ = l.Close() // the server has gone

	s = startServe(t, nil, "--folder", folder)
	l, err = cluster.Open(t.Context(), cluster.Config{ClusterID: uint128.Zero, Addresses: []string{s.Address}, Sessions: 1})
	require.NoError(t, err)
	ids := make([]ledger.ID, last)
	for i := range ids {
		ids[i] = ledger.NewID(uint64(i)+1, 0)
	}
	found, err := l.LookupAccounts(t.Context(), ids)
	require.NoError(t, err)
	require.Len(t, found, len(ids))
	require.NoError(t, l.Close())
}

// createUntilError creates the accounts 1, 2, 3, ... in requests of n until one fails, and returns
// the id of the last created one.
func createUntilError(ctx context.Context, l ledger.Ledger, n int) (last uint64) {
	for {
		accounts := make([]ledger.Account, n)
		for i := range accounts {
			accounts[i] = ledger.Account{ID: ledger.NewID(last+uint64(i)+1, 0), Ledger: 1, Code: 1}
		}
		if _, err := l.CreateAccounts(ctx, accounts); err != nil {
			return last
		}
		last += uint64(n)
	}
}

// awaitAccount waits until the account exists.
func awaitAccount(t *testing.T, l ledger.Ledger, id uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		found, err := l.LookupAccounts(ctx, []ledger.ID{ledger.NewID(id, 0)})
		require.NoError(t, err)
		if len(found) == 1 {
			return
		}
	}
}

// On a full disk serve ends with status 1 and names the cause.
func TestServeOnAFullDisk(t *testing.T) {
	t.Parallel()
	if limitFiles == nil {
		t.Skip("needs Linux: a limit of file sizes stands for a full disk there only")
	}
	// Opening the cluster takes 1 MB, each request 128 kB.
	s := startServe(t, []string{fileLimitEnv + "=6000000"}, "--folder", filepath.Join(t.TempDir(), "books"))
	l, err := cluster.Open(t.Context(), cluster.Config{ClusterID: uint128.Zero, Addresses: []string{s.Address}, Sessions: 1})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	done := make(chan uint64, 1)
	go func() { done <- createUntilError(ctx, l, 1000) }()
	require.Equal(t, statusFailed, s.wait(t), s.stderr)
	cancel()
	require.Positive(t, <-done)
	require.NoError(t, l.Close())
	require.Equal(t, 1, strings.Count(s.stderr.String(), "file too large"), "the error names the cause once: %s", s.stderr)
}
