package idindex

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/sealed"
	"github.com/peerledger/peerledger/ledger"
)

// TestModel seals runs of random entries, merges them, opens the index again, and compares each
// state with a map.
func TestModel(t *testing.T) {
	t.Parallel()
	r := newRand(t)
	folder, m := memoryFolder(), model{}
	x := newIndexToTest(t, folder)
	merges := 0
	for round := range 40 {
		sealRandom(t, r, x, m, r.IntN(400))
		merges += mergeAll(t, x)
		if round%10 == 9 {
			requireModel(t, x, m)
			require.NoError(t, x.VerifyFiles(t.Context()))
			again, err := OpenToRead(folder, x.Manifest())
			require.NoError(t, err)
			requireModel(t, again, m)
			require.NoError(t, again.Close())
		}
	}
	require.Greater(t, merges, 5)
	require.Less(t, len(x.current.runs), 4*mergeRuns)
	sealRandom(t, r, x, m, 0)
	mergeAll(t, x)
	sealRandom(t, r, x, m, 0)
	x.removeUnused()
	names, err := FileNames(x.Manifest())
	require.NoError(t, err)
	require.Len(t, folder.VisibleFiles(), len(names)+len(x.merges), "replaced files are removed")
}

// TestBounds has the least and the greatest id over all runs, also of merged runs and after an opening.
func TestBounds(t *testing.T) {
	t.Parallel()
	folder := memoryFolder()
	x := newIndexToTest(t, folder)
	least, most := x.Bounds()
	require.Equal(t, ledger.IDMax, least, "no entries")
	require.Zero(t, most)
	for _, ids := range [][]uint64{{50, 40}, {70, 60}, {45}, {30, 55}} {
		s := x.NewSeal(0)
		for _, id := range ids {
			s.AddEntry(ledger.NewID(0, id), Entry{Kind: KindTransfer})
		}
		require.NoError(t, s.WriteRun())
		s.Commit()
	}
	requireBounds := func(x *Index) {
		least, most := x.Bounds()
		require.Equal(t, ledger.NewID(0, 30), least)
		require.Equal(t, ledger.NewID(0, 70), most)
	}
	requireBounds(x)
	require.Equal(t, 1, mergeAll(t, x))
	s := x.NewSeal(0)
	require.NoError(t, s.WriteRun())
	s.Manifest()
	s.Commit() // takes the merge over
	require.Len(t, x.current.runs, 1)
	requireBounds(x)
	again, err := OpenToRead(folder, x.Manifest())
	require.NoError(t, err)
	requireBounds(again)
	require.NoError(t, again.Close())
}

// TestLargeRun has runs of many blocks, whose entries are found by few reads.
func TestLargeRun(t *testing.T) {
	t.Parallel()
	r := newRand(t)
	folder := memoryFolder()
	x := newIndexToTest(t, folder)
	const n = 200_000
	s, ids := x.NewSeal(n), make([]ledger.ID, n)
	for i := range ids {
		ids[i] = ledger.NewID(r.Uint64(), uint64(i))
		s.AddEntry(ids[i], Entry{KindTransfer, uint64(i)})
	}
	require.NoError(t, s.WriteRun())
	s.Commit()
	require.NoError(t, x.VerifyFiles(t.Context()))
	reads := 0
	folder.Before = countOf("read", &reads)
	for i, id := range ids[:5000] {
		got, err := x.FindEntries(nil, id)
		require.NoError(t, err)
		require.Equal(t, []Entry{{KindTransfer, uint64(i)}}, got)
	}
	t.Logf("%.2f reads a look-up", float64(reads)/5000)
	require.Less(t, reads, 3*5000)

	for i := range ids {
		ids[i] = ledger.NewID(r.Uint64(), r.Uint64N(n))
	}
	may := make([]bool, n)
	require.NoError(t, x.MayHave(ids, may))
	wrong := 0
	for _, m := range may {
		if m {
			wrong++
		}
	}
	t.Logf("%.2f%% of new ids pass the filter", 100*float64(wrong)/n)
	require.Less(t, wrong, n/50)
}

// TestSameHash has many entries with one hash, over several blocks.
func TestSameHash(t *testing.T) {
	t.Parallel()
	x := newIndexToTest(t, memoryFolder())
	s := x.NewSeal(0)
	id, other := ledger.NewID(1, 2), ledger.NewID(3, 4)
	hash := x.seed.hashID(id)
	for i := range uint64(2000) {
		s.AddEntry(ledger.NewID(i*0x9E3779B97F4A7C15, 7), Entry{KindTransfer, i})
	}
	var want []Entry
	for i := range uint64(1000) {
		s.AddEntry(id, Entry{KindVoided, i})
		want = append(want, Entry{KindVoided, i})
	}
	s.AddBurnt(other)
	s.entries[len(s.entries)-1] = newStoredEntry(hash, KindBurnt, 0)
	require.NoError(t, s.WriteRun())
	s.Commit()
	got, err := x.FindEntries(nil, id)
	require.NoError(t, err)
	require.ElementsMatch(t, want, got, "the burnt id is another one")
}

// TestAnyID asks an empty and a full index for the ids that no ledger has.
func TestAnyID(t *testing.T) {
	t.Parallel()
	x := newIndexToTest(t, memoryFolder())
	ids, may := []ledger.ID{{}, ledger.IDMax}, make([]bool, 2)
	require.NoError(t, x.MayHave(ids, may))
	require.Equal(t, []bool{false, false}, may)
	require.NoError(t, x.MayHave(nil, nil))
	sealRandom(t, newRand(t), x, model{}, 100)
	may = []bool{true, true}
	require.NoError(t, x.MayHave(ids, may))
	require.Equal(t, []bool{false, false}, may, "not between the ids of the run")
	s := x.NewSeal(0)
	require.Panics(t, func() { s.AddEntry(ids[0], Entry{Kind: KindBurnt}) })
	s.Discard()
}

// TestGiveUp gives seals up: their entries are never seen. A file that a checkpoint may name stays
// up to the next commit.
func TestGiveUp(t *testing.T) {
	t.Parallel()
	r := newRand(t)
	folder, m := memoryFolder(), model{}
	x := newIndexToTest(t, folder)
	sealRandom(t, r, x, m, 50)

	s := x.NewSeal(0)
	fillSeal(r, s, m.clone(), 20)
	s.Discard() // not written
	s = x.NewSeal(0)
	fillSeal(r, s, m.clone(), 20)
	require.NoError(t, s.WriteRun())
	s.Discard()
	s.Abandon()
	s.Commit()
	x.removeUnused()
	require.Len(t, folder.VisibleFiles(), 1)
	requireModel(t, x, m)

	s = x.NewSeal(0)
	maybe := m.clone()
	fillSeal(r, s, maybe, 20)
	require.NoError(t, s.WriteRun())
	manifest := s.Manifest()
	s.Abandon()
	x.removeUnused()
	require.Len(t, folder.VisibleFiles(), 2)
	requireModel(t, x, m)
	again, err := OpenToRead(folder, manifest)
	require.NoError(t, err)
	requireModel(t, again, maybe)
	require.NoError(t, again.Close())

	sealRandom(t, r, x, m, 50)
	x.removeUnused()
	require.Len(t, folder.VisibleFiles(), 2)
	requireModel(t, x, m)
}

// TestMergeWaitsForCommit finishes a merge between the manifest and the commit of a seal: the merge
// takes effect with the seal after.
func TestMergeWaitsForCommit(t *testing.T) {
	t.Parallel()
	r := newRand(t)
	folder, m := memoryFolder(), model{}
	x := newIndexToTest(t, folder)
	for range mergeRuns {
		s := x.NewSeal(0)
		for range 20 {
			id := ledger.NewID(r.Uint64(), r.Uint64())
			s.AddEntry(id, Entry{KindTransfer, 1})
			m[id] = []Entry{{KindTransfer, 1}}
		}
		require.NoError(t, s.WriteRun())
		s.Commit()
	}
	s := x.NewSeal(0)
	require.NoError(t, s.WriteRun())
	manifest := s.Manifest()
	require.Equal(t, 1, mergeAll(t, x))
	s.Commit()
	require.Equal(t, manifest, x.Manifest())
	x.removeUnused()
	require.Len(t, folder.VisibleFiles(), mergeRuns+1)
	sealRandom(t, r, x, m, 0)
	require.Len(t, x.current.runs, 1)
	x.removeUnused()
	require.Len(t, folder.VisibleFiles(), 1)
	requireModel(t, x, m)
	require.NoError(t, RemoveUnnamed(folder, manifest))
	require.Empty(t, folder.VisibleFiles())
}

// TestLookupKeepsRuns commits a merge during a look-up: the replaced runs stay open for the look-up.
func TestLookupKeepsRuns(t *testing.T) {
	t.Parallel()
	r := newRand(t)
	folder, m := memoryFolder(), model{}
	x := newIndexToTest(t, folder)
	for range mergeRuns {
		sealRandom(t, r, x, m, 20)
	}
	set := x.useRuns()
	for mergeAll(t, x) == 0 {
		sealRandom(t, r, x, m, 20)
	}
	sealRandom(t, r, x, m, 0)
	x.removeUnused()
	for _, used := range set.runs {
		require.Contains(t, folder.VisibleFiles(), used.entry.fileName())
	}
	x.leaveRuns(set)
	x.removeUnused()
	names, err := FileNames(x.Manifest())
	require.NoError(t, err)
	visible, err := folder.ListNames()
	require.NoError(t, err)
	for _, m := range x.merges {
		names = append(names, m.result.entry.fileName())
	}
	require.ElementsMatch(t, names, visible, "the replaced runs are removed")
	require.True(t, slices.ContainsFunc(set.runs, func(r *run) bool { return !slices.Contains(visible, r.entry.fileName()) }))
}

func TestManifestOfNoWriter(t *testing.T) {
	t.Parallel()
	x := newIndexToTest(t, memoryFolder())
	sealRandom(t, newRand(t), x, model{}, 30)
	b := x.Manifest()
	for _, bad := range [][]byte{nil, b[:3], b[:len(b)-1], append(slices.Clone(b), 0)} {
		_, err := OpenToRead(memoryFolder(), bad)
		require.Error(t, err)
		_, err = FileNames(bad)
		require.Error(t, err)
	}
	newer := slices.Clone(b)
	newer[0]++
	_, err := OpenToRead(memoryFolder(), newer)
	require.ErrorIs(t, err, sealed.ErrVersion)
	require.ErrorIs(t, RemoveUnnamed(memoryFolder(), newer), sealed.ErrVersion)
	_, err = OpenToRead(memoryFolder(), b)
	require.ErrorIs(t, err, sealed.ErrCorrupt, "the file is missing")
}
