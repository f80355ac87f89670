package embedded

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// A directory finds what a map finds, through growth and removals, and also if
// many ids have the same hash.
func TestDirectory(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	d, want := newDirectory(), map[ledger.ID]position{}
	ids := make([]ledger.ID, 0, 5000)
	for range cap(ids) {
		ids = append(ids, ledger.NewID(random.Uint64N(4000), random.Uint64N(2)))
	}
	for at, id := range ids {
		if old, ok := want[id]; ok {
			d.remove(id, old)
			delete(want, id)
			continue
		}
		d.add(id, position(at))
		want[id] = position(at)
	}
	for _, id := range ids {
		at, ok := d.find(id, func(at position) bool { return ids[at] == id })
		wantAt, wantOK := want[id]
		require.Equal(t, wantOK, ok)
		require.Equal(t, wantAt, at)
	}
}

func TestDirectoryPartCollisions(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var part directoryPart
	want := map[position]uint32{}
	for at := range position(2000) {
		hash := random.Uint32N(8) * 5 // runs that meet, and wrap round the end
		part.add(newEntry(hash, at))
		want[at] = hash
		if victim := position(random.Uint32N(2000)); random.IntN(2) == 0 {
			if hash, ok := want[victim]; ok {
				part.remove(newEntry(hash, victim))
				delete(want, victim)
			}
		}
	}
	for at := range position(2000) {
		hash, there := want[at]
		if !there {
			hash = 5
		}
		_, ok := part.find(hash, func(found position) bool { return found == at })
		require.Equal(t, there, ok, "place %d", at)
	}
	require.Equal(t, len(want), part.used)
}
