package embedded

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// An idTable finds the same places as a map, through growth and removals, and even if many ids
// have the same hash.
func TestIDTable(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	table, want := newIDTable(), map[ledger.ID]place{}
	ids := make([]ledger.ID, 0, 5000)
	for range cap(ids) {
		ids = append(ids, ledger.NewID(random.Uint64N(4000), random.Uint64N(2)))
	}
	for pos, id := range ids {
		if old, ok := want[id]; ok {
			table.removePlace(id, old)
			delete(want, id)
			continue
		}
		table.addPlace(id, place(pos))
		want[id] = place(pos)
	}
	for _, id := range ids {
		pos, ok := table.findPlace(id, func(pos place) bool { return ids[pos] == id })
		wantPos, wantOK := want[id]
		require.Equal(t, wantOK, ok)
		require.Equal(t, wantPos, pos)
	}
}

func TestIDTablePartCollisions(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var part idTablePart
	want := map[place]uint32{}
	for pos := range place(2000) {
		hash := random.Uint32N(8) * 5 // runs of entries that meet, and wrap round the end
		part.addEntry(newIDTableEntry(hash, pos))
		want[pos] = hash
		if victim := place(random.Uint32N(2000)); random.IntN(2) == 0 {
			if hash, ok := want[victim]; ok {
				part.removeEntry(newIDTableEntry(hash, victim))
				delete(want, victim)
			}
		}
	}
	for pos := range place(2000) {
		hash, exists := want[pos]
		if !exists {
			hash = 5
		}
		_, ok := part.findEntry(hash, func(found place) bool { return found == pos })
		require.Equal(t, exists, ok, "place %d", pos)
	}
	require.Equal(t, len(want), part.used)
}
