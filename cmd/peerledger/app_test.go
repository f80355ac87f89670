package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/doctor"
	"github.com/peerledger/peerledger/internal/vsr"
	"github.com/peerledger/peerledger/internal/vsr/vsrtest"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/cluster"
	"github.com/peerledger/peerledger/settlement"
)

func TestExitStatus(t *testing.T) {
	t.Parallel()
	for want, errs := range map[int][]error{
		statusFailed:   {errors.New("x"), accounts.ErrLineConflict, &settlement.OrderError{Err: settlement.ErrPending}, ledger.ErrRefused},
		statusUsage:    {errUsage, accounts.ErrInvalid, accounts.ErrUnknownAsset},
		statusNoAnswer: {errNoAnswer},
		statusUnknown:  {errOrderOpen, &settlement.OpenOrdersError{Orders: make([]settlement.OpenOrder, 1)}, ledger.ErrOutcomeUnknown, &unknownError{ledger.ErrOutcomeUnknown, ""}, &settlement.OrderError{Err: ledger.ErrOutcomeUnknown}},
		statusFound:    {errFound},
	} {
		for _, err := range errs {
			require.Equal(t, want, exitStatus(fmt.Errorf("wrapped: %w", err)), err)
		}
	}
}

// An error with an unknown outcome names the next step.
func TestUnknownOutcomes(t *testing.T) {
	t.Parallel()
	lost := func(*change) error { return fmt.Errorf("lost: %w", ledger.ErrOutcomeUnknown) }
	a := &app{yes: true, getenv: func(string) string { return "" }}
	require.ErrorContains(t, a.previewOrWrite(change{}, lost), "Repeat the same command: a change is never written twice.")
	err := a.previewOrWrite(change{checkFirst: "Look first."}, lost)
	require.ErrorContains(t, err, "The change may be written or not. Look first.")
	require.NotContains(t, err.Error(), "Repeat")
}

func TestConfigurations(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"assets: [": "did not find expected",
		"asets: []": "line 1: field asets not found",
		"assets:\n  - {code: USD, scale: 2, ledger: one}":                                                       "line 2",
		"assets:\n  - {code: USD, scale: 300, ledger: 1}":                                                       "line 2",
		"peers:\n  - {id: a}":                                                                                   "no assets are configured",
		oneAsset + "peers:\n  - {id: a, asset: EUR}":                                                            `peers[0] (a): asset: wrong usage: there is no asset "EUR"; there is USD/2`,
		oneAsset + "peers:\n  - {id: a}\n  - {id: a, asset: USD}":                                               "peers[1]: a in USD/2 is listed twice",
		oneAsset + "peers:\n  - {id: a, credit_line: 1.005}":                                                    "peers[0] (a): credit_line",
		oneAsset + "peers:\n  - {id: a, settle_at: 5, settle_to: 5}":                                            "peers[0] (a): settle_at, settle_to",
		oneAsset + "peers:\n  - {id: a, settle_at: -50, settle_to: -5}":                                         "peers[0] (a): settle_at, settle_to",
		oneAsset + "peers:\n  - {id: a, settle_at: --5}":                                                        "peers[0] (a): settle_at, settle_to",
		oneAsset + "peers:\n  - {id: a, settle_to: 5}":                                                          "settle_to is given without settle_at",
		"assets:\n  - {code: USD, scale: 2, ledger: 1}\n  - {code: EUR, scale: 2, ledger: 1}\n":                 "Ledger 1 is already used by USD/2",
		"assets:\n  - {code: USD, scale: 2, ledger: 1}\n  - {code: EUR, scale: 2, ledger: 2}\npeers: [{id: a}]": "say which asset: USD/2, EUR/2",
	} {
		_, err := parseConfig([]byte(text))
		require.ErrorContains(t, err, want, text)
		require.NotContains(t, err.Error(), "main.", "our types are of no use to an operator")
	}
	for _, text := range []string{"", "# nothing\n", oneAsset, "cluster_id: \"7\"\naddresses: [a, b]\n" + oneAsset + "peers: [{id: a}]"} {
		_, err := parseConfig([]byte(text))
		require.NoError(t, err, text)
	}
}

const oneAsset = "assets:\n  - {code: USD, scale: 2, ledger: 1}\n"

func TestConfigurationFiles(t *testing.T) {
	t.Parallel()
	got := runApp(t, "balances", "--config", filepath.Join(t.TempDir(), "missing.yaml"))
	require.Equal(t, statusUsage, got.status)
	require.Contains(t, got.errors, "missing.yaml")
	file := filepath.Join(t.TempDir(), "peerledger.yaml")
	require.NoError(t, os.WriteFile(file, []byte("asets: []"), 0o600))
	got = runApp(t, "balances", "--config", file)
	require.Contains(t, got.errors, file+": ")
	require.NoError(t, os.WriteFile(file, []byte(oneAsset), 0o600))
	got = runApp(t, "balances", "--config", file)
	require.Contains(t, got.errors, "no ledger is named: set TIGERBEETLE_CLUSTER_ID")
	typo := filepath.Join(t.TempDir(), "typo")
	got = runApp(t, "balances", "--config", file, "--folder", typo)
	require.Equal(t, statusUsage, got.status)
	require.NoDirExists(t, typo, "nobody who reads makes a ledger")
	s := newTestLedger(t)
	got = runApp(t, "balances", "--config", file, "--folder", s.folder)
	require.Contains(t, got.errors, "no peers are configured")
}

// Flags override the environment, and the environment overrides the file.
func TestWhichCluster(t *testing.T) {
	environment := map[string]string{}
	getenv := func(name string) string { return environment[name] }
	file := config{ClusterID: "1", Addresses: []string{"file:1"}}
	which := func(a app) (string, []string) {
		a.getenv = getenv
		cfg, err := a.resolveCluster(file)
		require.NoError(t, err)
		return cfg.ClusterID.String(), cfg.Addresses
	}
	id, addresses := which(app{})
	require.Equal(t, []any{"1", []string{"file:1"}}, []any{id, addresses})

	for name, value := range map[string]string{cluster.EnvClusterID: "2", cluster.EnvAddresses: "env:1,env:2"} {
		environment[name] = value
		t.Setenv(name, value)
	}
	id, addresses = which(app{})
	require.Equal(t, []any{"2", []string{"env:1", "env:2"}}, []any{id, addresses})
	id, addresses = which(app{clusterID: "3"})
	require.Equal(t, []any{"3", []string{"env:1", "env:2"}}, []any{id, addresses})
	id, addresses = which(app{clusterID: "3", addresses: []string{"flag:1"}})
	require.Equal(t, []any{"3", []string{"flag:1"}}, []any{id, addresses})

	for _, wrong := range []app{{clusterID: "0x3"}, {clusterID: "-1"}, {addresses: []string{"a", "a"}}, {addresses: []string{"a:0"}}} {
		wrong.getenv = getenv
		_, err := wrong.resolveCluster(file)
		require.ErrorIs(t, err, errUsage)
	}
	t.Setenv(cluster.EnvClusterID, "seven")
	_, err := (&app{getenv: getenv}).resolveCluster(file)
	require.ErrorContains(t, err, cluster.EnvClusterID)
}

func TestErrorsAsJSON(t *testing.T) {
	t.Parallel()
	got := runApp(t, "balances", "--config", "/nonexistent", "--json")
	var complaint struct {
		Error  string
		Status int
	}
	require.NoError(t, json.Unmarshal([]byte(got.errors), &complaint))
	require.Equal(t, statusUsage, complaint.Status)
	require.Contains(t, complaint.Error, "/nonexistent")
	require.Empty(t, got.out)
}

func TestWrongCommandLines(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"frob"},
		{"balances", "--frob"},
		{"replay", "a", "b"},
		{"bench", "x"},
		{"bench", "--phase", "three"},
		{"bench", "--cluster-id", "7"},
		{"doctor", "now"},
		{"watch", "--every", "1ms", "--once"},
		{"watch"},
		{"--timeout", "soon", "version"},
	} {
		got := runApp(t, args...)
		require.Equal(t, statusUsage, got.status, "%v: %s", args, got.errors)
		require.NotEmpty(t, got.errors)
	}
}

// Each command has a short text without a period, and help.
func TestHelp(t *testing.T) {
	t.Parallel()
	var check func(cmd *cobra.Command)
	check = func(cmd *cobra.Command) {
		if cmd.Name() != "help" && cmd.Name() != "completion" && cmd.HasParent() && cmd.Parent().Name() != "completion" {
			require.NotEmpty(t, cmd.Short, cmd.CommandPath())
			require.False(t, strings.HasSuffix(cmd.Short, "."), cmd.CommandPath())
			got := runApp(t, append(strings.Fields(cmd.CommandPath())[1:], "--help")...)
			require.Equal(t, statusDone, got.status, cmd.CommandPath())
			require.Contains(t, got.out, "Usage:", cmd.CommandPath())
		}
		for _, child := range cmd.Commands() {
			check(child)
		}
	}
	check((&app{}).newRootCommand())
	require.Contains(t, runApp(t, "completion", "bash").out, "peerledger")
	require.Contains(t, runApp(t).out, "doctor")
	require.Contains(t, runApp(t, "version").out, "TigerBeetle client "+cluster.ClientRelease)
}

// Shells complete the configured peers.
func TestCompletion(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	for _, args := range [][]string{{"credit", "set"}, {"balances"}, {"statement"}, {"settle", "received"}, {"peers", "suspend"}} {
		got := runApp(t, append(append([]string{"__completeNoDesc", "--config", s.config}, args...), "")...)
		require.Contains(t, got.out, "alice@USD\nbob@USD\nalice@EUR\n", args)
	}
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	release, err := vsr.ParseRelease(cluster.ClientRelease)
	require.NoError(t, err)
	other := vsrtest.Serve(t, vsrtest.Replica{ClusterID: uint128.From64(8), Release: release})
	for want, args := range map[doctor.Code][]string{
		doctor.WrongClusterID: {"--cluster-id", "7", "--addresses", other},
		doctor.NothingListens: {"--cluster-id", "7", "--addresses", freeAddress(t)},
		doctor.Unresolvable:   {"--cluster-id", "7", "--addresses", "nobody.invalid:3001"},
		doctor.ConfigInvalid:  {"--cluster-id", "seven", "--addresses", other},
	} {
		got := runApp(t, append(args, "doctor")...)
		require.Equal(t, statusFound, got.status, got.errors)
		require.Empty(t, got.errors)
		require.Contains(t, got.out, "PROBLEM")
		require.Contains(t, got.out, "do:  ")

		got = runApp(t, append(args, "doctor", "--json")...)
		require.Equal(t, statusFound, got.status)
		require.Contains(t, got.out, `"code":"`+string(want)+`","level":"problem"`)
	}
	got := runApp(t, "doctor")
	require.Contains(t, got.out, "no ledger is named: set TIGERBEETLE_CLUSTER_ID")
	require.Contains(t, got.out, "1 problem,")
	got = runApp(t, "doctor", "--folder", t.TempDir())
	require.Equal(t, statusFound, got.status)
	require.Contains(t, got.out, "there is no ledger in ")
}

// The doctor reads a closed ledger and a journal, with the configured books.
func TestDoctorLooksAtFolders(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	journal := makeJournal(t, s)
	got := runApp(t, "--config", s.config, "doctor", "--folder", s.folder, "--journal", journal, "--json")
	require.Contains(t, got.out, `"code":"folder-right"`)
	require.Contains(t, got.out, `"code":"clock-plausible"`)
	require.Contains(t, got.out, `"code":"books-right"`)
	require.Contains(t, got.out, `"code":"journal-right"`)
	got = runApp(t, "doctor", "--journal", journal)
	require.Contains(t, got.out, "nothing waits; namespace \"test\"")
	require.NotContains(t, got.out, "no ledger is named")

	s.runOK(t, "adjust", "debit", "bob@USD", "3", "--key", "d", "--reason", "1", "--beyond-headroom", "--yes")
	require.Contains(t, runApp(t, "--config", s.config, "doctor", "--folder", s.folder).out, "bob 3.00 USD")
}

func TestDoctorLooksAtTheDataFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "7_0.tigerbeetle")
	vsrtest.DataFile(t, file, vsr.Superblock{ClusterID: uint128.From64(7), ReplicaCount: 1, Sequence: 1})
	got := runApp(t, "doctor", "--data-file", file, "--json")
	require.Contains(t, got.out, `"code":"data-file-right"`)
	require.Contains(t, got.out, "cluster 7, replica 0 of 1")
}

func TestMeasuring(t *testing.T) {
	t.Parallel()
	require.Contains(t, runApp(t, "replay").out, "alice")
	require.Contains(t, runApp(t, "replay", "--settle", "engine", "--json").out, `"peer":"bob"`)
	got := runApp(t, "bench", "--packets", "50", "--count", "1", "--callers", "2", "--ways", "batched,record", "--phase", "single", "--json")
	require.Equal(t, statusDone, got.status, got.errors)
	require.Contains(t, got.out, `"way":"record"`)
}
