//go:build cgo && unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/doctor"
	"github.com/peerledger/peerledger/ledger/ledgertest/tigerbeetletest"
)

// onCluster runs commands against a cluster.
type onCluster struct {
	c      *tigerbeetletest.Cluster
	config string
}

func (o onCluster) runCommand(t *testing.T, args ...string) outcome {
	t.Helper()
	return runApp(t, append([]string{
		"--config", o.config, "--cluster-id", o.c.ClusterID().String(), "--addresses", strings.Join(o.c.Addresses(), ","),
	}, args...)...)
}

// An operator's commands on a TigerBeetle, or else on a server in this process.
func TestOnACluster(t *testing.T) {
	t.Parallel()
	o := onCluster{tigerbeetletest.Start(t, tigerbeetletest.Config{}), filepath.Join(t.TempDir(), "peerledger.yaml")}
	require.NoError(t, os.WriteFile(o.config, []byte(configuration), 0o600))
	for _, step := range []struct {
		args []string
		want string
	}{
		{[]string{"doctor"}, "0 problems, 1 warning"}, // for the development server
		{[]string{"peers", "provision", "--yes"}, "Done: provision 3 peers"},
		{[]string{"credit", "extend", "alice@USD", "50", "--yes"}, "from 100.00 to 150.00"},
		{[]string{"settle", "received", "bob@USD", "12.50", "--key", "k", "--yes"}, "Done: book a payment received"},
		{[]string{"balances", "bob@USD", "--json"}, `"position":"12.50"`},
		{[]string{"statement", "bob@USD"}, "12.50"},
		{[]string{"settle", "returned", "bob@USD", "12.50", "--key", "r", "--payment", "k", "--yes"}, "The peer's account covers the amount."},
		{[]string{"adjust", "debit", "bob@USD", "3", "--key", "d", "--reason", "1", "--beyond-headroom", "--yes"}, "3.00 is arrears"},
		{[]string{"doctor"}, "bob 3.00 USD"},
		{[]string{"adjust", "write-off", "bob@USD", "9", "--key", "w", "--reason", "1", "--yes"}, "Done: write off the arrears of bob in USD/2, 3.00"},
		{[]string{"balances", "bob@USD", "--json"}, `"position":"0.00","arrears":"0.00"`},
		{[]string{"orders"}, "order"},
		{[]string{"peers"}, "150.00"},
		{[]string{"watch", "--once"}, "0 open orders"},
		{[]string{"bench", "--ledger", "cluster", "--yes", "--packets", "100", "--count", "1", "--callers", "2", "--ways", "record", "--phase", "single", "--lanes", "1", "--peers", "3"}, "record"},
	} {
		got := o.runCommand(t, step.args...)
		require.Equal(t, statusDone, got.status, "%v: %s", step.args, got.errors)
		require.Contains(t, got.out, step.want, step.args)
	}
	got := o.runCommand(t, "--cluster-id", "12345", "--timeout", "2s", "balances")
	require.Equal(t, statusNoAnswer, got.status)
	require.Contains(t, got.errors, "wrong cluster id")
	require.Contains(t, got.errors, "Nothing was changed. Find the cause with peerledger doctor.")
	require.Contains(t, o.runCommand(t, "--cluster-id", "12345", "doctor", "--json").out, string(doctor.WrongClusterID))
}

func TestBenchNeedsACluster(t *testing.T) {
	t.Parallel()
	got := runApp(t, "bench", "--ledger", "cluster")
	require.Equal(t, statusUsage, got.status)
	require.Contains(t, got.errors, "use a cluster made for it, and --yes")
	got = runApp(t, "bench", "--ledger", "cluster", "--yes")
	require.Equal(t, statusUsage, got.status, got.errors)
	require.Contains(t, got.errors, "no ledger is named")
}

// A backup of a real node is verified against the recorded totals and the original.
func TestBackupOnTigerBeetle(t *testing.T) {
	t.Parallel()
	binary, err := tigerbeetletest.FindBinary()
	if err != nil {
		t.Skip("needs " + err.Error())
	}
	dir := t.TempDir()
	file, folder, pid := filepath.Join(dir, "7_0.tigerbeetle"), filepath.Join(dir, "backups"), filepath.Join(dir, "pid")
	output, err := exec.CommandContext(t.Context(), binary, "format", "--cluster=7", "--replica=0", "--replica-count=1", "--development", file).CombinedOutput()
	require.NoError(t, err, string(output))
	config := filepath.Join(dir, "peerledger.yaml")
	require.NoError(t, os.WriteFile(config, []byte(configuration), 0o600))

	address := freeAddress(t)
	start := binary + " start --development --addresses=" + address + " " + file + " >" + filepath.Join(dir, "log") + " 2>&1 & echo $! >" + pid
	stop := "kill $(cat " + pid + "); while kill -0 $(cat " + pid + ") 2>/dev/null; do sleep 0.1; done"
	shell := func(command string) {
		require.NoError(t, exec.Command("sh", "-c", command).Run())
	}
	shell(start)
	t.Cleanup(func() { shell(stop) })
	do := func(args ...string) outcome {
		return runApp(t, append([]string{"--config", config, "--cluster-id", "7", "--addresses", address, "--timeout", "60s"}, args...)...)
	}
	got := do("peers", "provision", "--yes")
	require.Equal(t, statusDone, got.status, got.errors)
	got = do("backup", "--file", file, "--to", folder, "--stop", stop, "--start", start, "--totals")
	require.Equal(t, statusDone, got.status, got.errors)
	require.Equal(t, statusDone, do("settle", "received", "bob@USD", "5", "--key", "after", "--yes").status, "the server runs again")
	got = do("verify", folder, "--binary", binary, "--live")
	require.Equal(t, statusDone, got.status, got.errors)
	require.Contains(t, got.out, "Equal to the totals that were noted")
	require.Contains(t, got.out, "the later totals have more")
}
