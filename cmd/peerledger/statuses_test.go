package main

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/bookcheck"
	"github.com/peerledger/peerledger/ledger/cluster"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// commandLines has a correct command line of every command. Commands of books read a ledger with
// the configured assets, commands of raw a ledger alone, and others no ledger, or not by the shared
// flags.
var commandLines = struct{ books, raw, others map[string]string }{
	books: map[string]string{
		"balances": "balances", "audit": "audit --ledger", "statement": "statement alice@USD", "orders": "orders", "watch": "watch --once", "console": "console", "peers": "peers",
		"peers suspend": "peers suspend alice@USD", "peers resume": "peers resume alice@USD", "peers close": "peers close alice@USD", "peers reopen": "peers reopen alice@USD",
		"credit set": "credit set alice@USD 5", "credit extend": "credit extend alice@USD 5", "credit revoke": "credit revoke alice@USD 5",
		"settle received": "settle received alice@USD 5 --key k", "settle paid": "settle paid alice@USD 5 --key k", "settle import": "settle import testdata/bank.csv",
		"settle returned": "settle returned alice@USD 5 --key k --payment p", "settle resolve": "settle resolve alice@USD abc 5",
		"settle cancel": "settle cancel alice@USD abc", "settle now": "settle now alice@USD --pay-with true",
		"settle refund": "settle refund alice@USD --pay-with true", "settle release": "settle release alice@USD",
		"settle announce": "settle announce alice@USD 5 --key k", "settle announced": "settle announced",
		"settle failed": "settle failed alice@USD --key k", "trial-balance": "trial-balance",
		"settle approve": "settle approve alice@USD abc", "settle pause": "settle pause bank", "settle resume": "settle resume bank",
		"settle stop": "settle stop", "settle start": "settle start", "settle pauses": "settle pauses", "holds": "holds alice@USD", "compare": "compare alice@USD /nonexistent", "check": "check",
		"find": "find abc", "limits": "limits", "exposure": "exposure", "history": "history alice@USD", "chart": "chart alice@USD --file TARGET.svg",
		"adjust credit": "adjust credit alice@USD 5 --key k --reason 1", "adjust debit": "adjust debit alice@USD 5 --key k --reason 1",
		"adjust write-off": "adjust write-off alice@USD 5 --key k --reason 1",
		"fund":             "fund 5 --asset USD --key k --reason 1", "withdraw": "withdraw 5 --asset USD --key k --reason 1",
		"result":                "result --month 2026-11 --rate USD=1 --rate EUR=1",
		"import rafiki":         "import rafiki testdata/import/rafiki.json --reason 1",
		"import interledger-rs": "import interledger-rs testdata/import/interledger-rs-accounts.json testdata/import/interledger-rs-balances.json --reason 1",
		"peers standing":        "peers standing",
		"peers add":             "peers add dora@USD", "peers provision": "peers provision", "engines run": "engines run",
	},
	raw: map[string]string{"migrate": "migrate --to-folder TARGET", "export": "export TARGET"},
	others: map[string]string{
		"doctor": "doctor", "config check": "config check", "config init": "config init /nonexistent/file", "context list": "context list", "context use": "context use live", "context show": "context show", "packets": "packets --journal j", "backup": "backup --file f --to t", "backup list": "backup list f", "restore": "restore b f", "verify": "verify b",
		"bench": "bench", "replay": "replay", "serve": "serve", "engines": "engines", "engines add": "engines add bank http://127.0.0.1:1", "rfc0038 check": "rfc0038 check http://127.0.0.1:1", "rfc0038 engine": "rfc0038 engine", "version": "version", "help": "help", "completion bash": "completion bash",
		"completion zsh": "completion zsh", "completion fish": "completion fish", "completion powershell": "completion powershell",
	},
}

// writesBooks reports whether a command takes --yes.
func writesBooks(name string) bool {
	return strings.Contains(name, " ") && !strings.HasPrefix(name, "completion") && name != "backup list" && name != "settle announced" && name != "settle pauses" && name != "peers standing" && name != "engines run" || slices.Contains([]string{"migrate", "fund", "withdraw"}, name)
}

// eachLine calls run with each command line in a subtest.
func eachLine(t *testing.T, commands map[string]string, run func(t *testing.T, name string, line []string)) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(commands)) {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			line := strings.Fields(strings.ReplaceAll(commands[name], "TARGET", filepath.Join(t.TempDir(), "target")))
			run(t, name, line)
		})
	}
}

func allLines() map[string]string {
	every := maps.Clone(commandLines.books)
	maps.Copy(every, commandLines.raw)
	maps.Copy(every, commandLines.others)
	return every
}

func appendArgs(before []string, line ...string) []string {
	return append(slices.Clone(before), line...)
}

// requireRefused requires a command to end with a status and a message, and without output. check has
// the status 3 of monitoring plugins for all of it, and the message is its output.
func requireRefused(t *testing.T, got outcome, name string, status int, text string, about ...any) {
	t.Helper()
	if name == "check" {
		require.Equal(t, outcome{int(bookcheck.Unknown), got.out, ""}, got, about...)
		require.Contains(t, got.out, "PEERLEDGER UNKNOWN - ")
		require.Contains(t, got.out, text, about...)
		return
	}
	require.Equal(t, status, got.status, "%v: %s", about, got.errors)
	require.NotEmpty(t, got.errors)
	require.Contains(t, got.errors, text, about...)
	require.Empty(t, got.out, about...)
}

// commandLines has every command that does something.
func TestStatusesOfEveryCommand(t *testing.T) {
	t.Parallel()
	var names []string
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		does := !cmd.HasSubCommands() || cmd.Name() == "peers" || cmd.Name() == "backup" || cmd.Name() == "engines"
		if does {
			names = append(names, strings.TrimPrefix(cmd.CommandPath(), "peerledger "))
		}
		for _, child := range cmd.Commands() {
			visit(child)
		}
	}
	visit((&app{}).newRootCommand())
	require.ElementsMatch(t, names, slices.Collect(maps.Keys(allLines())))
}

// Wrong command lines end with status 2 and a message.
func TestStatusOfWrongCommandLines(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	eachLine(t, allLines(), func(t *testing.T, name string, line []string) { //nolint:thelper // it is the test
		usage := func(what string, args ...string) {
			t.Helper()
			got := runApp(t, args...)
			requireRefused(t, got, name, statusUsage, "", "%s: %v", what, args)
		}
		command := strings.Fields(name)
		cmd, _, err := (&app{}).newRootCommand().Find(command)
		require.NoError(t, err)
		usage("a flag that is not there", appendArgs(line, "--frob")...)
		usage("a flag without a value", appendArgs(line, "--config")...)
		usage("no time", appendArgs(line, "--timeout", "soon")...)
		if name != "serve" { // serves a folder as a cluster
			usage("both", appendArgs(line, "--folder", s.folder, "--cluster-id", "7")...)
		}
		usage("both", appendArgs(line, "--folder", s.folder, "--addresses", "a:1")...)
		if !strings.Contains(cmd.Use, "...") && name != "help" {
			usage("too many arguments", appendArgs(line, "x", "y", "z", "zz")...)
		}
		if name == "help" {
			usage("no command", "help", "frob")
		}
		if words := strings.Fields(cmd.Use); len(words) > 1 && !strings.HasPrefix(words[1], "[") && !strings.HasPrefix(words[1], "--") && name != "statement" {
			usage("no arguments", command...)
		}
		if strings.Contains(strings.Join(line, " "), " --") && name != "watch" && name != "audit" {
			usage("a flag is missing", line[:slices.IndexFunc(line, func(w string) bool { return strings.HasPrefix(w, "--") })]...)
		}
		for _, flag := range refusedFlags[cmd.CommandPath()] {
			usage("it takes none", appendArgs(line, "--"+flag, "7")...)
		}
	})
	for _, group := range []string{"", "credit", "settle", "adjust", "peers", "engines", "rfc0038", "completion", "config"} {
		got := runApp(t, append(strings.Fields(group), "frob")...)
		require.Equal(t, statusUsage, got.status, group)
		require.Contains(t, got.errors, "frob")
	}
}

// corruptFolder makes a ledger's folder whose first log segment has no header.
func corruptFolder(t *testing.T) string {
	t.Helper()
	folder := newTestLedger(t).folder
	segments, err := filepath.Glob(filepath.Join(folder, "log-*"))
	require.NoError(t, err)
	require.NotEmpty(t, segments)
	content, err := os.ReadFile(segments[0])
	require.NoError(t, err)
	copy(content, "this is no header")
	require.NoError(t, os.WriteFile(segments[0], content, 0o600))
	return folder
}

// The statuses of commands on faulty ledgers.
func TestStatusOfLedgers(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	empty, file := t.TempDir(), filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(filepath.Join(empty, "notes.txt"), nil, 0o600))
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	corrupt := corruptFolder(t)
	used := newTestLedger(t).folder
	l, err := embedded.Open(used)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	makes := []string{"peers add", "peers provision"}

	commands := maps.Clone(commandLines.books)
	maps.Copy(commands, commandLines.raw)
	eachLine(t, commands, func(t *testing.T, name string, line []string) { //nolint:thelper // it is the test
		ends := func(status int, text string, before ...string) {
			t.Helper()
			for _, yes := range []bool{false, true} {
				args := appendArgs(before, line...)
				if yes && !writesBooks(name) {
					continue
				} else if yes {
					args = append(args, "--yes")
				}
				got := runApp(t, args...)
				requireRefused(t, got, name, status, text, "%v", args)
			}
		}
		in := func(folder string) []string { return []string{"--config", s.config, "--folder", folder} }
		ends(statusUsage, "no ledger is named", "--config", s.config)
		ends(statusUsage, "nothing.yaml", "--config", filepath.Join(empty, "nothing.yaml"), "--folder", s.folder)
		ends(statusUsage, "is a file", in(file)...)
		// A copy for each command: two commands at a time cannot open one folder.
		copied := t.TempDir()
		require.NoError(t, os.CopyFS(copied, os.DirFS(corrupt)))
		ends(statusFailed, "corrupt", in(copied)...)
		ends(statusNoAnswer, "in use", in(used)...)
		ends(statusUsage, "cluster id", "--config", s.config, "--cluster-id", "seven", "--addresses", "a:1")
		ends(statusNoAnswer, "", "--config", s.config, "--cluster-id", "7", "--addresses", freeAddress(t), "--timeout", "50ms")
		if slices.Contains(makes, name) {
			return
		}
		ends(statusUsage, "no ledger to read", in(empty)...)
		ends(statusUsage, "no ledger to read", in(filepath.Join(empty, "missing"))...)
	})
}

// Only commands that provision peers create a ledger.
func TestLookingMakesNoLedger(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o600))
	commands := maps.Clone(commandLines.books)
	maps.Copy(commands, commandLines.raw)
	for _, line := range commands {
		runApp(t, appendArgs([]string{"--config", s.config, "--folder", dir}, strings.Fields(strings.ReplaceAll(line, "TARGET", s.folder+"2"))...)...)
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	present := testLedger{s.config, dir}
	require.Contains(t, present.runOK(t, "peers", "provision"), "There is no ledger in the folder yet: this command creates it.")
	require.Contains(t, present.runOK(t, "peers", "provision", "--yes"), "The ledger is a new one")
	require.NotContains(t, present.runOK(t, "peers", "provision", "--yes"), "new one")
	require.Equal(t, statusUsage, runApp(t, "--config", s.config, "--folder", filepath.Join(dir, "no", "such"), "peers", "provision", "--yes").status)
}

// The environment or the file may not name two ledgers, unless a source of higher precedence
// decides.
func TestContradictions(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	run := func(environment map[string]string, args ...string) outcome {
		t.Helper()
		var out, complaints bytes.Buffer
		a := &app{stdin: strings.NewReader(""), stdout: &out, stderr: &complaints, getenv: func(name string) string { return environment[name] }}
		status := a.runCommand(t.Context(), args)
		return outcome{status, out.String(), complaints.String()}
	}
	both := map[string]string{"PEERLEDGER_FOLDER": s.folder, cluster.EnvClusterID: "7", cluster.EnvAddresses: "a:1"}
	got := run(both, "--config", s.config, "peers")
	require.Equal(t, statusUsage, got.status)
	require.Contains(t, got.errors, "unset one of the two")
	require.Equal(t, statusDone, run(both, "--config", s.config, "--folder", s.folder, "peers").status, "flags come first")
	delete(both, cluster.EnvClusterID)
	delete(both, cluster.EnvAddresses)
	require.Equal(t, statusDone, run(both, "--config", s.config, "peers").status)

	file := filepath.Join(t.TempDir(), "both.yaml")
	require.NoError(t, os.WriteFile(file, []byte("folder: "+s.folder+"\ncluster_id: \"7\"\n"+configuration), 0o600))
	got = run(nil, "--config", file, "peers")
	require.Equal(t, statusUsage, got.status)
	require.Contains(t, got.errors, "keep one of the two")
	require.Equal(t, statusDone, run(nil, "--config", file, "--folder", s.folder, "peers").status)
	require.Equal(t, statusDone, run(map[string]string{"PEERLEDGER_FOLDER": s.folder}, "--config", file, "peers").status)

	folder := config{Folder: "f"}
	a := &app{getenv: func(name string) string { return map[string]string{cluster.EnvClusterID: "7"}[name] }}
	require.Empty(t, a.selectFolder(folder), "the environment comes before the file")
	a.folder = "g"
	require.Equal(t, "g", a.selectFolder(folder))

	got = run(nil, "--config", s.config, "--folder", s.folder, "migrate", "--to-folder", s.folder)
	require.Equal(t, statusUsage, got.status)
	require.Contains(t, got.errors, "is the ledger to be copied")
	got = run(nil, "--config", s.config, "--folder", s.folder, "migrate", "--to-folder", "x", "--to-cluster-id", "7")
	require.Equal(t, statusUsage, got.status)
}

// With assets that differ from the ledger's, a command shows no amount and writes nothing.
func TestAssetsAreTheLedgers(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.forwardPacket(t, 3001)
	before := s.runOK(t, "balances", "--json")
	for want, replaced := range map[string][2]string{
		"USD/9 on ledger 1: its scale is 2 in the ledger":                 {"USD, scale: 2", "USD, scale: 9"},
		"GBP/2 on ledger 1: the ledger has another asset":                 {"{code: USD, scale: 2, ledger: 1}", "{code: GBP, scale: 2, ledger: 1}"},
		"USD/2 on ledger 7: the ledger has it under the number 1 for USD": {"ledger: 1", "ledger: 7"},
	} {
		text := strings.ReplaceAll(configuration, replaced[0], replaced[1])
		if strings.HasPrefix(want, "GBP") {
			text = strings.ReplaceAll(text, "asset: USD", "asset: GBP")
		}
		other := testLedger{filepath.Join(t.TempDir(), "peerledger.yaml"), s.folder}
		require.NoError(t, os.WriteFile(other.config, []byte(text), 0o600))
		for name, line := range commandLines.books {
			for _, yes := range []bool{false, true} {
				args := strings.Fields(strings.ReplaceAll(line, "alice@USD", "alice@EUR"))
				if yes && writesBooks(name) {
					args = append(args, "--yes")
				}
				got := other.runCommand(t, args...)
				requireRefused(t, got, name, statusUsage, want, "%v", args)
				require.Equal(t, 1, strings.Count(got.out+got.errors, want), "it is said once")
			}
		}
	}
	require.Equal(t, before, s.runOK(t, "balances", "--json"))
}
