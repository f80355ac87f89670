package embedded

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// A query for change events between two old moments does not read cold rows with the ledger locked: its
// answer from the segments is whole, also below the limit.
func TestBoundedEventsAreReadUnlocked(t *testing.T) {
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
func TestMemoryAfterManyHolds(t *testing.T) { //nolint:paralleltest // it measures the heap
	l := openColdIn(t, t.TempDir())
	const holds = 400_000
	base := heapInUse()
	for first := uint64(0); first < holds; first += 8000 {
		list := make([]ledger.Transfer, 8000)
		for i := range list {
			list[i] = coldTransfer(1000+first+uint64(i), ledger.TransferPending)
		}
		_, err := l.CreateTransfers(t.Context(), list)
		require.NoError(t, err)
	}
	l.sealForTest(t)
	open := heapInUse()
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
	after := heapInUse()
	t.Logf("heap %d MiB, with %d open holds %d MiB, afterwards %d MiB", base>>20, holds, open>>20, after>>20)
	require.Empty(t, l.books.holds.byID)
	require.Less(t, after-base, int64(8<<20))
	require.NoError(t, l.Close())
}

func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// The rate of merges reaches the index, and is not too low to ever catch up.
func TestMergeRate(t *testing.T) {
	t.Parallel()
	for given, want := range map[int64]int64{1: 1 << 20, 30 << 20: 30 << 20} {
		l, err := Open(t.TempDir(), WithMergeRate(given))
		require.NoError(t, err)
		require.Equal(t, want, l.books.cold.indexOptions().MergeBytesPerSecond)
		require.NoError(t, l.Close())
	}
}
