package wal

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A header with a wrong byte among the summed bytes, or among the zeros, is damaged; the header of
// another kind of file is no header.
func TestDamagedHeader(t *testing.T) {
	t.Parallel()
	whole, _ := header{magic: checkpointMagic, folder: [16]byte{1}, number: 2, first: 3}.encodeHeader()
	_, err := decodeHeader(whole, checkpointMagic)
	require.NoError(t, err)
	for i := range whole {
		b := append([]byte(nil), whole...)
		b[i] ^= 1
		_, err := decodeHeader(b, checkpointMagic)
		require.ErrorAs(t, err, new(damage), "byte %d", i)
	}
	_, err = decodeHeader(whole, logMagic)
	require.ErrorAs(t, err, new(damage))
}
