// Package vsrtest makes inputs of package vsr, for tests without a TigerBeetle: data files with a
// superblock and nothing else, and servers that answer pings.
package vsrtest

import (
	"encoding/binary"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/vsr"
)

// DataFileSize is the length of the files of [DataFile]; a real data file has 1,141,374,976 bytes.
const DataFileSize = 256 << 10

// DataFile writes a file with a superblock in four copies. A server would not start with such a
// file.
func DataFile(tb testing.TB, path string, sb vsr.Superblock) {
	tb.Helper()
	file := make([]byte, DataFileSize)
	for i := range 4 {
		copy(file[i*24576:], encodeHeader(sb))
	}
	require.NoError(tb, os.WriteFile(path, file, 0o600))
}

// encodeHeader encodes a copy of a superblock's header. The offsets are added up a second time from
// the structures in TigerBeetle's src/vsr/superblock.zig.
func encodeHeader(sb vsr.Superblock) []byte {
	b := make([]byte, 8192)
	binary.LittleEndian.PutUint16(b[34:], 2)
	binary.LittleEndian.PutUint32(b[36:], uint32(sb.Formatted))
	binary.LittleEndian.PutUint64(b[40:], sb.Sequence)
	sb.ClusterID.PutBytes(b[48:])
	binary.LittleEndian.PutUint64(b[320:], sb.CheckpointOp)
	if !sb.CheckpointAt.IsZero() {
		binary.LittleEndian.PutUint64(b[336:], uint64(sb.CheckpointAt.UnixNano()))
	}
	binary.LittleEndian.PutUint64(b[672:], sb.Size)
	binary.LittleEndian.PutUint32(b[708:], uint32(sb.Release))
	b[1120] = byte(sb.Replica + 1) // the replica's id
	for i := range 12 {            // the members' ids
		b[1136+16*i] = byte(i + 1)
	}
	b[1364] = byte(sb.ReplicaCount)
	sum := vsr.Checksum(b[34:])
	copy(b, sum[:])
	return b
}
