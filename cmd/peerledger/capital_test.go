package main

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

var hexID = regexp.MustCompile(`[0-9a-f]{32}`)

// maskIDs replaces each id in an output by ID.
func maskIDs(text string) string { return hexID.ReplaceAllString(text, "ID") }

// readCapital returns our liquidity, its free part, and our capital in USD.
func (s testLedger) readCapital(t *testing.T) []string {
	t.Helper()
	row := readRows[ownRow](t, s, "balances", "--own", "--asset", "USD")[0]
	return []string{row.Liquidity, row.Free, row.Capital}
}

func TestCapital(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	fund := []string{"fund", "1000", "--asset", "USD", "--key", "deposit 1", "--reason", "5"}
	require.Contains(t, s.runOK(t, fund...), "Would fund our liquidity in USD/2, 1000.00, from 0.00 to 1000.00, key deposit 1, reason 5.\n")
	require.JSONEq(t, `{"json":1,"action":"fund our liquidity","asset":"USD/2","amount":"1000.00","before":"0.00","after":"1000.00","key":"deposit 1","reason":5,"written":false}`,
		s.runOK(t, append(fund, "--json")...))
	require.Equal(t, []string{"0.00", "0.00", "0.00"}, s.readCapital(t))
	require.JSONEq(t, `{"json":1,"action":"fund our liquidity","asset":"USD/2","amount":"1000.00","before":"0.00","after":"1000.00","key":"deposit 1","reason":5,"written":true,"transfer":"ID"}`,
		maskIDs(s.runOK(t, append(fund, "--json", "--yes")...)))
	require.Equal(t, []string{"1000.00", "1000.00", "1000.00"}, s.readCapital(t))
	require.Contains(t, s.runOK(t, append(fund, "--yes")...), "Done before: fund our liquidity in USD/2, 1000.00, from 1000.00 to 1000.00")
	require.Equal(t, []string{"1000.00", "1000.00", "1000.00"}, s.readCapital(t), "a repeated key books once")

	withdraw := []string{"withdraw", "250.50", "--asset", "USD/2", "--key", "deposit 1", "--reason", "6"}
	require.Contains(t, s.runOK(t, withdraw...), "Would withdraw from our liquidity in USD/2, 250.50, from 1000.00 to 749.50")
	done := s.readChange(t, append(withdraw, "--yes")...)
	require.Equal(t, []string{"1000.00", "749.50"}, []string{done.Before, done.After}, "the keys of fund and withdraw are separate")
	require.True(t, s.readChange(t, append(withdraw, "--yes")...).Already)
	require.Equal(t, []string{"749.50", "749.50", "749.50"}, s.readCapital(t))

	large := []string{"withdraw", "749.51", "--asset", "USD", "--key", "all", "--reason", "6"}
	preview := s.readChange(t, large...)
	require.Equal(t, []string{"", "It will be refused: of our liquidity, 749.50 USD is free."}, []string{preview.After, preview.Effect})
	got := s.runCommand(t, append(large, "--yes")...)
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.errors, "749.50 USD")
	require.Regexp(t, fmt.Sprintf("funding +│ +%s │ +%s (?s:.*) funding +│ +%s │ +%s ", "1000.00", "1000.00", "-250.50", "749.50"), s.runOK(t, "statement", "--own", "--asset", "USD"))
	require.Regexp(t, `,5,[0-9a-f]{32},30,in,(?s:.*),6,[0-9a-f]{32},30,out,`, s.runOK(t, "statement", "--own", "--asset", "USD", "--csv"), "the reasons are kept")
}

func TestCapitalOfWrongCommandLines(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.runOK(t, "fund", "10", "--asset", "USD", "--key", "used", "--reason", "5", "--yes")
	for _, command := range []string{"fund", "withdraw"} {
		for _, test := range []struct {
			args   []string
			status int
			want   string
		}{
			{[]string{"1", "--asset", "USD", "--reason", "3"}, statusUsage, "--key"},
			{[]string{"1", "--asset", "USD", "--key", "k"}, statusUsage, "--reason"},
			{[]string{"0", "--asset", "USD", "--key", "k", "--reason", "3"}, statusUsage, "the amount must not be 0"},
			{[]string{"-1", "--asset", "USD", "--key", "k", "--reason", "3"}, statusUsage, ""},
			{[]string{"1.005", "--asset", "USD", "--key", "k", "--reason", "3"}, statusUsage, "Amount"},
			{[]string{"1", "--key", "k", "--reason", "3"}, statusUsage, "say which asset: USD/2, EUR/2"},
			{[]string{"1", "--asset", "GBP", "--key", "k", "--reason", "3"}, statusUsage, `no asset "GBP"`},
			{[]string{"1", "--asset", "USD", "--key", " k", "--reason", "3"}, statusUsage, "white space"},
		} {
			got := s.runCommand(t, append(append([]string{command}, test.args...), "--yes")...)
			require.Equal(t, test.status, got.status, "%s %v: %s", command, test.args, got.errors)
			require.Contains(t, got.errors, test.want)
			require.Empty(t, got.out)
		}
	}
	for _, other := range [][]string{{"11", "--reason", "5"}, {"10", "--reason", "6"}} {
		got := s.runCommand(t, append([]string{"fund", "--asset", "USD", "--key", "used", "--yes"}, other...)...)
		require.Equal(t, statusFailed, got.status, "%v: %s", other, got.errors)
		require.Contains(t, got.errors, "10.00 USD was booked under it")
	}
	require.Equal(t, []string{"10.00", "10.00", "10.00"}, s.readCapital(t))
}
