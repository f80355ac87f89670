package vsr

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
)

// The two answers are in TigerBeetle's src/vsr/checksum.zig.
func TestChecksum(t *testing.T) {
	t.Parallel()
	for want, data := range map[string][]byte{
		"83cc600dc4e3e7e62d4055826174f149": nil,
		"f72ad48dd05dd1656133101cd4be3a26": make([]byte, 16),
	} {
		sum := Checksum(data)
		require.Equal(t, want, hex.EncodeToString(sum[:]), "%d bytes", len(data))
	}
}

// Every bit and every byte counts, also in the last block.
func TestChecksumOfOtherData(t *testing.T) {
	t.Parallel()
	seen := map[[checksumSize]byte]bool{}
	for length := range 70 {
		seen[Checksum(make([]byte, length))] = true
	}
	data := make([]byte, 70)
	for bit := range len(data) * 8 {
		data[bit/8] ^= 1 << (bit % 8)
		seen[Checksum(data)] = true
		data[bit/8] ^= 1 << (bit % 8)
	}
	require.Len(t, seen, 70+70*8)
}
