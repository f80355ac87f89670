package embedded_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const fixtureEnv = "PEERLEDGER_WRITE_FORMAT1"

// TestWriteFormat1 wrote testdata/format1 with the last version of the package that kept all transfers
// in memory (records of format 1): the folder of a killed process after all requests of the workload,
// with a checkpoint and a log behind it. The test does nothing without its environment variable, and
// only that version writes the format.
func TestWriteFormat1(t *testing.T) { //nolint:paralleltest // it writes a fixture
	dir := os.Getenv(fixtureEnv)
	if dir == "" {
		return
	}
	s := newWorkload(fixtureSeed)
	folders := runInFolder(t, s)
	for name, content := range folders[storyLength] {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
}

// fixtureSeed is the seed of the workload in testdata/format1.
const fixtureSeed = 25
