package backup

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/peerledger/peerledger/internal/vsr"
	"github.com/peerledger/peerledger/ledger"
)

// lockTimeout is how long to wait for the lock of the data file: the lock of a killed server
// lingers for a moment.
const lockTimeout = 2 * time.Second

// checkUnreplicated refuses the data file of a cluster of several replicas.
func checkUnreplicated(path string, sb vsr.Superblock) error {
	if sb.ReplicaCount != 1 {
		return newReplicatedError(path, sb.ReplicaCount)
	}
	return nil
}

// copyDataFile copies the data file and records its superblock in the manifest.
func (o Options) copyDataFile(ctx context.Context, partial string, before vsr.Superblock, m *Manifest) error {
	file, release, err := lockDataFile(ctx, o.File) // also for a snapshot: a file held by a server is not in one
	if err != nil {
		return err
	}
	defer release()
	sb, err := checkSameFile(file, before)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	to, err := os.OpenFile(filepath.Join(partial, dataName), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	m.Archive, err = packFile(ctx, file, to, o.newProgress("copying", info.Size()))
	m.ClusterID, m.File, m.Release = ledger.Amount(sb.ClusterID), filepath.Base(o.File), sb.Release.String()
	m.Sequence, m.Checkpoint = sb.Sequence, sb.CheckpointOp
	return syncAndClose(to, err)
}

// checkSameFile reads the superblock again after the stop. The path may now lead to another file
// than before the stop.
func checkSameFile(file *os.File, before vsr.Superblock) (vsr.Superblock, error) {
	sb, err := vsr.ReadSuperblockOf(file)
	if err != nil {
		return sb, fmt.Errorf("backup: %w", err)
	}
	switch err := checkUnreplicated(file.Name(), sb); {
	case err != nil:
		return sb, err
	case !sb.ClusterID.Equals(before.ClusterID):
		return sb, fmt.Errorf("%w: %s belongs to cluster %v now, and belonged to %v before the server was stopped", ErrOtherCluster, file.Name(), sb.ClusterID, before.ClusterID)
	case sb.Sequence < before.Sequence:
		return sb, fmt.Errorf("backup: %s is an older file than before the server was stopped: its sequence is %d, and was %d", file.Name(), sb.Sequence, before.Sequence)
	}
	return sb, nil
}

// lockDataFile opens a data file and takes the server's lock on it, so that no server can start
// before release.
func lockDataFile(ctx context.Context, path string) (file *os.File, release func(), err error) {
	if file, err = os.Open(path); err != nil {
		return nil, nil, err
	}
	lock := flock.New(path, flock.SetFlag(os.O_RDONLY), flock.SetPermissions(0o600))
	release = func() { _, _ = lock.Close(), file.Close() } // opened only for reading
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	if locked, err := lock.TryLockContext(ctx, 20*time.Millisecond); err != nil || !locked {
		release()
		return nil, nil, fmt.Errorf("%w: %s: a server runs with this file: stop the server first, or give --stop and --start; a file in a snapshot has no server", ErrInUse, path)
	}
	// TryLockContext opened the path a second time: both must be one file.
	locked, lockedErr := lock.Stat()
	opened, err := file.Stat()
	if err = cmp.Or(lockedErr, err); err == nil && !os.SameFile(locked, opened) {
		err = fmt.Errorf("backup: %s is another file now than a moment ago", path)
	}
	if err != nil {
		release()
		return nil, nil, err
	}
	return file, release, nil
}
