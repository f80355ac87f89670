package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Each format is written to a file that only the user can read, with all entries or those of a month.
func TestExport(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.forwardPacket(t, 3001)
	amount := regexp.MustCompile(`\b30\.?00\b`) // of the packet
	for _, format := range exportFormatNames {
		path := filepath.Join(t.TempDir(), "books")
		out := s.runOK(t, "export", path, "--format", format)
		require.Contains(t, out, path, format)
		require.Equal(t, path+"\n", s.runOK(t, "export", path, "--format", format, "-o", "name"), "one file for both assets")
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		if format == "parquet" { // compressed
			require.True(t, strings.HasPrefix(string(text), "PAR1"), format)
		} else {
			require.Regexp(t, amount, string(text), format)
		}
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Zero(t, info.Mode().Perm()&0o077, format)
		s.runOK(t, "export", path, "--format", format, "--month", "2020-02")
		text, err = os.ReadFile(path)
		require.NoError(t, err)
		require.NotRegexp(t, amount, string(text), format)
	}
}

// A continued export writes a file for what is new, and none otherwise.
func TestExportContinued(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	folder := t.TempDir()
	line := []string{"export", folder, "--continue", "--fields", "kind,amount", "-o", "csv", "--columns", "asset,entries,part"}
	s.runOK(t, line...)
	require.Contains(t, s.runOK(t, line...), "USD/2,0,0")
	s.forwardPacket(t, 3001)
	require.Contains(t, s.runOK(t, line...), ",2\n")
	text, err := os.ReadFile(filepath.Join(folder, "entries-000002.csv"))
	require.NoError(t, err)
	require.Contains(t, string(text), "packet,3000\n")
	require.Contains(t, string(text), "fee,1\n")
	require.Equal(t, statusFailed, s.runCommand(t, append(line, "--sum", "day")...).status, "another export")
}

// With --balances the table has the accounts at both ends of the range.
func TestExportBalances(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.forwardPacket(t, 3001)
	line := []string{"export", filepath.Join(t.TempDir(), "books"), "--balances", "--asset", "USD", "-o", "csv", "--from"}
	all := s.runOK(t, append(line, "2020-01-01")...)
	require.Contains(t, all, "USD/2,peer:alice,0,3001\n")
	require.Contains(t, all, "USD/2,revenue,0,-1\n")
	require.Contains(t, s.runOK(t, append(line, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))...), "USD/2,peer:alice,3001,3001\n")
}

func TestExportUsage(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	path := filepath.Join(t.TempDir(), "books")
	for _, line := range []string{
		"", "--format xlsx", "--month 2026-13", "--month 2026-11 --from 24h", "--from 2026-11-02 --to 2026-11-01", "--sum week", "--fields time,nothing",
		"--format hledger --fields time", "--asset GBP",
	} {
		args := append([]string{"export", path}, strings.Fields(line)...)
		if line == "" {
			args = args[:1]
		}
		require.Equal(t, statusUsage, s.runCommand(t, args...).status, line)
	}
	require.Equal(t, statusFailed, s.runCommand(t, "export", path, "--peer", "nobody").status)
	require.Equal(t, statusFailed, s.runCommand(t, "export", os.DevNull).status)
	require.NoFileExists(t, path)
}
