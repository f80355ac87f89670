package idindex

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFilterLine has the bits of two hashes where every version of the format has them. A line has each of
// its hashes, and none that lacks a bit.
func TestFilterLine(t *testing.T) {
	t.Parallel()
	const first, second = 0x0123456789abc800, 0xfedcba9876543000
	line := make([]byte, lineBytes)
	addToLine(line, first)
	require.Equal(t, "000000000000000000000041100400000000000000000000000000000000000000000000000000001008820000000000000000000000000000000000", hex.EncodeToString(line[:lineDataBytes]))
	require.True(t, isInLine(line, first))
	require.False(t, isInLine(line, second))
	addToLine(line, second)
	require.Equal(t, "000000000000000000000055bb0400000000000000000000000000000000000000000000000000001008820000000000000000000000000000000000", hex.EncodeToString(line[:lineDataBytes]))
	require.True(t, isInLine(line, first))
	require.True(t, isInLine(line, second))

	at, step := firstProbe(second)
	for probe := range probes {
		bit := probedBit(at)
		at += step
		line[bit/8] &^= 1 << (bit % 8)
		require.False(t, isInLine(line, second), probe)
		line[bit/8] |= 1 << (bit % 8)
	}
	require.Equal(t, make([]byte, lineBytes-lineDataBytes), line[lineDataBytes:], "the place of the sum")
}
