package vsr_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/vsr"
	"github.com/peerledger/peerledger/internal/vsr/vsrtest"
)

// A file of an unknown format is not read, and is not reported as damaged.
func TestSuperblockOfAnotherFormat(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	vsrtest.DataFile(t, path, sample)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	for i := range 4 {
		header := content[i*24576:][:8192]
		binary.LittleEndian.PutUint16(header[34:], 3)
		sum := vsr.Checksum(header[34:])
		copy(header, sum[:])
	}
	require.NoError(t, os.WriteFile(path, content, 0o600))
	_, err = vsr.ReadSuperblock(path)
	require.ErrorIs(t, err, vsr.ErrNotDataFile)
	require.ErrorContains(t, err, "format 3, this program reads 2")
	require.ErrorContains(t, err, path)

	// One copy of an unknown format beside good copies is a damaged copy.
	vsrtest.DataFile(t, path, sample)
	good, err := os.ReadFile(path)
	require.NoError(t, err)
	copy(good, content[:8192])
	require.NoError(t, os.WriteFile(path, good, 0o600))
	got, err := vsr.ReadSuperblock(path)
	require.NoError(t, err)
	require.Equal(t, sample, got)
}
