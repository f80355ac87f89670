package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/bookcheck"
)

func TestColourFlag(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	for _, test := range []struct {
		args     []string
		terminal bool
		noColour string
		want     bool
	}{
		{nil, true, "", true},
		{nil, true, "1", false},
		{nil, false, "", false},
		{[]string{"--color", "always"}, false, "", true},
		{[]string{"--color", "always"}, false, "1", true},
		{[]string{"--color", "never"}, true, "", false},
		{[]string{"--color", "auto"}, true, "1", false},
	} {
		change := func(a *app) {
			a.stdoutIsTerminal = test.terminal
			a.getenv = func(name string) string { return map[string]string{"NO_COLOR": test.noColour}[name] }
		}
		got := runAppWith(t.Context(), change, append([]string{"--config", s.config, "--folder", s.folder, "balances"}, test.args...)...)
		require.Equal(t, statusDone, got.status, got.errors)
		require.Equal(t, test.want, strings.Contains(got.out, "\x1b[32mactive\x1b[0m"), "%v: %q", test, got.out)
	}
	got := s.runCommand(t, "balances", "--color", "pink")
	require.Equal(t, statusUsage, got.status)
	require.Contains(t, got.errors, `there is no when "pink"; there is auto, always, never`)
}

func TestTimeFormats(t *testing.T) {
	t.Parallel()
	now, zone := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC), time.FixedZone("", -3600)
	for _, test := range []struct{ format, cell, want string }{
		{timesISO, "2026-11-29T11:00:00Z", "2026-11-29T11:00:00Z"},
		{"", "2026-11-29T11:00:00Z", "2026-11-29T11:00:00Z"},
		{timesRelative, "2026-11-29T11:59:20Z", "40s ago"},
		{timesRelative, "2026-11-29T10:29:40Z", "1h30m0s ago"},
		{timesRelative, "2026-11-29T12:00:05Z", "in 5s"},
		{timesRelative, "never", "never"},
		{timesRelative, "", ""},
		{timesLocal, "2026-11-29T11:00:00.123456789Z", "2026-11-29 10:00:00 -01:00"},
		{timesLocal, "never", "never"},
	} {
		require.Equal(t, test.want, (&listing{timeFormat: test.format}).formatCellTime(test.cell, now, zone), test)
	}
}

// No table of times forgets --time-format, and other outputs refuse it.
func TestTimesOfLists(t *testing.T) {
	t.Parallel()
	s := newPromiseLedger(t)
	iso := regexp.MustCompile(`20\d\d-\d\d-\d\dT`)
	for line := range listCommands {
		args := strings.Fields(line)
		got := s.runOK(t, append(args, "-o", "wide", "--time-format", "relative")...)
		for row := range strings.Lines(got) {
			if strings.HasPrefix(row, "│") {
				require.NotRegexp(t, iso, row, line)
			}
		}
		if iso.MatchString(s.runOK(t, append(args, "-o", "wide")...)) && !strings.Contains(line, "--own") {
			require.Regexp(t, `\d(s|m\d+s) ago|in \d`, got, line)
		}
		refused := s.runCommand(t, append(args, "-o", "jsonl", "--time-format", "local")...)
		require.Equal(t, statusUsage, refused.status, line)
		require.Contains(t, refused.errors, "--time-format is for tables alone")
	}
}

func TestColumns(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.forwardPacket(t, 3001)
	require.Equal(t, "position,peer,account\n", regexp.MustCompile(`^.*\n`).FindString(s.runOK(t, "balances", "--columns", "position,peer,account", "-o", "csv")))
	table := s.runOK(t, "balances", "--columns", "credit line, headroom,opened", "--no-headers", "--sort", "position")
	require.Regexp(t, `│ +100.00 │ +69.99 │ 20\S+Z │`, strings.Split(table, "\n")[1], "columns by their titles, also wide ones, sorted by another one")
	for want, line := range map[string]string{
		`--columns: there is no column "rank"; there is peer, asset,`: "balances --columns peer,rank",
		"--columns is for tables and CSV alone":                       "balances --columns peer --json",
		"--columns is for tables and CSV":                             "balances --columns peer -o name",
		"is whole":                                                    "statement bob@USD --columns time --csv",
	} {
		got := s.runCommand(t, strings.Fields(line)...)
		require.Equal(t, statusUsage, got.status, line)
		require.Contains(t, got.errors, want, line)
		require.Empty(t, got.out)
	}
}

// Shells complete assets, reasons, orders, contexts and words of flags.
func TestCompletionOfValues(t *testing.T) {
	t.Parallel()
	s := newPromiseLedger(t)
	complete := func(args ...string) string {
		t.Helper()
		got := runApp(t, append([]string{"__complete", "--config", s.config, "--folder", s.folder}, args...)...)
		require.Equal(t, statusDone, got.status, got.errors)
		return got.out
	}
	require.Equal(t, "USD\nEUR\n:4\n", complete("balances", "--asset", ""))
	require.Equal(t, "USD\nEUR\n:4\n", complete("peers", "suspend", "--asset", ""), "also an inherited flag")
	require.Equal(t, "capital\nrefund\n:4\n", complete("fund", "5", "--reason", ""))
	require.Equal(t, "capital\nrefund\n:4\n", complete("credit", "set", "alice", "5", "--reason", ""))
	require.Equal(t, s.order+"\t30.00 USD\n:4\n", complete("settle", "resolve", "bob@USD", ""))
	require.Equal(t, s.order+"\t30.00 USD\n:4\n", complete("settle", "cancel", "bob", "--asset", "USD", ""))
	require.Equal(t, s.approval+"\t5.00 USD\n:4\n", complete("settle", "approve", "carol@USD", ""))
	require.Equal(t, ":4\n", complete("settle", "cancel", "nobody@USD", ""))
	require.Equal(t, ":4\n", complete("settle", "cancel", "bob@USD", s.order, ""))
	require.Contains(t, complete("settle", "cancel", ""), "bob@USD\n")
	require.NotContains(t, complete("balances", "bob@USD", ""), "bob@USD\n", "it is there already")
	require.Contains(t, complete("balances", "bob@USD", ""), "alice@EUR\n")
	require.Equal(t, "age\nexpiry\namount\n:4\n", complete("holds", "--order", ""))
	require.Equal(t, "auto\nalways\nnever\n:4\n", complete("balances", "--color", ""))
	require.Equal(t, "nagios\njson\n:4\n", complete("check", "-o", ""))

	h := newContextsHome(t)
	for _, args := range [][]string{{"balances", "--context", ""}, {"context", "use", ""}} {
		require.Equal(t, "live\ntest\ntypo\n:4\n", h.run(t, append([]string{"__complete"}, args...)...).out)
	}
	require.Equal(t, ":4\n", h.run(t, "__complete", "context", "use", "live", "").out)
}

// All flags that take one of some words are completed.
func TestWordsAreCompleted(t *testing.T) {
	t.Parallel()
	visitCommands(func(cmd *cobra.Command) {
		cmd.LocalFlags().VisitAll(func(flag *pflag.Flag) {
			if choice, is := flag.Value.(choiceFlag); is {
				complete, found := cmd.GetFlagCompletionFunc(flag.Name)
				require.True(t, found, "%s --%s", cmd.CommandPath(), flag.Name)
				words, _ := complete(cmd, nil, "")
				require.Equal(t, choice.words, words)
				require.Contains(t, choice.words, flag.DefValue, "%s --%s", cmd.CommandPath(), flag.Name)
			}
		})
	})
}

func TestVerbose(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	got := s.runCommand(t, "credit", "set", "alice@USD", "7", "--yes", "-v")
	require.Equal(t, statusDone, got.status)
	require.Regexp(t, `(?m)^time=\S+ level=DEBUG msg=request operation=create_transfers asked=\d+ answered=\d+ took_seconds=[0-9.e-]+$`, got.errors)
	require.Contains(t, got.errors, "operation=lookup_accounts")
	require.Equal(t, s.runOK(t, "balances", "--json"), s.runCommand(t, "balances", "--json", "--verbose").out, "the output stays")
	for line := range strings.Lines(s.runCommand(t, "balances", "--json", "-v").errors) {
		var entry struct {
			Message   string `json:"msg"`
			Operation string
		}
		require.NoError(t, json.Unmarshal([]byte(line), &entry), line)
		require.Equal(t, "request", entry.Message)
	}
	a := &app{stderr: io.Discard, verbose: true}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := logRequest(ended, loggedLedger{log: a.newLogger()}, "query_accounts", 1, func() ([]int, error) { return nil, ended.Err() })
	require.ErrorIs(t, err, context.Canceled, "the error is the request's")
}

func TestLimitsAndExposure(t *testing.T) {
	t.Parallel()
	s := newPromiseLedger(t)
	rows := readRows[limitRow](t, s.testLedger, "limits", "bob@USD")
	require.Equal(t, []limitRow{
		{Scope: "asset", Asset: "USD/2", Day: "1000.00", Counts: "65.00", Remaining: "935.00"},
		{Scope: "peer", Peer: "bob", Asset: "USD/2", Order: "500.00", ApproveAbove: "400.00"},
	}, rows, "paid 30, and open 30 and 5")
	require.Empty(t, readRows[limitRow](t, s.testLedger, "limits", "--asset", "EUR"))
	require.Equal(t, "The configuration has no limits of payments.\n", s.runOK(t, "limits", "--asset", "EUR"))

	vouchers := readRows[exposureRow](t, s.testLedger, "exposure", "alice@USD")
	require.Len(t, vouchers, 1)
	require.Empty(t, vouchers[0].Channel, "its name was not given")
	require.Equal(t, []string{"2.00", "0.00", "2.00"}, []string{vouchers[0].Claimed, vouchers[0].Final, vouchers[0].Unredeemed})
	require.Equal(t, "channel", readRows[exposureRow](t, s.testLedger, "exposure", "--channel", "channel")[0].Channel)
	require.Equal(t, "No vouchers are booked.\n", s.runOK(t, "exposure", "bob@USD"))
}

func TestCheckOfLiquidityLevels(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.runOK(t, "fund", "50", "--asset", "USD", "--key", "k", "--reason", "1", "--yes")
	for _, test := range []struct {
		args   []string
		status bookcheck.Status
		want   string
	}{
		{[]string{"--liquidity-warning", "USD=49.99"}, bookcheck.OK, "liquidity_USD_2=50.00;49.99:"},
		{[]string{"--liquidity-warning", "USD=50"}, bookcheck.Warning, "our liquidity is 50.00 USD"},
		{[]string{"--liquidity-warning", "USD/2=80", "--liquidity-critical", "USD=50"}, bookcheck.Critical, "liquidity_USD_2=50.00;80.00:;50.00:"},
		{[]string{"--liquidity-critical", "EUR=0"}, bookcheck.Critical, "our liquidity is 0.00 EUR"},
		{[]string{"--liquidity-critical", "5"}, bookcheck.Unknown, "say which asset"},
		{[]string{"--liquidity-critical", "USD=much"}, bookcheck.Unknown, "--liquidity-critical USD=much"},
		{nil, bookcheck.OK, "no problem"},
	} {
		got := s.runCommand(t, append([]string{"check"}, test.args...)...)
		require.Equal(t, int(test.status), got.status, "%v: %s", test.args, got.out)
		require.Contains(t, got.out, test.want, test.args)
	}
	require.NoError(t, os.WriteFile(s.config, []byte(oneAssetConfiguration), 0o600))
	require.Contains(t, s.runCommand(t, "check", "--liquidity-warning", "50").out, "our liquidity is 50.00 USD", "the only asset needs no name")
}

const oneAssetConfiguration = "namespace: test\nassets:\n  - {code: USD, scale: 2, ledger: 1}\npeers:\n  - {id: alice, asset: USD}\n"
