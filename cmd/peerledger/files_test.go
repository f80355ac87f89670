package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/doctor"
	"github.com/peerledger/peerledger/internal/vsr"
	"github.com/peerledger/peerledger/internal/vsr/vsrtest"
)

// runAppWithEnv runs a command with an environment.
func runAppWithEnv(t *testing.T, environment map[string]string, args ...string) outcome {
	t.Helper()
	var out, complaints bytes.Buffer
	a := &app{stdin: strings.NewReader(""), stdout: &out, stderr: &complaints, getenv: func(name string) string { return environment[name] }}
	status := a.runCommand(t.Context(), args)
	return outcome{status, out.String(), complaints.String()}
}

// The configuration in the help text works with the first commands of the README.
func TestHelpShowsAFileToBeginWith(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, file, found := strings.Cut(runApp(t, "help").out, "\n\n  folder: ledger")
	require.True(t, found)
	file, _, found = strings.Cut("  folder: ledger"+file, "\n\n")
	require.True(t, found)
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("peerledger.yaml", []byte(file+"\n"), 0o600))
	ok := func(line string) string {
		t.Helper()
		got := runAppWithEnv(t, nil, strings.Fields(line)...)
		require.Equal(t, statusDone, got.status, "%s: %s", line, got.errors)
		return got.out
	}
	for _, line := range []string{"peers provision --yes", "peers", "settle received alice 40 --key first --yes", "statement alice"} {
		require.Contains(t, string(readme), "`peerledger "+line+"`")
	}
	ok("peers provision --yes")
	require.DirExists(t, "ledger")
	require.Contains(t, ok("peers"), "alice")
	ok("settle received alice 40 --key first --yes")
	require.Contains(t, ok("statement alice"), "40.00")
}

// Without --config, PEERLEDGER_CONFIG names the file. Without both it is peerledger.yaml in the
// working directory. PEERLEDGER_FOLDER names the ledger.
func TestWhereTheFileIs(t *testing.T) {
	s := newTestLedger(t)
	t.Chdir(t.TempDir())
	peers := func(environment map[string]string, args ...string) outcome {
		environment["PEERLEDGER_FOLDER"] = s.folder
		return runAppWithEnv(t, environment, append(args, "peers")...)
	}
	require.Contains(t, peers(map[string]string{"PEERLEDGER_CONFIG": s.config}).out, "alice")
	got := peers(map[string]string{"PEERLEDGER_CONFIG": "elsewhere.yaml"})
	require.Equal(t, statusUsage, got.status)
	require.Contains(t, got.errors, "elsewhere.yaml")
	require.Contains(t, peers(map[string]string{"PEERLEDGER_CONFIG": "elsewhere.yaml"}, "--config", s.config).out, "alice", "the flag comes first")
	require.Equal(t, statusUsage, peers(map[string]string{}).status)
	require.NoError(t, os.WriteFile("peerledger.yaml", []byte(configuration), 0o600))
	require.Contains(t, peers(map[string]string{}).out, "alice")
}

// Warnings end with status 0 without --strict, and with status 5 with it.
func TestStrictDoctor(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "7_0.tigerbeetle")
	vsrtest.DataFile(t, file, vsr.Superblock{ClusterID: uint128.From64(7), ReplicaCount: 1, Sequence: 1})
	got := runApp(t, "doctor", "--data-file", file, "--json")
	levels := map[string]bool{}
	for line := range strings.Lines(got.out) {
		var found struct{ Level string }
		require.NoError(t, json.Unmarshal([]byte(line), &found))
		levels[found.Level] = true
	}
	if levels[doctor.Problem.String()] || !levels[doctor.Warning.String()] {
		t.Skipf("needs a machine without problems: see the findings of doctor: %s", strings.Join(strings.Fields(got.out), " "))
	}
	require.Equal(t, statusDone, got.status)
	require.Equal(t, statusFound, runApp(t, "doctor", "--data-file", file, "--strict").status)
}

// A folder of backups is accepted if all backups are complete and of one cluster.
func TestFolderOfBackups(t *testing.T) {
	t.Parallel()
	file, folder := writeDataFile(t, 1)
	backUp := func(file string) string {
		t.Helper()
		before, _ := filepath.Glob(filepath.Join(folder, "*-2*Z"))
		got := runApp(t, "backup", "--file", file, "--to", folder)
		require.Equal(t, statusDone, got.status, got.errors)
		after, err := filepath.Glob(filepath.Join(folder, "*-2*Z"))
		require.NoError(t, err)
		require.Len(t, after, len(before)+1)
		return strings.SplitN(got.out, ":", 2)[0]
	}
	restore := func(from string) outcome {
		t.Helper()
		return runApp(t, "restore", from, filepath.Join(t.TempDir(), "restored"))
	}
	first := backUp(file)
	second := backUp(file)
	got := restore(folder)
	require.Equal(t, statusDone, got.status, got.errors)
	require.Contains(t, got.out, second)

	other := filepath.Join(t.TempDir(), "8_0.tigerbeetle")
	vsrtest.DataFile(t, other, vsr.Superblock{ClusterID: uint128.From64(8), ReplicaCount: 1, Sequence: 1})
	third := backUp(other)
	got = restore(folder)
	require.NotEqual(t, statusDone, got.status)
	require.Contains(t, got.errors, "name one of the backups")
	require.Equal(t, statusDone, restore(third).status)
	require.NoError(t, os.RemoveAll(third))

	require.NoError(t, os.Remove(filepath.Join(first, "manifest.json")))
	got = restore(folder)
	require.NotEqual(t, statusDone, got.status)
	require.Contains(t, got.errors, "name one of the backups")
	require.Equal(t, statusDone, restore(second).status, "that is named")
}
