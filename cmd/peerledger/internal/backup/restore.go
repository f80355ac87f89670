package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/vsr"
)

// Check reads all archives and compares them with the manifest. progress may be nil.
func (b Backup) Check(ctx context.Context, progress func(done, all int64)) error {
	return b.checkArchives(ctx, b.newProgress(progress))
}

// checkArchives checks all archives. It reports progress of the data file alone, by far the largest
// archive.
func (b Backup) checkArchives(ctx context.Context, progress func(int64)) error {
	for name, archive := range b.Manifest.listArchives() {
		archiveProgress := progress
		if name != dataName {
			archiveProgress = nil
		}
		if err := archive.unpackFile(ctx, filepath.Join(b.Folder, name), nil, archiveProgress); err != nil {
			return err
		}
	}
	return nil
}

// newProgress adapts a progress callback; nil for nil.
func (b Backup) newProgress(progress func(done, total int64)) func(int64) {
	if progress == nil {
		return nil
	}
	return func(done int64) { progress(done, b.Manifest.Size) }
}

// dataFileName matches the conventional names of data files: cluster and replica.
var dataFileName = regexp.MustCompile(`^([0-9]+)_[0-9]+\.tigerbeetle$`)

// ErrNothing is returned when a backup lacks the requested ledger or journal.
var ErrNothing = errors.New("backup: not in this backup")

// Restore restores a backup's ledger and replaces nothing. A data file is written to the path
// target, in a folder without any *.tigerbeetle file: a server must not find two. An embedded
// ledger is written to the folder target, which is created if missing and must not have a log.
// After Restore returns nil, the ledger is complete, checked and synced; with an error, nothing is
// left behind. progress is called for a data file, and may be nil.
//
// Errors: [ErrNothing], [ErrOtherCluster], [ErrNotEmpty], [ErrDamaged], and errors of the files.
func (b Backup) Restore(ctx context.Context, target string, progress func(done, all int64)) error {
	switch m := b.Manifest; {
	case b.doubt != nil:
		return b.doubt
	case m.Ledger != nil:
		return m.Ledger.restoreFolder(ctx, filepath.Join(b.Folder, ledgerName), target)
	case m.File == "":
		return fmt.Errorf("%w: %s has a journal, and no ledger", ErrNothing, b.Folder)
	}
	return b.restoreFile(ctx, target, progress)
}

// RestoreJournal restores a backup's journal into a folder, which is created if missing and must
// not have a journal. It returns the errors of [Backup.Restore].
func (b Backup) RestoreJournal(ctx context.Context, target string) error {
	switch {
	case b.doubt != nil:
		return b.doubt
	case b.Manifest.Journal == nil:
		return fmt.Errorf("%w: %s has no journal", ErrNothing, b.Folder)
	}
	return b.Manifest.Journal.restoreFolder(ctx, filepath.Join(b.Folder, journalName), target)
}

func (b Backup) restoreFile(ctx context.Context, target string, progress func(done, all int64)) (err error) {
	folder := filepath.Dir(target)
	if m := dataFileName.FindStringSubmatch(filepath.Base(target)); m != nil && m[1] != b.Manifest.ClusterID.String() {
		return fmt.Errorf("%w: %s belongs to cluster %v, and %s is a name of cluster %s", ErrOtherCluster, b.Folder, b.Manifest.ClusterID, target, m[1])
	}
	present, err := vsr.DataFiles(folder)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if _, err := os.Lstat(target); err == nil {
		present = append(present, target)
	}
	if len(present) > 0 {
		return fmt.Errorf("%w: %s exists; restore into an empty volume, and keep the old file until the new one is verified", ErrNotEmpty, present[0])
	}
	file, err := os.CreateTemp(folder, ".restoring-") // mode 0600, like TigerBeetle's own files
	if err != nil {
		return err
	}
	partial := file.Name()
	defer func() { err = errors.Join(err, os.Remove(partial)) }()
	out := sparseWriter{file}
	err = b.Manifest.unpackFile(ctx, filepath.Join(b.Folder, dataName), out.writeChunk, b.newProgress(progress))
	if err == nil {
		err = out.setLength()
	}
	if err := syncAndClose(file, err); err != nil {
		return err
	}
	if err := b.checkSuperblock(partial); err != nil {
		return err
	}
	if err := os.Link(partial, target); err != nil { // Link replaces nothing
		return err
	}
	return syncFolder(folder)
}

// checkSuperblock compares the superblock of a restored data file with the manifest.
func (b Backup) checkSuperblock(path string) error {
	sb, err := vsr.ReadSuperblock(path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	m := b.Manifest
	if sb.ClusterID != uint128.Uint128(m.ClusterID) || sb.Sequence != m.Sequence || sb.CheckpointOp != m.Checkpoint {
		return fmt.Errorf("%w: %s names cluster %v, sequence %d and checkpoint %d, and the data file has cluster %v, sequence %d and checkpoint %d",
			ErrDamaged, filepath.Join(b.Folder, manifestName), m.ClusterID, m.Sequence, m.Checkpoint, sb.ClusterID, sb.Sequence, sb.CheckpointOp)
	}
	return checkUnreplicated(b.Folder, sb)
}
