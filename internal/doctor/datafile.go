package doctor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/peerledger/peerledger/internal/vsr"
)

// examineDataFile checks the data file and its volume. serverRuns is set if a server has the file
// open.
func (s Subject) examineDataFile(r *Report) (serverRuns bool) {
	info, err := os.Stat(s.DataFile)
	switch {
	case errors.Is(err, os.ErrNotExist):
		r.addFinding(DataFileMissing, s.DataFile, "there is no such file")
		return false
	case err != nil:
		r.addFinding(DataFileUnread, s.DataFile, err.Error())
		return false
	}
	files := []string{s.DataFile}
	if info.IsDir() {
		files, err = vsr.DataFiles(s.DataFile)
		switch {
		case err != nil:
			r.addFinding(DataFileUnread, s.DataFile, err.Error())
			return false
		case len(files) == 0:
			r.addFinding(DataFileMissing, s.DataFile, "the folder has no *.tigerbeetle file")
			return false
		}
	}
	if len(files) > 1 {
		r.addFinding(DataFilesMixed, s.DataFile, strings.Join(files, ", "))
	}
	for _, file := range files {
		if s.examineFile(file, r) {
			serverRuns = true
		}
	}
	checkVolume(files[0], readVolume(files[0]), r)
	return serverRuns
}

// lastBlockSize is how many bytes a complete file may lack of the superblock's size: the last block
// is only written as far as used.
const lastBlockSize = 512 << 10

// examineFile checks one data file. locked is set if a server has the file open.
func (s Subject) examineFile(path string, r *Report) (locked bool) {
	sb, err := vsr.ReadSuperblock(path)
	switch {
	case errors.Is(err, os.ErrNotExist): // path is a link to a disk that is not mounted
		r.addFinding(DataFileMissing, path, err.Error())
		return false
	case errors.Is(err, vsr.ErrNotDataFile):
		r.addFinding(DataFileDamaged, path, err.Error())
		return false
	case err != nil:
		r.addFinding(DataFileUnread, path, err.Error())
		return false
	}
	info, err := os.Stat(path)
	if err != nil {
		r.addFinding(DataFileUnread, path, err.Error())
		return false
	}
	if uint64(info.Size())+lastBlockSize <= sb.Size {
		r.addFinding(DataFileShort, path, fmt.Sprintf("the file has %d bytes of %d", info.Size(), sb.Size))
	}
	description := fmt.Sprintf("cluster %v, replica %d of %d, release %v", sb.ClusterID, sb.Replica, sb.ReplicaCount, sb.Release)
	matches := true
	if s.ConfigErr == nil && (len(s.Addresses) > 0 || !s.ClusterID.IsZero()) && !sb.ClusterID.Equals(s.ClusterID) {
		matches = false
		r.addFinding(DataFileOther, path, fmt.Sprintf("%s; configured is cluster %v", description, s.ClusterID))
	}
	if n := len(s.Addresses); s.ConfigErr == nil && n != 0 && n != sb.ReplicaCount {
		matches = false
		r.addFinding(ReplicaCount, path, fmt.Sprintf("%s; the configuration has %s", description, formatCount(n, "address", "addresses")))
	}
	if matches {
		r.addFinding(DataFileRight, path, description)
	}
	locked, ok := isLocked(path)
	if ok && !locked {
		r.addFinding(DataFileUnused, path, "no process holds its lock")
	}
	return locked
}

// volume is a file system.
type volume struct {
	free, size uint64 // bytes; size 0: unknown
	inMemory   bool
}

// checkVolume reports a volume that is almost full or in memory.
func checkVolume(path string, v volume, r *Report) {
	const gib = 1 << 30
	if v.size > 0 && (v.free < gib || v.free < v.size/20) {
		r.addFinding(DiskFull, filepath.Dir(path), fmt.Sprintf("%.1f GiB free of %.1f", float64(v.free)/gib, float64(v.size)/gib))
	}
	if v.inMemory {
		r.addFinding(NotDurable, filepath.Dir(path), "the file system is tmpfs")
	}
}
