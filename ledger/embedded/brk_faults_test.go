package embedded

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// A damaged run of ids does not stop all other merges for ever without anyone noticing.
func TestBrkMergesBesideADamagedRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openColdIn(t, dir)
	l.createCold(t, coldTransfer(10, 0))
	names, err := filepath.Glob(filepath.Join(dir, "ids-*"))
	require.NoError(t, err)
	require.Len(t, names, 1)
	// A byte of the filter says no, and one of the entries is wrong: bits rot.
	f, err := os.OpenFile(names[0], os.O_RDWR, 0)
	require.NoError(t, err)
	info, err := f.Stat()
	require.NoError(t, err)
	_, err = f.WriteAt([]byte{0xff}, info.Size()-6)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	for id := range uint64(300) {
		l.createCold(t, coldTransfer(100+id, 0))
		time.Sleep(time.Millisecond)
	}
	runs := (len(l.books.cold.index.Manifest()) - 16) / 60
	t.Logf("%d runs, %v", runs, l.books.cold.index.MergeError())
	require.Less(t, runs, 40)
	err = l.Close()
	t.Logf("close: %v", err)
}

func openColdIn(t *testing.T, dir string) *Ledger {
	t.Helper()
	l, err := Open(dir, WithCheckpointEvery(1<<30))
	require.NoError(t, err)
	_, err = l.CreateAccounts(t.Context(), []ledger.Account{
		{ID: ledger.NewID(1, 0), Ledger: 1, Code: 1}, {ID: ledger.NewID(2, 0), Ledger: 1, Code: 1},
	})
	require.NoError(t, err)
	return l
}
