package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMigrateIsRefused(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	for _, args := range [][]string{{}, {"--to-cluster-id", "7"}, {"--to-addresses", "tb:1"}, {"--to-cluster-id", "x", "--to-addresses", "tb:1"}} {
		require.Equal(t, statusUsage, s.runCommand(t, append([]string{"migrate"}, args...)...).status, args)
	}
	target := filepath.Join(t.TempDir(), "target")
	require.Contains(t, s.runOK(t, "migrate", "--to-folder", target), "Would copy the whole ledger")

	// The newest rows are too young to be imported.
	got := s.runCommand(t, "migrate", "--to-folder", target, "--yes")
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.errors, "stop all connectors, and try again")
}
