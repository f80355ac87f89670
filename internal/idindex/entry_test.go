package idindex

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// TestStoredEntry takes entries apart again, with every bit of a part set or none.
func TestStoredEntry(t *testing.T) {
	t.Parallel()
	for _, hash := range []uint64{0, 1 << hashShift, hashMask} {
		for kind := range Kind(kindMask + 1) {
			for _, position := range []uint64{0, 1, 1<<32 - 1, 1 << 32, MaxPosition} {
				b := make([]byte, entryBytes)
				putEntry(b, newStoredEntry(hash, kind, position))
				e := getEntry(b)
				require.Equal(t, hash, e.hash())
				require.Equal(t, kind, e.kind())
				require.Equal(t, position, e.position())
			}
		}
	}
}

// TestPositionTooLarge refuses a position that has no room in an entry, before there is a file.
func TestPositionTooLarge(t *testing.T) {
	t.Parallel()
	folder := memoryFolder()
	x := newIndexToTest(t, folder)
	s := x.NewSeal(0)
	s.AddEntry(ledger.NewID(1, 0), Entry{KindTransfer, MaxPosition})
	s.AddEntry(ledger.NewID(2, 0), Entry{KindPosted, MaxPosition + 1})
	s.AddEntry(ledger.NewID(3, 0), Entry{KindTransfer, 0})
	require.ErrorIs(t, s.WriteRun(), ErrPosition)
	s.Discard()
	require.Empty(t, folder.VisibleFiles())
}

// TestTooManyBurntIDs refuses a merge whose burnt ids have no room for their indexes.
func TestTooManyBurntIDs(t *testing.T) {
	t.Parallel()
	x := newIndexToTest(t, memoryFolder())
	large := &run{entry: runEntry{entries: maxBurnt, burnt: maxBurnt}}
	small := &run{entry: runEntry{entries: 1, burnt: 1}}
	m := &merge{sources: []*run{large, small}}
	require.ErrorIs(t, x.runMerge(m, &pacer{bytesPerSecond: 1 << 40, stop: x.stop}), ErrPosition)
}

// TestBurntIDsOfOneHash reads burnt ids with one hash for a merge that moves their indexes across
// 2^32: they stay in order, whatever the order in which they were added.
func TestBurntIDsOfOneHash(t *testing.T) {
	t.Parallel()
	const n, hash = 1000, 5 << hashShift
	for _, base := range []uint64{0, 1<<32 - n/2, MaxPosition - n + 1} {
		x := newIndexToTest(t, memoryFolder())
		s := x.NewSeal(n)
		for i := range uint64(n) {
			s.AddBurnt(ledger.NewID(i, 0))
			s.entries[i] = newStoredEntry(hash, KindBurnt, i)
		}
		slices.Reverse(s.entries)
		require.NoError(t, s.WriteRun())
		s.Commit()
		c := newRunCursor(x.current.runs[0], base, &pacer{bytesPerSecond: 1 << 40, stop: x.stop})
		for i := range uint64(n) {
			require.NoError(t, c.nextEntry())
			require.Equal(t, newStoredEntry(hash, KindBurnt, base+i), c.entry)
		}
		require.True(t, c.isAtEnd())
	}
}

// TestMergeOfOneHash merges runs whose entries have one hash and kind, so only positions tell their order.
func TestMergeOfOneHash(t *testing.T) {
	t.Parallel()
	x := newIndexToTest(t, memoryFolder())
	id, want := ledger.NewID(1, 2), []Entry(nil)
	for run := range uint64(mergeRuns) {
		s := x.NewSeal(0)
		for i := range uint64(100) {
			e := Entry{KindVoided, (i*mergeRuns + run) * (MaxPosition / (100 * mergeRuns))}
			s.AddEntry(id, e)
			want = append(want, e)
		}
		require.NoError(t, s.WriteRun())
		s.Commit()
	}
	require.Equal(t, 1, mergeAll(t, x))
	s := x.NewSeal(0)
	s.Manifest()
	s.Commit()
	require.Len(t, x.current.runs, 1)
	require.NoError(t, x.VerifyFiles(t.Context()))
	got, err := x.FindEntries(nil, id)
	require.NoError(t, err)
	require.ElementsMatch(t, want, got)
}
