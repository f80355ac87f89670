package vsr

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"lukechampine.com/uint128"
)

// ErrNotDataFile is returned for a file other than a data file of TigerBeetle, for a data file so
// damaged that a server would not start, and for a release with an unknown format.
var ErrNotDataFile = errors.New("vsr: not a TigerBeetle data file")

// Superblock describes the replica of a data file.
type Superblock struct {
	ClusterID uint128.Uint128
	Replica   int // its index in the cluster; from ReplicaCount on it is a standby
	// ReplicaCount is the number of replicas in the cluster, 1 to 6.
	ReplicaCount int
	// Formatted is the release that made the file; Release is the release that wrote the newest
	// checkpoint.
	Formatted, Release Release
	// Sequence grows with each checkpoint and each change of view.
	Sequence uint64
	// CheckpointOp is the number of the operation of the newest checkpoint, and CheckpointAt its
	// time by the cluster's clock; 0 and zero before the first checkpoint.
	CheckpointOp uint64
	CheckpointAt time.Time
	// Size is the used length of the file, in bytes. The last block is written only as far as it is
	// used, so the file may be shorter by up to 512 KiB.
	Size uint64
}

// The layout of the superblock: copies of a header, each with space behind it.
const (
	superblockCopies  = 4
	superblockStride  = 24 << 10 // from one copy to the next
	superblockSize    = 8 << 10  // of a header
	superblockFormat  = 2
	superblockMembers = 12 // replicas and standbys

	atCopy         = 32 // not covered by the checksum, nor is anything before it
	atVersion      = 34
	atFormatted    = 36
	atSequence     = 40
	atCluster      = 48
	atCheckpoint   = 96 // the replica's state, which begins with the checkpoint's header
	atOp           = atCheckpoint + 224
	atTimestamp    = atCheckpoint + 240
	atStorageSize  = atCheckpoint + 576
	atRelease      = atCheckpoint + 612
	atReplicaID    = atCheckpoint + 1024
	atMembers      = atReplicaID + 16
	atReplicaCount = atCheckpoint + 1268
)

// ReadSuperblock reads the superblock of a data file; its server may be running. Of the copies with
// a right checksum, the highest sequence found in at least two copies counts, as for a starting
// server. The error matches [ErrNotDataFile], or is the file system's.
func ReadSuperblock(path string) (Superblock, error) {
	file, err := os.Open(path)
	if err != nil {
		return Superblock{}, fmt.Errorf("vsr: %w", err)
	}
	defer func() { _ = file.Close() }() // nothing was written
	return ReadSuperblockOf(file)
}

// ReadSuperblockOf is [ReadSuperblock] of an open file.
func ReadSuperblockOf(file *os.File) (Superblock, error) {
	sb, err := readSuperblock(file)
	if err != nil {
		return sb, fmt.Errorf("%w: %s", err, file.Name())
	}
	return sb, nil
}

// DataFiles returns the paths of the files in a folder that are named like data files,
// *.tigerbeetle, in the order of their names. Links are included, whether or not they lead to a
// file.
func DataFiles(folder string) (paths []string, err error) {
	entries, err := os.ReadDir(folder) // not filepath.Glob: the folder's name may have pattern characters
	if err != nil {
		return nil, fmt.Errorf("vsr: %w", err)
	}
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), ".tigerbeetle") {
			paths = append(paths, filepath.Join(folder, entry.Name()))
		}
	}
	return paths, nil
}

func readSuperblock(r io.ReaderAt) (newest Superblock, err error) {
	found := map[Superblock]int{}
	unknown := uint16(0) // a format not read here
	buffer := make([]byte, superblockSize)
	for i := range superblockCopies {
		switch _, err := r.ReadAt(buffer, int64(i*superblockStride)); {
		case errors.Is(err, io.EOF):
			return newest, ErrNotDataFile // too short
		case err != nil:
			return newest, fmt.Errorf("vsr: %w", err)
		}
		if !isWhole(buffer) {
			continue
		}
		if format := superblockFormatOf(buffer); format != superblockFormat {
			unknown = format
		} else if sb, ok := parseSuperblock(buffer); ok {
			found[sb]++
		}
	}
	for sb, copies := range found {
		if copies >= superblockCopies/2 && sb.Sequence >= newest.Sequence {
			newest = sb
		}
	}
	switch {
	case newest.Sequence == 0 && unknown != 0:
		return newest, fmt.Errorf("%w of a release that is known here: its superblock has format %d, this program reads %d",
			ErrNotDataFile, unknown, superblockFormat)
	case newest.Sequence == 0:
		return newest, ErrNotDataFile
	default:
		return newest, nil
	}
}

// isWhole reports whether the checksum of a copy holds.
func isWhole(b []byte) bool { return Checksum(b[atVersion:]) == [checksumSize]byte(b[:checksumSize]) }

func superblockFormatOf(b []byte) uint16 { return binary.LittleEndian.Uint16(b[atVersion:]) }

// parseSuperblock reads a whole copy; ok is false if its replica is not a member of the cluster.
func parseSuperblock(b []byte) (sb Superblock, ok bool) {
	sb = Superblock{
		ClusterID:    uint128.FromBytes(b[atCluster:]),
		ReplicaCount: int(b[atReplicaCount]),
		Formatted:    Release(binary.LittleEndian.Uint32(b[atFormatted:])),
		Release:      Release(binary.LittleEndian.Uint32(b[atRelease:])),
		Sequence:     binary.LittleEndian.Uint64(b[atSequence:]),
		CheckpointOp: binary.LittleEndian.Uint64(b[atOp:]),
		Size:         binary.LittleEndian.Uint64(b[atStorageSize:]),
	}
	if at := binary.LittleEndian.Uint64(b[atTimestamp:]); at != 0 {
		sb.CheckpointAt = time.Unix(0, int64(at)).UTC()
	}
	id := uint128.FromBytes(b[atReplicaID:])
	for i := range superblockMembers {
		if uint128.FromBytes(b[atMembers+i*16:]) == id {
			sb.Replica = i
			return sb, true
		}
	}
	return sb, false
}
