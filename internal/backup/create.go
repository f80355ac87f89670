package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/peerledger/peerledger/internal/vsr"
	"github.com/peerledger/peerledger/ledger"
)

// Options say what to back up, and how.
type Options struct {
	File   string // the data file
	Folder string // where backups are kept; made if it is not there
	// Stop stops the server before the copy, and Start starts it again afterwards, whatever
	// happened in between, also when ctx has ended. Stop is not cut short by the end of ctx:
	// what is half stopped would stop after Start. It has two minutes, and Start has one.
	// Default neither: the server is stopped already. Both or none.
	Stop, Start func(context.Context) error
	// Snapshot notes that File is in an atomic snapshot of its file system, whose server may
	// run with the original. A file that a server holds is the original, and refused.
	Snapshot bool
	// Totals reads the totals of the running server just before it is stopped, for Verify to
	// compare with. Default they are not noted.
	Totals func(context.Context) (Totals, error)
	// Keep and KeepFor say which backups of the same ledger are kept afterwards: the newest
	// Keep ones, and all that are younger than KeepFor. All are, if both are 0. The newest is
	// kept always, and what is damaged is not touched. Ages are reckoned from the oldest of the
	// newest Keep backups, of two at least: so a clock that is ahead for fewer nights than that
	// removes nothing that is younger.
	Keep    int
	KeepFor time.Duration
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Progress is told how many bytes of the data file are copied, and then checked, of how
	// many. Default nobody is.
	Progress func(what string, done, all int64)

	step func(name string) error // between two steps, for tests
}

// lockFor is how long to wait for the lock of the data file: that of a server that was
// killed lingers for a moment.
const lockFor = 2 * time.Second

// How long the server gets to be stopped, and to be started again.
const (
	stopWithin  = 2 * time.Minute
	startWithin = time.Minute
)

// Create makes a backup. It is there, whole and read back, when Create returns it; with an
// error there is none, and the earlier ones are as they were, but that an error of the
// retention or of Start may come with a backup. Another Create in the same folder is
// refused (ErrBusy).
//
// Errors: ErrReplicated, ErrInUse, ErrBusy, vsr.ErrNotDataFile, those of Stop, Start and
// Totals, and those of the files.
func Create(ctx context.Context, o Options) (Backup, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.step == nil {
		o.step = func(string) error { return nil }
	}
	before, err := lookAt(o.File)
	if err != nil {
		return Backup{}, err
	}
	if err := os.MkdirAll(o.Folder, 0o700); err != nil {
		return Backup{}, err
	}
	unlock, err := lockFolder(o.Folder, ".lock")
	if err != nil {
		return Backup{}, err
	}
	defer unlock()
	if err := clean(o.Folder, partialPrefix, removedPrefix); err != nil {
		return Backup{}, err
	}
	b, err := o.make(ctx, before)
	if b.Folder == "" {
		return b, err
	}
	return b, errors.Join(err, o.retain(b))
}

// lockFolder takes a lock in a folder of backups; it ends with the process at the latest.
func lockFolder(folder, name string) (unlock func(), err error) {
	lock := flock.New(filepath.Join(folder, name))
	switch mine, err := lock.TryLock(); {
	case err != nil:
		return nil, err
	case !mine:
		return nil, fmt.Errorf("%w: %s", ErrBusy, folder)
	}
	return func() { _ = lock.Close() }, nil
}

// lookAt reads the superblock of a data file that may be backed up.
func lookAt(path string) (vsr.Superblock, error) {
	sb, err := vsr.ReadSuperblock(path)
	if err != nil {
		return sb, fmt.Errorf("backup: %w", err)
	}
	return sb, refuse(path, sb)
}

// refuse refuses files that are not to be backed up.
func refuse(path string, sb vsr.Superblock) error {
	if sb.ReplicaCount != 1 {
		return replicated(path, sb.ReplicaCount)
	}
	return nil
}

// make makes the backup. Its Folder is "" if there is none.
func (o Options) make(ctx context.Context, before vsr.Superblock) (b Backup, err error) {
	partial, err := os.MkdirTemp(o.Folder, partialPrefix)
	if err != nil {
		return b, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(partial)) }() // it is not there if all went well
	m, startErr, err := o.copy(ctx, partial, before)
	if err == nil {
		m.Number = o.nextNumber(m.Source())
		err = o.complete(ctx, partial, m)
	}
	if err != nil {
		return b, errors.Join(err, startErr)
	}
	final := filepath.Join(o.Folder, m.name())
	if _, err := os.Lstat(final); err == nil {
		return b, errors.Join(fmt.Errorf("backup: %s is there already: is the clock right?", final), startErr)
	}
	if err := os.Rename(partial, final); err != nil {
		return b, errors.Join(err, startErr)
	}
	b = Backup{Folder: final, Manifest: m}
	return b, errors.Join(o.step("renamed"), syncFolder(o.Folder), startErr)
}

// copy copies the data file, with the server stopped. startErr is what went wrong with
// starting the server again.
func (o Options) copy(ctx context.Context, partial string, before vsr.Superblock) (m Manifest, startErr, err error) {
	if o.Totals != nil {
		if m.Totals, err = o.Totals(ctx); err != nil {
			return m, nil, err
		}
	}
	if o.Stop != nil {
		defer func() {
			// The server must run again whoever has lost patience.
			if startErr = within(ctx, startWithin, o.Start); startErr != nil {
				startErr = fmt.Errorf("backup: the server was NOT started again: %w", startErr)
			}
		}()
		if err := errors.Join(within(ctx, stopWithin, o.Stop), o.step("stopped"), context.Cause(ctx)); err != nil {
			return m, nil, err
		}
	}
	file, release, err := hold(ctx, o.File) // also of a snapshot: if a server holds it, it is none
	if err != nil {
		return m, nil, err
	}
	defer release() // before the server is started
	sb, err := sameFile(file, before)
	if err != nil {
		return m, nil, err
	}
	m, err = o.copyHeld(ctx, partial, file, sb, m.Totals)
	return m, nil, err
}

// sameFile reads the superblock once more, now that nobody writes. By now the path may lead to
// another file than before the server was stopped.
func sameFile(file *os.File, before vsr.Superblock) (vsr.Superblock, error) {
	sb, err := vsr.ReadSuperblockOf(file)
	if err != nil {
		return sb, fmt.Errorf("backup: %w", err)
	}
	switch err := refuse(file.Name(), sb); {
	case err != nil:
		return sb, err
	case !sb.ClusterID.Equals(before.ClusterID):
		return sb, fmt.Errorf("%w: %s is of cluster %v now, and was of %v before the server was stopped", ErrOtherCluster, file.Name(), sb.ClusterID, before.ClusterID)
	case sb.Sequence < before.Sequence:
		return sb, fmt.Errorf("backup: %s is an older file than before the server was stopped: its sequence is %d, and was %d", file.Name(), sb.Sequence, before.Sequence)
	}
	return sb, nil
}

// within does something for at most so long, whether or not ctx has ended.
func within(ctx context.Context, most time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), most)
	defer cancel()
	return do(ctx)
}

// hold opens a data file and takes the lock that a server takes on it, so that none is started
// meanwhile, until release.
func hold(ctx context.Context, path string) (file *os.File, release func(), err error) {
	if file, err = os.Open(path); err != nil {
		return nil, nil, err
	}
	lock := flock.New(path, flock.SetFlag(os.O_RDONLY), flock.SetPermissions(0o600))
	release = func() { _, _ = lock.Close(), file.Close() } // it was only read
	ctx, cancel := context.WithTimeout(ctx, lockFor)
	defer cancel()
	if mine, err := lock.TryLockContext(ctx, 20*time.Millisecond); err != nil || !mine {
		release()
		return nil, nil, fmt.Errorf("%w: %s: a server runs with it: stop it first, or say how to (--stop, --start); a file in a snapshot is held by nobody", ErrInUse, path)
	}
	// The lock has opened the path once more.
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

// copyHeld copies a file that nobody writes.
func (o Options) copyHeld(ctx context.Context, partial string, from *os.File, sb vsr.Superblock, totals Totals) (m Manifest, err error) {
	info, err := from.Stat()
	if err != nil {
		return m, err
	}
	to, err := os.OpenFile(filepath.Join(partial, dataName), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return m, err
	}
	archive, err := pack(ctx, from, to, o.moved("copying", info.Size()))
	if err = cmp.Or(finish(to, err), o.step("copied")); err != nil {
		return m, err
	}
	return Manifest{
		Format: formatNow, Archive: archive, ClusterID: ledger.Amount(sb.ClusterID), Taken: o.Now().UTC().Truncate(time.Millisecond), File: filepath.Base(o.File),
		Release: sb.Release.String(), Sequence: sb.Sequence, Checkpoint: sb.CheckpointOp,
		Snapshot: o.Snapshot, Totals: totals,
	}, nil
}

func (o Options) moved(what string, all int64) func(int64) {
	if o.Progress == nil {
		return nil
	}
	return func(done int64) { o.Progress(what, done, all) }
}

// complete writes the manifest and reads all of the backup back.
func (o Options) complete(ctx context.Context, partial string, m Manifest) error {
	if err := errors.Join(writeManifest(partial, m), o.step("described"), syncFolder(partial)); err != nil {
		return err
	}
	b, err := Open(partial)
	if err != nil {
		return err
	}
	return errors.Join(b.doubt, b.Manifest.unpack(ctx, filepath.Join(partial, dataName), nil, o.moved("checking", m.Size)), o.step("checked"))
}
