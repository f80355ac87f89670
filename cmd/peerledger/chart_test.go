package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The rows have the exact figures, the history's positions among them, and the drawing has the same.
func TestChart(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.forwardPacket(t, 3001)
	s.runOK(t, "settle", "received", "alice@USD", "5", "--key", "k", "--yes")
	dir := t.TempDir()
	to := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	from, end := to.Add(-2*time.Hour).Format(time.RFC3339), to.Format(time.RFC3339)
	for _, name := range []string{"a.svg", "a.PNG"} {
		file := filepath.Join(dir, name)
		rows := readRows[chartRow](t, s, "chart", "--asset", "USD", "--file", file, "--from", from, "--to", end, "--steps", "4", "--theme", "dark", "--dpi", "60")
		require.Equal(t, []chartRow{
			{Peer: "alice", Asset: "USD/2", From: from, To: end, Opening: "0.00", Closing: "-25.01", SettledIn: "5.00", SettledOut: "0.00", PacketsIn: "30.01", PacketsOut: "0.00", File: file},
			{Peer: "bob", Asset: "USD/2", From: from, To: end, Opening: "0.00", Closing: "30.00", SettledIn: "0.00", SettledOut: "0.00", PacketsIn: "0.00", PacketsOut: "30.00", File: file},
		}, rows)
		history := readRows[historyRow](t, s, "history", "alice@USD", "--from", from, "--to", end, "--steps", "4")
		require.Equal(t, history[4].Position, rows[0].Closing)
		info, err := os.Stat(file)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o644), info.Mode())
	}
	drawn, err := os.ReadFile(filepath.Join(dir, "a.svg"))
	require.NoError(t, err)
	require.Contains(t, string(drawn), ">alice: -25.01 USD<")
	picture, err := os.ReadFile(filepath.Join(dir, "a.PNG"))
	require.NoError(t, err)
	require.Equal(t, "\x89PNG", string(picture[:4]))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 2, "no temporary file stays")

	table := s.runOK(t, "chart", "bob", "--file", filepath.Join(dir, "b.svg"))
	require.Contains(t, table, "│ bob  │ USD/2 │    0.00 │   30.00 │")
}

// A wrong command line writes nothing, and names the flag.
func TestChartRefuses(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "x.svg")
	for want, args := range map[string][]string{
		"--file names":     {},
		"must end in .png": {"--file", filepath.Join(dir, "x.gif")},
		"--theme":          {"--file", file, "--theme", "blue"},
		"--steps":          {"--file", file, "--steps", "401"},
		"--width":          {"--file", file, "--width", "NaN"},
		"--width must be":  {"--file", file, "--width", "11"},
		"--height":         {"--file", file, "--height", "1000"},
		"--dpi":            {"--file", file, "--dpi", "6000"},
		"--from":           {"--file", file, "--from", "soon"},
		"two assets":       {"alice@USD", "alice@EUR", "--file", file},
		"asset":            {"--file", file},
		"To":               {"alice@USD", "--file", file, "--from", "2026-11-02", "--to", "2026-11-01"},
	} {
		got := s.runCommand(t, append([]string{"chart"}, args...)...)
		require.Equal(t, statusUsage, got.status, "%v: %s", args, got.errors)
		require.Contains(t, got.errors, want)
	}
	require.Equal(t, statusFailed, s.runCommand(t, "chart", "nobody@USD", "--file", file).status)
	got := s.runCommand(t, "chart", "alice@USD", "--file", filepath.Join(dir, "none", "x.svg"))
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.errors, "--file: ")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}
