package main

import (
	"encoding/csv"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

// listCommands has a command line of each command that lists rows of a ledger, and whether there are rows in the
// ledger of newPromiseLedger.
var listCommands = map[string]bool{
	"balances": true, "balances --own": true, "peers": true, "trial-balance": true, "holds dave@USD": false, "orders": true,
	"settle announced": true, "settle pauses": true, "statement bob@USD": true, "history alice@USD --from 2020-01-01 --to 2020-01-02 --steps 2": true, "holds --totals": true, "orders --closed": true,
	"limits": true, "exposure": true, "peers standing": true, "audit": true,
	"result --from 2020-01-01 --to 2040-01-01 --rate USD=0.92 --rate EUR=1": true, "result --from 2020-01-01 --to 2040-01-01 --rate USD=0.92 --rate EUR=1 --conversions": false,
	"import rafiki testdata/import/rafiki.json": true, "import interledger-rs testdata/import/interledger-rs-accounts.json testdata/import/interledger-rs-balances.json": true,
}

// Each command of the books that takes the flags of lists is in listCommands, and has all of these flags.
func TestListFlags(t *testing.T) {
	t.Parallel()
	elsewhere := []string{"export", "compare", "chart", "packets", "engines", "backup list", "context list"} // their own tests
	visitCommands(func(cmd *cobra.Command) {
		if cmd.Flags().Lookup("no-headers") == nil {
			return
		}
		name := strings.TrimPrefix(cmd.CommandPath(), "peerledger ")
		for _, flag := range []string{"output", "no-headers", "sort", "limit", "columns", "time-format"} {
			require.NotNil(t, cmd.Flags().Lookup(flag), "%s --%s", name, flag)
		}
		tested := slices.ContainsFunc(slices.Collect(maps.Keys(listCommands)), func(line string) bool {
			return line == name || strings.HasPrefix(line, name+" ")
		})
		require.True(t, tested || slices.Contains(elsewhere, name), "%s is in no test of lists", name)
	})
}

// shownAges matches the ages in lists, with the spaces before. An age changes from one command to the next.
var shownAges = regexp.MustCompile(` *\b(\d+m)?\d+s\b`)

// All commands that list rows take the same outputs.
func TestOutputsOfLists(t *testing.T) {
	t.Parallel()
	s := newPromiseLedger(t)
	for line, filled := range listCommands {
		command := strings.Fields(line)
		run := func(args ...string) string {
			t.Helper()
			return shownAges.ReplaceAllString(s.runOK(t, appendArgs(command, args...)...), "AGE")
		}

		if command[0] != "statement" { // accounts.WriteJSON and WriteCSV write its JSON and CSV
			require.Equal(t, run("--json"), run("-o", "jsonl"), line)
			var array []json.RawMessage
			require.NoError(t, json.Unmarshal([]byte(run("-o", "json")), &array), line)
			require.Len(t, array, strings.Count(run("-o", "jsonl"), "\n"), line)
			require.Equal(t, filled, len(array) > 0, line)
			requireColumnsAreFields(t, line, run("-o", "csv"), array)
		}
		require.Equal(t, filled, run("-o", "name") != "", line)
		if !filled {
			continue
		}
		requireObjects(t, line, run("-o", "jsonl"))
		table, wide := run(), run("-o", "wide")
		require.Equal(t, table, run("-o", "table"), line)
		require.GreaterOrEqual(t, len(strings.Split(wide, "\n")[0]), len(strings.Split(table, "\n")[0]), "%s: a wide table has all columns", line)
		require.Equal(t, strings.Count(table, "\n")-2, strings.Count(run("--no-headers"), "\n"), "%s: the header and its line", line)
		if line != "holds --totals" { // the limit is of holds, and the sums are of all of them
			require.Equal(t, 1, strings.Count(run("-o", "jsonl", "--limit", "1"), "\n"), line)
		}
	}
	require.Equal(t, "[]\n", s.runOK(t, "holds", "dave@USD", "-o", "json"), "an empty list is valid JSON")
	require.Equal(t, "alice@USD/2\nbob@USD/2\ncarol@USD/2\n", s.runOK(t, "peers", "--asset", "USD", "--limit", "3", "-o", "name"))
	require.Equal(t, "USD/2", readRows[peerRow](t, s.testLedger, "balances", "bob@USD/2")[0].Asset, "another command takes the name")
}

// requireColumnsAreFields requires the columns of CSV to have the names of JSON's fields, and the values
// of them.
func requireColumnsAreFields(t *testing.T, line, text string, array []json.RawMessage) {
	t.Helper()
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	require.NoError(t, err, line)
	require.Len(t, records, len(array)+1, line)
	only := []string{"name", "held_by", "paused"} // columns that are made of several fields
	for i, object := range array {
		var fields map[string]any
		require.NoError(t, json.Unmarshal(object, &fields))
		for j, column := range records[0] {
			if value, isText := fields[column].(string); isText {
				require.Equal(t, value, records[i+1][j], "%s: %s", line, column)
			} else if records[i+1][j] != "" && fields[column] == nil {
				require.Contains(t, only, column, line)
			}
		}
	}
}

func TestSortedLists(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.forwardPacket(t, 3001)
	s.runOK(t, "credit", "set", "bob@USD", "unlimited", "--yes")
	list := func(args ...string) []string {
		return strings.Fields(s.runOK(t, append([]string{"balances", "-o", "name"}, args...)...))
	}
	alice, bob, euro := "alice@USD/2", "bob@USD/2", "alice@EUR/2"
	require.Equal(t, []string{alice, bob, euro}, list())
	require.Equal(t, []string{alice, euro, bob}, list("--sort", "position"), "as numbers: -30.01, 0.00, 30.00")
	require.Equal(t, []string{bob, euro, alice}, list("--sort", "position:desc"))
	require.Equal(t, []string{euro, alice, bob}, list("--sort", "credit_line"), "unlimited comes last")
	require.Equal(t, []string{euro, alice, bob}, list("--sort", "credit line:asc"), "by the title")
	require.Equal(t, []string{euro, alice, bob}, list("--sort", "asset"), "EUR before USD, else as before")
	require.Equal(t, []string{bob, euro}, list("--sort", "position:desc", "--limit", "2"))
	require.Equal(t, []string{alice, bob, euro}, list("--limit", "7"))
	require.Equal(t, `{"json":1,"peer":"bob"`, s.runOK(t, "balances", "--json", "--sort", "position:desc", "--limit", "1")[:22])
}

func TestSortsNumbers(t *testing.T) {
	t.Parallel()
	c := column[string]{right: true}
	sorted := []string{"", "-30.01", "-9", "0.00", "9", "9.5", "30s", "1m1s", "100", "1000000000000000000000000000000.5", unlimited}
	mixed := []string{"9.5", unlimited, "100", "", "30s", "-9", "1000000000000000000000000000000.5", "0.00", "1m1s", "9", "-30.01"}
	slices.SortFunc(mixed, c.compareValues)
	require.Equal(t, sorted, mixed)
}

// A table shows times by the second, and a folder books many rows in one.
func TestSortsTimes(t *testing.T) {
	t.Parallel()
	c := column[string]{isTime: true}
	sorted := []string{"", "never", "2026-12-01T11:02:42Z", "2026-12-01T11:02:42.2Z", "2026-12-01T11:02:42.21Z", "2026-12-01T11:02:43Z"}
	mixed := []string{"2026-12-01T11:02:43Z", "2026-12-01T11:02:42.21Z", "never", "2026-12-01T11:02:42Z", "", "2026-12-01T11:02:42.2Z"}
	slices.SortFunc(mixed, c.compareValues)
	require.Equal(t, sorted, mixed)
}

func TestFilteredPeers(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.forwardPacket(t, 3001) // alice owes 30.01 of 100
	s.runOK(t, "adjust", "debit", "alice@EUR", "7", "--key", "a", "--reason", "1", "--beyond-headroom", "--yes")
	s.runOK(t, "peers", "suspend", "bob@USD", "--yes")
	alice, bob, euro := "alice@USD/2\n", "bob@USD/2\n", "alice@EUR/2\n"
	for _, command := range []string{"balances", "peers"} {
		for filter, want := range map[string]string{
			"near-line=30%": alice, "near-line=30": alice, "near-line=31%": "", "owing": alice + euro, "in-arrears": euro, "suspended": bob,
			"owing --filter in-arrears": euro, "owing --filter suspended": "",
		} {
			args := appendArgs([]string{command, "-o", "name", "--filter"}, strings.Fields(filter)...)
			require.Equal(t, want, s.runOK(t, args...), args)
		}
		require.Empty(t, s.runOK(t, command, "--json", "--filter", "near-line=99"))
		require.Equal(t, "[]\n", s.runOK(t, command, "-o", "json", "--filter", "near-line=99"))
		require.NotContains(t, s.runOK(t, command, "--filter", "near-line=99"), "no peers")
	}
}

func TestWrongListFlags(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	for line, want := range map[string]string{
		"balances -o yaml":                      `there is no output "yaml"; there is table, wide, csv, json, jsonl, name`,
		"balances --json -o csv":                "contradict",
		"balances --json --no-headers":          "--no-headers is for tables and CSV alone",
		"balances -o name --no-headers":         "--no-headers is for tables and CSV alone",
		"balances --limit -1":                   "--limit must be 0 or more",
		"balances --sort rank":                  `there is no column "rank"; there is peer, asset, state, position,`,
		"balances --sort position:up":           "the order must be asc or desc",
		"balances --filter rich":                "there is no such condition",
		"balances --filter near-line":           "near-line must be a percentage",
		"balances --filter near-line=0%":        "near-line must be a percentage",
		"balances --filter owing=5":             "only near-line has a value",
		"balances --own --filter owing":         "--own shows none",
		"peers --filter rich":                   "there is no such condition",
		"statement bob@USD --csv --json":        "contradict",
		"statement bob@USD --csv -o table":      "contradict",
		"statement bob@USD --csv --sort time":   "is whole",
		"statement bob@USD -o json --limit 5":   "is whole",
		"statement bob@USD -o csv --no-headers": "is whole",
		"orders --sort rank":                    "there is no column",
		"credit set alice@USD 5 -o json":        "unknown shorthand flag",
	} {
		got := s.runCommand(t, strings.Fields(line)...)
		require.Equal(t, statusUsage, got.status, "%s: %s", line, got.errors)
		require.Contains(t, got.errors, want, line)
		require.Empty(t, got.out, line)
	}
	got := s.runCommand(t, "balances", "-o", "json", "--sort", "rank")
	require.True(t, json.Valid([]byte(got.errors)), "errors are JSON too: %s", got.errors)
}

// Spreadsheets and shells read what CSV quotes.
func TestCSVQuotes(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.runOK(t, "peers", "add", `g.a,"b"`, "--asset", "USD", "--yes")
	records, err := csv.NewReader(strings.NewReader(s.runOK(t, "peers", "-o", "csv", "--asset", "USD"))).ReadAll()
	require.NoError(t, err)
	require.Equal(t, []string{"peer", "asset", "state", "position", "arrears", "credit_line", "headroom", "opened"}, records[0][:8])
	require.Equal(t, `g.a,"b"`, records[3][0])
	require.Len(t, strings.Split(strings.TrimSpace(s.runOK(t, "peers", "-o", "csv", "--asset", "USD", "--no-headers")), "\n"), 3)

	s.runOK(t, "peers", "add", "=1+1", "--asset", "EUR", "--yes")
	s.runOK(t, "adjust", "debit", "=1+1@EUR", "7", "--key", "a", "--reason", "1", "--beyond-headroom", "--yes")
	require.Contains(t, s.runOK(t, "peers", "-o", "csv", "--asset", "EUR"), "\n'=1+1,EUR/2,active,-7.00,", "a text is no formula, and an amount keeps its sign")
	require.Contains(t, s.runOK(t, "peers", "-o", "name", "--asset", "EUR"), "\n=1+1@EUR/2\n")
}
