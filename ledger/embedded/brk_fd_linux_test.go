package embedded

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

const brkFilesEnv = "PEERLEDGER_BRK_FILES"

// A ledger with more segments than the process may have files goes on: it seals, and it opens again. The
// limit applies to a whole process, hence the child. 4096 files, the hard limit of some systems, are
// 5x10^8 rows.
func TestBrkManySegments(t *testing.T) {
	t.Parallel()
	child := exec.Command(os.Args[0], "-test.run=^TestBrkManySegmentsChild$", "-test.v")
	child.Env = append(os.Environ(), brkFilesEnv+"="+t.TempDir())
	output, err := child.CombinedOutput()
	require.NoError(t, err, "%s", output)
}

func TestBrkManySegmentsChild(t *testing.T) { //nolint:paralleltest // alone in its process
	dir := os.Getenv(brkFilesEnv)
	if dir == "" {
		return
	}
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 100, Max: 100}))
	l, err := Open(dir, WithCheckpointEvery(1))
	require.NoError(t, err)
	_, err = l.CreateAccounts(t.Context(), []ledger.Account{
		{ID: ledger.NewID(1, 0), Ledger: 1, Code: 1}, {ID: ledger.NewID(2, 0), Ledger: 1, Code: 1},
	})
	require.NoError(t, err)
	for id := range uint64(400) {
		many := make([]ledger.Transfer, 100)
		for i := range many {
			many[i] = coldTransfer(10+100*id+uint64(i), 0)
		}
		_, err := l.CreateTransfers(t.Context(), many)
		require.NoError(t, err)
		l.WaitForCheckpoint()
	}
	segments, frozen := len(l.books.cold.segments), len(l.books.frozen)
	t.Logf("%d segments, %d frozen generations, failure %v", segments, frozen, l.journal.checkpoints.failure)
	files, err := os.Open(dir)
	t.Logf("another file: %v", err)
	if err == nil {
		_ = files.Close()
	}
	err = l.Close()
	t.Logf("close: %v", err)
	runtime.GC()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	t.Logf("%d files in the folder", len(entries))
	require.Less(t, frozen, 10, "rows stay in memory")
	l, err = Open(dir)
	require.NoError(t, err)
	require.NoError(t, l.Close())
}
