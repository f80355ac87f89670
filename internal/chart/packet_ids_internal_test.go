package chart

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

func TestIDsGrowAndLeaveTheLowBits(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_800_000_000_000)
	source := PacketIDs{}
	last := ledger.ID{}
	for i := range 10_000 {
		if i == 5_000 {
			now = now.Add(-time.Hour)
		}
		id := source.NextID(now)
		require.Zero(t, id.Lo&0xff)
		require.Equal(t, 1, id.Compare(last))
		require.Equal(t, uint64(1_800_000_000_000), id.Hi>>16, "the clock went back, the ids do not")
		last = id
	}
	now = now.Add(2 * time.Hour)
	require.Equal(t, uint64(now.UnixMilli()), source.NextID(now).Hi>>16)

	// A clock out of order: before 1970, and beyond 48 bits.
	for _, ms := range []int64{-1, 0, 1 << 60} {
		early, other := PacketIDs{}, PacketIDs{}
		wrong := time.UnixMilli(ms)
		require.NotEqual(t, early.NextID(wrong), other.NextID(wrong))
		first := early.NextID(wrong)
		require.Equal(t, 1, early.NextID(now).Compare(first), "ids still grow when the clock is mended")
	}

	// Out of unique bits: the count carries into the next millisecond.
	source.last.Lo, source.last.Hi = 1<<64-1, source.last.Hi|0xff
	require.Equal(t, uint64(now.UnixMilli()+1), source.NextID(now).Hi>>16)
}
