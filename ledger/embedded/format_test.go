package embedded_test

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger/embedded"
)

// A folder in a newer format is refused by the number of its format, and not as a damaged one.
// internal/wal/doc.go describes the number.
func TestFolderOfANewerFormat(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := embedded.Open(dir)
	require.NoError(t, err)
	require.NoError(t, l.Close())
	path := filepath.Join(dir, "log-0000000000000000")
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.EqualValues(t, 15, binary.LittleEndian.Uint32(content[12:]), "format 16, as all new folders have")

	binary.LittleEndian.PutUint32(content[12:], 16)
	binary.LittleEndian.PutUint32(content[48:], crc32.Checksum(content[:48], crc32.MakeTable(crc32.Castagnoli)))
	require.NoError(t, os.WriteFile(path, content, 0o600))
	_, err = embedded.Open(dir)
	require.ErrorIs(t, err, embedded.ErrIncompatible)
	require.NotErrorIs(t, err, embedded.ErrCorrupt)
	require.ErrorContains(t, err, path+": ledger of format 17, this program reads up to 16")
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, content, after)

	binary.LittleEndian.PutUint32(content[12:], 1) // format 2, of journals of rounds
	binary.LittleEndian.PutUint32(content[48:], crc32.Checksum(content[:48], crc32.MakeTable(crc32.Castagnoli)))
	require.NoError(t, os.WriteFile(path, content, 0o600))
	_, err = embedded.Open(dir)
	require.ErrorIs(t, err, embedded.ErrIncompatible)
	require.NotErrorIs(t, err, embedded.ErrCorrupt)
}
