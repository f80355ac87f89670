package idindex

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/sealed"
	"github.com/peerledger/peerledger/internal/sealed/sealedtest"
	"github.com/peerledger/peerledger/ledger"
)

// model has the entries that an index should have.
type model map[ledger.ID][]Entry

func (m model) clone() model {
	c := model{}
	for id, entries := range m {
		c[id] = slices.Clone(entries)
	}
	return c
}

// randomPosition is any position, often at one of the places where the halves of an entry change.
func randomPosition(r *rand.Rand) uint64 {
	border := []uint64{0, 1 << 32, 2 << 32, MaxPosition}[r.IntN(4)]
	if r.IntN(2) == 0 {
		return r.Uint64N(MaxPosition + 1)
	}
	return min(border+r.Uint64N(3)-min(border, 1), MaxPosition)
}

// fillSeal adds n random entries to a seal and the model: transfers, burnt ids, and ends of holds.
// Ids ascend or are random.
func fillSeal(r *rand.Rand, s *Seal, m model, n int) {
	ascending := r.IntN(2) == 0
	for range n {
		id := ledger.NewID(r.Uint64(), r.Uint64())
		if ascending {
			id = ledger.NewID(r.Uint64(), uint64(len(m)))
		}
		if _, ok := m[id]; ok {
			continue
		}
		switch r.IntN(4) {
		case 0:
			s.AddBurnt(id)
			m[id] = append(m[id], Entry{Kind: KindBurnt})
		case 1: // the end of a hold of an earlier run, or of none
			for held := range m {
				id = held
				break
			}
			if slices.ContainsFunc(m[id], func(e Entry) bool { return e.Kind != KindTransfer }) {
				continue
			}
			e := Entry{KindPosted + Kind(r.IntN(3)), randomPosition(r)}
			s.AddEntry(id, e)
			m[id] = append(m[id], e)
		default:
			e := Entry{KindTransfer, randomPosition(r)}
			s.AddEntry(id, e)
			m[id] = append(m[id], e)
		}
	}
}

// sealRandom commits a seal of n random entries.
func sealRandom(t *testing.T, r *rand.Rand, x *Index, m model, n int) {
	t.Helper()
	s := x.NewSeal(n / 2)
	fillSeal(r, s, m, n)
	require.NoError(t, s.WriteRun())
	manifest := s.Manifest()
	s.Commit()
	require.Equal(t, manifest, x.Manifest())
}

// requireModel compares the index with the model, and asks for ids that are not there.
func requireModel(t *testing.T, x *Index, m model) {
	t.Helper()
	ids := make([]ledger.ID, 0, len(m))
	for id, want := range m {
		got, err := x.FindEntries(nil, id)
		require.NoError(t, err)
		require.ElementsMatch(t, want, got, id)
		ids = append(ids, id)
	}
	may := make([]bool, len(ids))
	require.NoError(t, x.MayHave(ids, may))
	require.NotContains(t, may, false)
	for i := range ids {
		ids[i].Lo ^= 1 << 63
	}
	require.NoError(t, x.MayHave(ids, may))
	for i, id := range ids {
		got, err := x.FindEntries(nil, id)
		require.NoError(t, err)
		require.Empty(t, got)
		_ = may[i]
	}
}

func newRand(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %#x", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func memoryFolder() *sealedtest.Folder { return sealedtest.NewFolder(nil) }

// newIndexToTest returns an index whose merges run when the test calls mergeAll.
func newIndexToTest(t *testing.T, folder sealed.Folder) *Index {
	t.Helper()
	x := newIndex(folder, hashSeed{rand.Uint64(), rand.Uint64()})
	t.Cleanup(func() { require.NoError(t, x.Close()) })
	return x
}

// mergeAll runs the merges that are due, as the merger does, and removes files of no use.
func mergeAll(t *testing.T, x *Index) int {
	t.Helper()
	pace, n := &pacer{bytesPerSecond: 1 << 40, stop: x.stop}, 0
	for m := x.takeMerge(); m != nil; m = x.takeMerge() {
		require.True(t, x.finishMerge(m, x.runMerge(m, pace)))
		require.NoError(t, x.MergeError())
		n++
	}
	x.removeUnused()
	return n
}
