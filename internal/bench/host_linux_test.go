package bench

import (
	"runtime/debug"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A journal in memory is told apart from a journal on a disk.
func TestJournalInMemory(t *testing.T) {
	t.Parallel()
	const memory = "/dev/shm"
	require.True(t, isInMemory(memory))
	require.False(t, isInMemory("/proc"))
	require.False(t, isInMemory("/no/such/folder"))

	args := []string{"-packets", "10", "-count", "1", "-peers", "2", "-ways", "rounds-journal", "-phase", "two", "-journal-dir", memory}
	out, err := runBench(t, args...)
	require.NoError(t, err)
	require.Contains(t, out, "two-phase rounds-journal from 1: the journal is in memory, not on a disk (-journal-dir)")
	out, err = runBench(t, append(args, "-json")...)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(out, `"journal_in_memory":true`))
}

func TestProcessCounters(t *testing.T) { //nolint:paralleltest // the memory of other tests would come and go meanwhile
	debug.FreeOSMemory()
	before, memory := readProcessorTime(), readAnonymousMemory()
	require.Positive(t, memory)
	block := make([]byte, 64<<20)
	for i := range block {
		block[i] = byte(i)
	}
	require.Greater(t, readProcessorTime(), before)
	require.Greater(t, readAnonymousMemory(), memory+(32<<20))
	require.Equal(t, byte(255), block[255])
}
