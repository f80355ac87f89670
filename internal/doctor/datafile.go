package doctor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/peerledger/peerledger/internal/vsr"
)

// examineDataFile looks at the data file and its volume. held says that a server has it
// open.
func (s Subject) examineDataFile(r *Report) (held bool) {
	info, err := os.Stat(s.DataFile)
	switch {
	case errors.Is(err, os.ErrNotExist):
		r.add(DataFileMissing, s.DataFile, "there is no such file")
		return false
	case err != nil:
		r.add(DataFileUnread, s.DataFile, err.Error())
		return false
	}
	files := []string{s.DataFile}
	if info.IsDir() {
		files, err = vsr.DataFiles(s.DataFile)
		switch {
		case err != nil:
			r.add(DataFileUnread, s.DataFile, err.Error())
			return false
		case len(files) == 0:
			r.add(DataFileMissing, s.DataFile, "the folder has no *.tigerbeetle file")
			return false
		}
	}
	if len(files) > 1 {
		r.add(DataFilesMixed, s.DataFile, strings.Join(files, ", "))
	}
	for _, file := range files {
		if s.examineFile(file, r) {
			held = true
		}
	}
	judgeVolume(files[0], volumeFacts(files[0]), r)
	return held
}

// lastBlock is how much shorter than its superblock says a whole file may be: the last block
// is written only as far as it is used.
const lastBlock = 512 << 10

// examineFile looks at one data file.
func (s Subject) examineFile(path string, r *Report) (held bool) {
	sb, err := vsr.ReadSuperblock(path)
	switch {
	case errors.Is(err, os.ErrNotExist): // a link to a disk that is not mounted
		r.add(DataFileMissing, path, err.Error())
		return false
	case errors.Is(err, vsr.ErrNotDataFile):
		r.add(DataFileDamaged, path, err.Error())
		return false
	case err != nil:
		r.add(DataFileUnread, path, err.Error())
		return false
	}
	info, err := os.Stat(path)
	if err != nil {
		r.add(DataFileUnread, path, err.Error())
		return false
	}
	if uint64(info.Size())+lastBlock <= sb.Size {
		r.add(DataFileShort, path, fmt.Sprintf("it has %d bytes of %d", info.Size(), sb.Size))
	}
	what := fmt.Sprintf("cluster %v, replica %d of %d, release %v", sb.ClusterID, sb.Replica, sb.ReplicaCount, sb.Release)
	right := true
	if s.ConfigErr == nil && (len(s.Addresses) > 0 || !s.ClusterID.IsZero()) && !sb.ClusterID.Equals(s.ClusterID) {
		right = false
		r.add(DataFileOther, path, fmt.Sprintf("%s; configured is cluster %v", what, s.ClusterID))
	}
	if n := len(s.Addresses); s.ConfigErr == nil && n != 0 && n != sb.ReplicaCount {
		right = false
		r.add(ReplicaCount, path, fmt.Sprintf("%s; the configuration has %s", what, number(n, "address", "addresses")))
	}
	if right {
		r.add(DataFileRight, path, what)
	}
	held, known := isHeld(path)
	if known && !held {
		r.add(DataFileUnused, path, "no process holds its lock")
	}
	return held
}

// volume is what is known of a file system.
type volume struct {
	free, size uint64 // bytes; size 0: not known
	inMemory   bool
}

// judgeVolume reports a volume that is full or does not last.
func judgeVolume(path string, v volume, r *Report) {
	const gib = 1 << 30
	if v.size > 0 && (v.free < gib || v.free < v.size/20) {
		r.add(DiskFull, filepath.Dir(path), fmt.Sprintf("%.1f GiB free of %.1f", float64(v.free)/gib, float64(v.size)/gib))
	}
	if v.inMemory {
		r.add(NotDurable, filepath.Dir(path), "the file system is tmpfs")
	}
}
