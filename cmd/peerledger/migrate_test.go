package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMigrateIsRefused(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	for _, args := range [][]string{{}, {"--to-cluster-id", "7"}, {"--to-addresses", "tb:1"}, {"--to-cluster-id", "x", "--to-addresses", "tb:1"}} {
		require.Equal(t, statusUsage, s.do(t, append([]string{"migrate"}, args...)...).status, args)
	}
	target := filepath.Join(t.TempDir(), "target")
	require.Contains(t, s.ok(t, "migrate", "--to-folder", target), "Would copy the whole ledger")

	// The rows of this moment are too young to be imported.
	got := s.do(t, "migrate", "--to-folder", target, "--yes")
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.errors, "stop all connectors, and try again")
}
