package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The name of a suite's file changes with the package and its tests, and with the code that it
// imports, and not with the tests of that code.
func TestNameSuiteFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pkg, imported := &goPackage{folder: "a/b", importPath: "m/a/b", dir: filepath.Join(dir, "b")}, filepath.Join(dir, "c")
	names := make(map[string]bool)
	write := func(folder, file, code string) {
		t.Helper()
		require.NoError(t, os.MkdirAll(folder, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(folder, file), []byte(code), 0o600))
	}
	name := func() string {
		t.Helper()
		name, err := nameSuiteFile(dir, pkg, []string{imported})
		require.NoError(t, err)
		names[name] = true
		return name
	}
	write(pkg.dir, "b.go", "package b")
	write(pkg.dir, "b_test.go", "package b")
	write(imported, "c.go", "package c")
	first := name()
	require.Regexp(t, `^suite-a-b-[0-9a-f]{16}\.gob$`, filepath.Base(first))
	write(imported, "c_test.go", "package c")
	require.Equal(t, first, name())
	for _, change := range [][2]string{{pkg.dir, "b.go"}, {pkg.dir, "b_test.go"}, {imported, "c.go"}} {
		write(change[0], change[1], "package changed")
		name()
	}
	require.Len(t, names, 4)
}

// The tests of accounts run on ledger/embedded, which accounts does not import, and which imports
// internal/wal.
func TestListImported(t *testing.T) {
	t.Parallel()
	root, err := findRoot(t.Context())
	require.NoError(t, err)
	pkg, err := loadPackage(t.Context(), root, "accounts")
	require.NoError(t, err)
	imported, err := listImported(t.Context(), root, pkg)
	require.NoError(t, err)
	require.Subset(t, imported, []string{filepath.Join(root, "ledger"), filepath.Join(root, "ledger", "embedded"), filepath.Join(root, "internal", "wal")})
	require.NotContains(t, imported, pkg.dir)
	for _, folder := range imported {
		require.Contains(t, folder, root)
	}
}
