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

// The ids of a recorder's packet, two legs with a hold, a post and a void each, have slots next to each
// other. Ids in a row find their places all the same, in a short search.
func TestNearIDs(t *testing.T) {
	t.Parallel()
	table := newIDTable()
	const packet, n = 7 << 8, 10_000
	hashes := map[uint32]bool{}
	for _, low := range []uint64{0x00, 0x01, 0x02, 0x10, 0x11, 0x12} {
		hashes[table.hashID(ledger.NewID(packet|low, 1))] = true
	}
	lines := map[uint32]bool{}
	for hash := range hashes {
		lines[hash/8] = true
	}
	require.Len(t, hashes, 6)
	require.Len(t, lines, 1)

	for p := range place(n) {
		table.addPlace(ledger.NewID(uint64(p), 0), p)
	}
	compared := 0
	for p := range place(n) {
		found, ok := table.findPlace(ledger.NewID(uint64(p), 0), func(at place) bool {
			compared++
			return at == p
		})
		require.True(t, ok)
		require.Equal(t, p, found)
	}
	require.Less(t, compared, n+n/10, "rows with the hash of another id")
	_, ok := table.findPlace(ledger.NewID(n, 0), func(place) bool { return true })
	require.False(t, ok, "an id above all others")
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
