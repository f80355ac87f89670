//go:build linux

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The side of the export runs on both ledgers; PostgreSQL's is run by hand.
func TestExportSide(t *testing.T) {
	t.Parallel()
	for _, ledger := range []string{"memory", "folder"} {
		o := options{rows: 10_000, count: 1, ledger: ledger, dir: t.TempDir()}
		require.NoError(t, run(t.Context(), &o))
		left, err := os.ReadDir(o.dir)
		require.NoError(t, err)
		require.Empty(t, left)
	}
}

func TestCompareFiles(t *testing.T) {
	t.Parallel()
	write := func(text string) string {
		path := filepath.Join(t.TempDir(), "file")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	require.NoError(t, compareFiles(write("a\nb"), write("a\nb")))
	require.Error(t, compareFiles(write("a\nb"), write("a\nc")))
	require.Error(t, compareFiles(write("a\nb"), write("a\nb\n")))
}
