package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBuildCacheKeepsWhatTheTreeNeeds(t *testing.T) {
	t.Parallel()
	c := &buildCache{dir: t.TempDir()}
	put := func(name string) {
		t.Helper()
		require.NoError(t, os.MkdirAll(filepath.Join(c.dir, filepath.Dir(name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(c.dir, name), nil, 0o600))
	}
	files := func() []string {
		t.Helper()
		found, err := filepath.Glob(filepath.Join(c.dir, "*", "*"))
		require.NoError(t, err)
		return found
	}
	put("00/needed")
	require.NoError(t, c.finishMutant())
	require.NoError(t, c.keepFiles())
	for n := 1; n < removeEvery-1; n++ {
		put(fmt.Sprint("01/mutant", n))
		require.NoError(t, c.finishMutant())
	}
	require.Len(t, files(), removeEvery-1)
	put("00/last")
	require.NoError(t, c.finishMutant())
	require.Equal(t, []string{filepath.Join(c.dir, "00/needed")}, files())
	require.Contains(t, c.buildEnvironment(), "GOCACHE="+c.dir)
}

func TestCacheOfGosOwnIsLeft(t *testing.T) {
	t.Parallel()
	c := new(buildCache)
	require.NoError(t, c.keepFiles())
	for range 3 * removeEvery {
		require.NoError(t, c.finishMutant())
	}
	require.Equal(t, os.Environ(), c.buildEnvironment())
}
