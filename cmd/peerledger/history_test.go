package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The last row is the balance, and a row has the fields that are promised.
func TestHistoryCommand(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.forwardPacket(t, 3001)
	end := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	from, to := end.Add(-24*time.Hour).Format(time.RFC3339), end.Format(time.RFC3339)
	out := s.runOK(t, "history", "alice@USD", "--from", from, "--to", to, "--step", "12h", "--json")
	middle := end.Add(-12 * time.Hour).Format(time.RFC3339)
	row := func(at, position, line string) string {
		return `{"json":1,"time":"` + at + `","position":"` + position + `","arrears":"0.00","credit_line":"` + line + `","held_in":"0.00","held_out":"0.00","settling":"0.00","peer":"alice","asset":"USD/2"}` + "\n"
	}
	require.Equal(t, row(from, "0.00", "0.00")+row(middle, "0.00", "0.00")+row(to, "-30.01", "100.00"), out)

	rows := readRows[historyRow](t, s, "history", "bob@USD", "--steps", "4")
	require.Len(t, rows, 5)
	require.Equal(t, "30.00", rows[4].Position)
	require.Len(t, readRows[historyRow](t, s, "history", "bob@USD"), defaultHistorySteps+1)
	table := s.runOK(t, "history", "alice@USD", "--from", from, "--to", to, "--steps", "1")
	require.Contains(t, table, "│ "+to+" │   -30.01 │    0.00 │      100.00 │")

	for _, args := range [][]string{
		{},
		{"--step", "0s"},
		{"--step", "-1h"},
		{"--steps", "0"},
		{"--steps", "10001"},
		{"--step", "1h", "--steps", "3"},
		{"--from", "soon"},
		{"--from", "2030-01-02", "--to", "2030-01-01"},
		{"--from", "240h", "--step", "1s"},
	} {
		line := append([]string{"history", "alice@USD"}, args...)
		if len(args) == 0 {
			line = []string{"history"}
		}
		require.Equal(t, statusUsage, s.runCommand(t, line...).status, args)
	}
	require.Equal(t, statusFailed, s.runCommand(t, "history", "nobody@USD").status)
}
