package main

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// With --json every command prints objects with the number of the format, one a line: previews,
// results and errors. Only a statement is one larger object.
func TestEveryCommandPrintsObjects(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.forwardPacket(t, 3001)
	lists := []string{"orders", "holds", "settle announced", "settle pauses", "peers standing", "limits", "exposure"} // empty here
	for _, name := range slices.Sorted(maps.Keys(commandLines.books)) {
		if name == "console" {
			continue // it serves until it is stopped, and TestConsole reads its lines
		}
		line := strings.ReplaceAll(commandLines.books[name], "TARGET", filepath.Join(t.TempDir(), "target"))
		got := s.runCommand(t, append(strings.Fields(line), "--json")...)
		text := got.out + got.errors
		switch {
		case name == "statement":
			var statement struct{ Format int }
			require.NoError(t, json.Unmarshal([]byte(text), &statement))
			require.Equal(t, 1, statement.Format)
		case slices.Contains(lists, name):
			require.Empty(t, text)
		default:
			requireObjects(t, name, text)
		}
	}
	for _, args := range [][]string{
		{"version"},
		{"replay"},
		{"bench", "--packets", "50", "--count", "1", "--ways", "record", "--phase", "single"},
		{"doctor", "--folder", s.folder},
		{"balances", "--config", "/nonexistent"},
		{"peers", "--folder", "/nonexistent"},
		{"serve", "--folder", "/nonexistent/folder", "--address", "127.0.0.1:0"},
	} {
		got := runApp(t, append(args, "--json")...)
		requireObjects(t, args[0], got.out+got.errors)
	}
}

func requireObjects(t *testing.T, name, text string) {
	t.Helper()
	require.NotEmpty(t, text, name)
	for line := range strings.Lines(text) {
		require.True(t, strings.HasPrefix(line, `{"json":1,`), "%s: %s", name, line)
		require.True(t, json.Valid([]byte(line)), "%s: %s", name, line)
	}
}
