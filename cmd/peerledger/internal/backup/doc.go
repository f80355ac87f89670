// Package backup copies the data file of a single TigerBeetle node, or the folder of an embedded
// ledger, and a recorder's journal; it restores the copies, and verifies them by opening them.
//
// A backup is a folder. data.zst is the data file, ledger.tar.zst an embedded ledger's folder,
// and journal.tar.zst a journal's, each compressed with zstd ("zstd -d --sparse" and "tar --zstd"
// turn them back as well). manifest.json says of what ledger and moment they are, and has the
// hashes of both forms of each, and of itself. A backup is made in a folder whose name begins
// with a dot, read back, and renamed at the end: what has a backup's name is whole.
//
// A replica of a cluster must not be restored from a copy: it would forget what it has
// acknowledged to the others, and the cluster could lose what it answered. So replicas of
// more than one are refused (ErrReplicated); "tigerbeetle recover" brings a lost one back.
package backup

import (
	"errors"
	"fmt"
)

// What is refused.
var (
	// ErrReplicated says that the data file belongs to a cluster of several replicas.
	ErrReplicated = errors.New("backup: a replica of a cluster is not backed up or restored by itself")
	// ErrInUse says that a server holds the data file, or a program the folder or journal: what
	// is copied from under it is of no moment.
	ErrInUse = errors.New("backup: in use")
	// ErrBusy says that another backup is being made, or verified, in the folder.
	ErrBusy = errors.New("backup: another one is at work in this folder")
	// ErrDamaged says that a backup is not what its manifest says, or has none, or that the
	// manifest is not what was written.
	ErrDamaged = errors.New("backup: damaged")
	// ErrFormat says that a newer version of this program has made a backup.
	ErrFormat = errors.New("backup: of a newer version")
	// ErrUnclear says that nobody can tell which backup in a folder is the one to take.
	ErrUnclear = errors.New("backup: it is not clear which one is the newest")
	// ErrOtherCluster says that a file's name is that of another cluster than the backup's.
	ErrOtherCluster = errors.New("backup: of another cluster")
	// ErrNotEmpty says that there is a data file already where one would be restored, or a log.
	ErrNotEmpty = errors.New("backup: the volume is not empty")
)

func newReplicatedError(path string, count int) error {
	return fmt.Errorf("%w: %s is of a cluster of %d replicas. A copy of one of them has forgotten what it acknowledged since, so putting it back can lose transfers. "+
		"The others are its backup: a lost replica is brought back with tigerbeetle recover (docs/operations.md#a-lost-replica)", ErrReplicated, path, count)
}
