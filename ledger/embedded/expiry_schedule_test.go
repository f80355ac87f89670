package embedded

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// An expirySchedule gives the entries back in their order, whatever the order in which they were added:
// most come in the order of their expiries, some before or at the moment of an earlier one.
func TestExpirySchedule(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var schedule expirySchedule
	var want []expiryEntry // sorted
	queued := 0
	for hold := range position(5000) {
		e := expiryEntry{nanos: uint64(hold) / 3, hold: hold}
		if random.IntN(4) == 0 {
			e.nanos = random.Uint64N(2000)
		}
		schedule.addEntry(e.nanos, e.hold)
		at, _ := slices.BinarySearchFunc(want, e, expiryEntry.compareEntry)
		want = slices.Insert(want, at, e)
		queued = max(queued, len(schedule.queue))
		for random.IntN(2) == 0 && len(want) > 0 {
			require.Equal(t, len(want), schedule.entryCount())
			require.Equal(t, want[0], schedule.nextEntry())
			require.Equal(t, want[0], schedule.takeEntry())
			want = want[1:]
		}
	}
	for _, e := range want {
		require.Equal(t, e, schedule.takeEntry())
	}
	require.Zero(t, schedule.entryCount())
	require.Greater(t, queued, 1)
}
