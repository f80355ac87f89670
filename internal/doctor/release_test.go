package doctor

import (
	"encoding/binary"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/vsr"
	"github.com/peerledger/peerledger/internal/vsr/vsrtest"
)

// A server or a data file of a release with another format is reported as not understood, without
// the advice to restore a backup.
func TestReleaseThatIsNotUnderstood(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "7_0.tigerbeetle")
	vsrtest.DataFile(t, path, vsr.Superblock{ClusterID: uint128.From64(7), ReplicaCount: 1, Sequence: 1})
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	for i := range 4 {
		header := content[i*24576:][:8192]
		binary.LittleEndian.PutUint16(header[34:], 3)
		sum := vsr.Checksum(header[34:])
		copy(header, sum[:])
	}
	require.NoError(t, os.WriteFile(path, content, 0o600))
	address := vsrtest.Listen(t, func(conn net.Conn) { // echoes the ping, which is not a pong
		message := make([]byte, 256)
		_, _ = conn.Read(message)
		_, _ = conn.Write(message)
	})
	r := Examine(t.Context(), Subject{
		ClusterID: uint128.From64(7), Addresses: []string{address}, Client: vsr.NewRelease(0, 17, 9), DataFile: path,
	})
	require.Contains(t, findFinding(t, r, DataFileDamaged).Found, "format 3, this program reads 2")
	require.Contains(t, findFinding(t, r, DataFileDamaged).Remedy, "use a peerledger of its release")
	require.Contains(t, findFinding(t, r, NotTigerBeetle).Cause, "does not understand")
}
