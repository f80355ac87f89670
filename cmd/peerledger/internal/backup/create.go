package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/peerledger/peerledger/internal/vsr"
	"github.com/peerledger/peerledger/internal/wal"
)

// Options say what to back up, and how.
type Options struct {
	File    string // the data file; "" is none
	Ledger  string // the folder of an embedded ledger instead; "" is none
	Journal string // the folder of the recorder's journal, with a ledger or alone; "" is none
	Folder  string // where backups are kept; made if it is not there
	// Stop stops the server, or whoever has the folders open, before the copy, and Start starts it again afterwards, whatever
	// happened in between, also when ctx has ended. Stop is not cut short by the end of ctx:
	// what is half stopped would stop after Start. It has two minutes, and Start has one.
	// Default neither: the server is stopped already. Both or none.
	Stop, Start func(context.Context) error
	// Snapshot notes that what is copied is in an atomic snapshot of its file system, whose
	// server may run with the original. A file that a server holds is the original, and refused.
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

	onStep func(name string) error // between two steps, for tests
}

// How long the server gets to be stopped, and to be started again.
const (
	stopTimeout  = 2 * time.Minute
	startTimeout = time.Minute
)

// Create makes a backup. It is there, whole and read back, when Create returns it; with an
// error there is none, and the earlier ones are as they were, but that an error of the
// retention or of Start may come with a backup. Another Create in the same folder is
// refused (ErrBusy).
//
// Errors: ErrReplicated, ErrInUse, ErrBusy, vsr.ErrNotDataFile, those of Stop, Start and
// Totals, those of opening the copies of folders, and those of the files.
func Create(ctx context.Context, o Options) (Backup, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.onStep == nil {
		o.onStep = func(string) error { return nil }
	}
	before, err := o.checkSources()
	if err != nil {
		return Backup{}, err
	}
	if err := os.MkdirAll(o.Folder, 0o700); err != nil {
		return Backup{}, err
	}
	unlock, err := takeLock(o.Folder, ".lock")
	if err != nil {
		return Backup{}, err
	}
	defer unlock()
	if err := removeLeftovers(o.Folder, partialPrefix, removedPrefix); err != nil {
		return Backup{}, err
	}
	b, err := o.makeBackup(ctx, before)
	if b.Folder == "" {
		return b, err
	}
	return b, errors.Join(err, o.removeOldBackups(b))
}

// takeLock takes a lock in a folder of backups; it ends with the process at the latest.
func takeLock(folder, name string) (unlock func(), err error) {
	lock := flock.New(filepath.Join(folder, name))
	switch locked, err := lock.TryLock(); {
	case err != nil:
		return nil, err
	case !locked:
		return nil, fmt.Errorf("%w: %s", ErrBusy, folder)
	}
	return func() { _ = lock.Close() }, nil
}

// checkSources refuses what is not to be backed up, before anything is stopped for it, and reads the
// superblock of the data file.
func (o Options) checkSources() (sb vsr.Superblock, err error) {
	if (o.File != "") == (o.Ledger != "") && (o.File != "" || o.Journal == "") {
		return sb, errors.New("backup: name a data file, or the folder of a ledger, or a journal")
	}
	for _, folder := range []string{o.Ledger, o.Journal} {
		if folder == "" {
			continue
		}
		names, err := wal.Names(folder)
		if err == nil && len(names) == 0 {
			err = fmt.Errorf("%w: %s", wal.ErrNoLog, folder)
		}
		if err != nil {
			return sb, fmt.Errorf("backup: %w", err)
		}
	}
	if o.File == "" {
		return sb, nil
	}
	if sb, err = vsr.ReadSuperblock(o.File); err != nil {
		return sb, fmt.Errorf("backup: %w", err)
	}
	return sb, checkUnreplicated(o.File, sb)
}

// makeBackup makes the backup. Its Folder is "" if there is none.
func (o Options) makeBackup(ctx context.Context, before vsr.Superblock) (b Backup, err error) {
	partial, err := os.MkdirTemp(o.Folder, partialPrefix)
	if err != nil {
		return b, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(partial)) }() // it is not there if all went well
	m, startErr, err := o.copySources(ctx, partial, before)
	if err == nil {
		err = describeFolders(ctx, partial, &m)
	}
	if err == nil {
		m.Number = o.nextNumber(m.Source())
		err = o.completeBackup(ctx, partial, m)
	}
	if err != nil {
		return b, errors.Join(err, startErr)
	}
	final := filepath.Join(o.Folder, m.folderName())
	if _, err := os.Lstat(final); err == nil {
		return b, errors.Join(fmt.Errorf("backup: %s is there already: is the clock right?", final), startErr)
	}
	if err := os.Rename(partial, final); err != nil {
		return b, errors.Join(err, startErr)
	}
	b = Backup{Folder: final, Manifest: m}
	return b, errors.Join(o.onStep("renamed"), syncFolder(o.Folder), startErr)
}

// copySources copies everything, with the server stopped. startErr is what went wrong with starting
// the server again.
func (o Options) copySources(ctx context.Context, partial string, before vsr.Superblock) (m Manifest, startErr, err error) {
	if o.Totals != nil {
		if m.Totals, err = o.Totals(ctx); err != nil {
			return m, nil, err
		}
	}
	if o.Stop != nil {
		defer func() {
			// The server must run again whoever has lost patience.
			if startErr = callWithTimeout(ctx, startTimeout, o.Start); startErr != nil {
				startErr = fmt.Errorf("backup: the server was NOT started again: %w", startErr)
			}
		}()
		if err := errors.Join(callWithTimeout(ctx, stopTimeout, o.Stop), o.onStep("stopped"), context.Cause(ctx)); err != nil {
			return m, nil, err
		}
	}
	err = o.copyLocked(ctx, partial, before, &m)
	m.Format, m.Taken, m.Snapshot = currentFormat, o.Now().UTC().Truncate(time.Millisecond), o.Snapshot
	return m, nil, err
}

// copyLocked holds all there is, so that it is of one moment, and copies it. All is let go
// before the server is started.
func (o Options) copyLocked(ctx context.Context, partial string, before vsr.Superblock, m *Manifest) (err error) {
	var folders [2]lockedFolder
	for i, path := range []string{o.Ledger, o.Journal} {
		if path == "" {
			continue
		}
		if folders[i], err = lockSource(path); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, folders[i].release()) }()
	}
	if o.File != "" {
		if err := o.copyDataFile(ctx, partial, before, m); err != nil {
			return err
		}
	}
	if o.Ledger != "" {
		if m.Ledger, err = folders[0].packFolder(ctx, filepath.Join(partial, ledgerName)); err != nil {
			return err
		}
	}
	if o.Journal != "" {
		packed, err := folders[1].packFolder(ctx, filepath.Join(partial, journalName))
		if err != nil {
			return err
		}
		m.Journal = &JournalFolder{Folder: *packed}
	}
	return o.onStep("copied")
}

// callWithTimeout does something for at most so long, whether or not ctx has ended.
func callWithTimeout(ctx context.Context, timeout time.Duration, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	return call(ctx)
}

func (o Options) newProgress(phase string, total int64) func(int64) {
	if o.Progress == nil {
		return nil
	}
	return func(done int64) { o.Progress(phase, done, total) }
}

// describeFolders opens the copies of the folders, and notes what is in them.
func describeFolders(ctx context.Context, partial string, m *Manifest) error {
	if m.Ledger != nil {
		err := m.Ledger.describeArchive(ctx, filepath.Join(partial, ledgerName), func(folder string) (err error) {
			m.Totals, err = readLedger(ctx, folder)
			return err
		})
		if err != nil {
			return err
		}
		m.Sequence = m.Ledger.Records
	}
	if m.Journal != nil {
		err := m.Journal.describeArchive(ctx, filepath.Join(partial, journalName), func(folder string) (err error) {
			m.Journal.Journal, err = readJournal(folder)
			return err
		})
		if err != nil {
			return err
		}
		if m.File == "" && m.Ledger == nil {
			m.Sequence = m.Journal.Records
		}
	}
	return nil
}

// completeBackup writes the manifest and reads all of the backup back.
func (o Options) completeBackup(ctx context.Context, partial string, m Manifest) error {
	if err := errors.Join(writeManifest(partial, m), o.onStep("described"), syncFolder(partial)); err != nil {
		return err
	}
	b, err := Open(partial)
	if err != nil {
		return err
	}
	return errors.Join(b.doubt, b.checkArchives(ctx, o.newProgress("checking", m.Size)), o.onStep("checked"))
}
