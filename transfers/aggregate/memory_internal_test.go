package aggregate

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// sweep forgets what may be forgotten of all shards.
func (t *memory) sweep(forgetBefore int64) {
	for range t.shards {
		t.sweepNext(forgetBefore)
	}
}

// Random changes of a memory, compared with a map. The ids are few and alike, so that searches meet.
func TestMemoryAgainstAMap(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	m := newMemory([2]uint64{rnd.Uint64(), rnd.Uint64()})
	want := map[ledger.ID]memoryEntry{}
	inOne := func() ledger.ID {
		for {
			id := ledger.NewID(rnd.Uint64N(1<<40)<<8, 0)
			if s, _ := m.shardOf(id); s == &m.shards[0] {
				return id
			}
		}
	}
	var ids []ledger.ID
	for range 300 {
		ids = append(ids, inOne())
	}
	now := int64(0)
	for step := range 20000 {
		id := ids[rnd.IntN(len(ids))]
		e := m.find(id)
		expected, isThere := want[id]
		if isThere && !expected.isBeyond(now) {
			require.NotNil(t, e, "step %d", step)
		}
		switch n := rnd.IntN(10); {
		case e == nil && n < 6:
			e = m.insert(id, now)
			if e.seal = rnd.Uint64(); n < 3 {
				e.setHeld(rnd.Uint32())
			} else {
				e.setEnded(stateFulfilled, (now+rnd.Int64N(50))*nanosPerMilli)
			}
			want[id] = *e
		case e == nil:
			delete(want, id)
		case n == 0:
			m.remove(id)
			delete(want, id)
		case n == 1 && e.kind() == stateHeld:
			e.setEnded(stateRejected, (now+rnd.Int64N(50))*nanosPerMilli)
			want[id] = *e
		case n == 2:
			m.sweep(now)
		default:
			require.Equal(t, expected, *e, "step %d", step)
		}
		now += rnd.Int64N(3)
	}
	used, filled := 0, 0
	for i := range m.shards {
		used += m.shards[i].used
		if len(m.shards[i].entries) > 0 {
			filled++
		}
	}
	require.Equal(t, used, m.live)
	require.Equal(t, filled, m.filled)
	for id, e := range want {
		if e.kind() == stateHeld {
			m.remove(id)
		}
	}
	m.sweep(now + 100)
	require.Zero(t, m.live)
	require.Zero(t, m.filled)
}

// A memory gives back what it does not need, and stays within 72 bytes a packet.
func TestMemoryIsFlat(t *testing.T) {
	t.Parallel()
	m := newMemory([2]uint64{1, 2})
	const perMilli, life = 100, 2000
	most := 0
	for now := range int64(10_000) {
		for n := range uint64(perMilli) {
			e := m.insert(ledger.NewID(uint64(now)*perMilli+n, 5), now)
			e.setEnded(stateFulfilled, (now+life)*nanosPerMilli)
		}
		if now > life {
			most = max(most, m.bytes())
		}
	}
	require.Less(t, float64(most)/(perMilli*life), 72.0)
	m.sweep(1 << 40)
	require.Less(t, m.bytes(), 40<<shardBits)
}

// Ids that follow each other share cache lines: the slots of a group are side by side.
func TestMemoryGroupsIDs(t *testing.T) {
	t.Parallel()
	m := newMemory([2]uint64{3, 5})
	for group := range uint64(100) {
		first := ledger.NewID(group*groupSize<<8, 7)
		m.insert(first, 0)
		s, h := m.shardOf(first)
		require.Zero(t, s.slot(h)%groupSize)
		require.Zero(t, len(s.entries)%groupSize)
		for n := range uint64(groupSize) {
			shard, next := m.shardOf(ledger.NewID((group*groupSize+n)<<8, 7))
			require.Same(t, s, shard)
			require.Equal(t, s.slot(h)+int(n), shard.slot(next))
		}
	}
}
