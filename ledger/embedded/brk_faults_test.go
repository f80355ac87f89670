package embedded

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// A second Open of a folder in use always says so, whatever the ledger does with its files meanwhile.
func TestBrkOpenOfAFolderInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := Open(dir, WithCheckpointEvery(1))
	require.NoError(t, err)
	_, err = l.CreateAccounts(t.Context(), []ledger.Account{
		{ID: ledger.NewID(1, 0), Ledger: 1, Code: 1}, {ID: ledger.NewID(2, 0), Ledger: 1, Code: 1},
	})
	require.NoError(t, err)
	done := make(chan struct{})
	var working sync.WaitGroup
	working.Go(func() {
		for id := uint64(10); ; id++ {
			select {
			case <-done:
				return
			default:
				_, _ = l.CreateTransfers(t.Context(), []ledger.Transfer{coldTransfer(id, 0)})
			}
		}
	})
	var wrong error
	n := 0
	for start := time.Now(); time.Since(start) < 15*time.Second && wrong == nil; n++ {
		second, err := Open(dir)
		if err == nil {
			wrong = errors.New("opened twice")
			_ = second.Close()
		} else if !errors.Is(err, ErrInUse) {
			wrong = err
		}
	}
	close(done)
	working.Wait()
	require.NoError(t, l.Close())
	require.NoError(t, wrong, "after %d", n)
}

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

// A conversion that fails leaves the folder as it was: else the disk has twice the rows, and the older
// program may find no room.
func TestBrkFailedConversionLeavesNoFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "format1"))))
	// The old files cannot be cleaned up at the end, as on a full or read-only disk.
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "checkpoint-0000000000000007.tmp", "x"), 0o700))
	_, err := Open(dir, WithCheckpointEvery(2<<10))
	require.Error(t, err)
	left, err := filepath.Glob(filepath.Join(dir, "[si]*-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

// A closed ledger says so, also on a full disk.
func TestBrkClosedOnAFullDisk(t *testing.T) {
	t.Parallel()
	l, err := Open(t.TempDir(), func(l *Ledger) { l.space.free = func(string) (uint64, bool) { return 0, true } })
	require.NoError(t, err)
	require.NoError(t, l.Close())
	_, err = l.CreateTransfers(t.Context(), []ledger.Transfer{coldTransfer(1, 0)})
	require.ErrorIs(t, err, ledger.ErrClosed)
}

// A query for change events between two old moments does not read cold rows with the ledger locked: its
// answer from the segments is whole, also below the limit.
func TestBrkBoundedEventsAreReadUnlocked(t *testing.T) {
	t.Parallel()
	l := openColdIn(t, t.TempDir())
	moment := l.createCold(t, coldTransfer(10, 0), coldTransfer(11, 0))[1].Timestamp
	l.createCold(t, coldTransfer(12, 0))
	view, err := l.lendColdNow()
	require.NoError(t, err)
	defer view.release()
	q := eventQuery{end: moment + 1, limit: 10}
	q.seeNow(&l.books)
	events, whole, err := view.coldEvents(q)
	require.NoError(t, err)
	require.True(t, whole, "%d events", len(events))
	require.Len(t, events, 2)
}

// The maps of holds shrink after a time with many open holds.
func TestBrkMemoryAfterManyHolds(t *testing.T) {
	l := openColdIn(t, t.TempDir())
	const holds = 400_000
	base := brkHeap()
	for first := uint64(0); first < holds; first += 8000 {
		list := make([]ledger.Transfer, 8000)
		for i := range list {
			list[i] = coldTransfer(1000+first+uint64(i), ledger.TransferPending)
		}
		_, err := l.CreateTransfers(t.Context(), list)
		require.NoError(t, err)
	}
	l.sealForTest(t)
	open := brkHeap()
	for first := uint64(0); first < holds; first += 8000 {
		list := make([]ledger.Transfer, 8000)
		for i := range list {
			id := 1000 + first + uint64(i)
			list[i] = ledger.Transfer{ID: ledger.NewID(id, 1), PendingID: ledger.NewID(id, 0), Flags: ledger.TransferVoidPending}
		}
		_, err := l.CreateTransfers(t.Context(), list)
		require.NoError(t, err)
	}
	l.sealForTest(t)
	after := brkHeap()
	t.Logf("heap %d MiB, with %d open holds %d MiB, afterwards %d MiB", base>>20, holds, open>>20, after>>20)
	require.Empty(t, l.books.holds.byID)
	require.Less(t, after-base, int64(8<<20))
	require.NoError(t, l.Close())
}

func brkHeap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
