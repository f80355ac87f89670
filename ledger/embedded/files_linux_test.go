package embedded

import (
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/sealed"
	"github.com/peerledger/peerledger/ledger"
)

const manySegmentsEnv = "PEERLEDGER_MANY_SEGMENTS"

// A ledger with more segments than the process may have files goes on: it seals, it reads, and it opens
// again. The limit applies to a whole process, hence the child. 4096 files, the hard limit of some
// systems, are 5x10^8 rows.
func TestManySegments(t *testing.T) {
	t.Parallel()
	child := exec.Command(os.Args[0], "-test.run=^TestManySegmentsChild$", "-test.v")
	child.Env = append(os.Environ(), manySegmentsEnv+"="+t.TempDir())
	output, err := child.CombinedOutput()
	require.NoError(t, err, "%s", output)
}

func TestManySegmentsChild(t *testing.T) { //nolint:paralleltest // alone in its process
	dir := os.Getenv(manySegmentsEnv)
	if dir == "" {
		return
	}
	const many, each = 400, 100
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 100, Max: 100}))
	l, err := Open(dir, WithCheckpointEvery(1), func(l *Ledger) { l.books.cold.files = sealed.NewFileCache(0) })
	require.NoError(t, err)
	_, err = l.CreateAccounts(t.Context(), []ledger.Account{
		{ID: ledger.NewID(1, 0), Ledger: 1, Code: 1}, {ID: ledger.NewID(2, 0), Ledger: 1, Code: 1},
	})
	require.NoError(t, err)
	for id := range uint64(many) {
		transfers := make([]ledger.Transfer, each)
		for i := range transfers {
			transfers[i] = coldTransfer(10+each*id+uint64(i), 0)
		}
		_, err := l.CreateTransfers(t.Context(), transfers)
		require.NoError(t, err)
		l.WaitForCheckpoint()
	}
	require.Greater(t, len(l.books.cold.segments), many/2)
	require.Less(t, len(l.books.frozen), 10, "rows stay in memory")
	requireEachFound(t, l, many*each)
	other, err := os.Open(dir)
	require.NoError(t, err)
	require.NoError(t, other.Close())
	require.NoError(t, l.Close())
	l, err = Open(dir)
	require.NoError(t, err)
	requireEachFound(t, l, many*each)
	require.NoError(t, l.VerifyFiles(t.Context()))
	require.NoError(t, l.Close())
	open, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	require.Less(t, len(open), 15, "files stay open")
}

// requireEachFound looks up some transfers of each segment, and all by a query.
func requireEachFound(t *testing.T, l *Ledger, n int) {
	t.Helper()
	for id := 10; id < 10+n; id += 37 {
		found, err := l.LookupTransfers(t.Context(), []ledger.ID{ledger.NewID(uint64(id), 0)})
		require.NoError(t, err)
		require.Len(t, found, 1)
	}
	found := 0
	for q := (ledger.QueryFilter{Code: 1, Limit: 8189}); ; {
		transfers, err := l.QueryTransfers(t.Context(), q)
		require.NoError(t, err)
		if found += len(transfers); len(transfers) == 0 {
			break
		}
		q.TimestampMin = transfers[len(transfers)-1].Timestamp + 1
	}
	require.Equal(t, n, found)
}
