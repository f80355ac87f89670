package vsr

import (
	"encoding/hex"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// The first two answers are in TigerBeetle's src/vsr/checksum.zig, the third was recorded.
func TestChecksum(t *testing.T) {
	t.Parallel()
	for want, data := range map[string][]byte{
		"83cc600dc4e3e7e62d4055826174f149": nil,
		"f72ad48dd05dd1656133101cd4be3a26": make([]byte, 16),
		"651b82f3ddd4fcbf2deb8496e8ff613c": make([]byte, 256),
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

// The processor's instructions and the tables give the same state.
func TestAbsorbAlike(t *testing.T) {
	t.Parallel()
	random := rand.NewChaCha8([32]byte{1})
	for steps := range 20 {
		data := make([]byte, steps*stepSize)
		_, _ = random.Read(data)
		fast, portable := initialState(), initialState()
		absorb(&fast, data)
		absorbPortable(&portable, data)
		require.Equal(t, portable, fast, "%d steps", steps)
	}
}

func BenchmarkChecksum(b *testing.B) {
	data := make([]byte, MessageMax)
	for name, absorb := range map[string]func(*aegis, []byte){"processor": absorb, "portable": absorbPortable} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				state := initialState()
				absorb(&state, data)
			}
		})
	}
}
