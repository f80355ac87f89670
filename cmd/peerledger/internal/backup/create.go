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

// Options are the sources of a backup, its target, and how to stop the writers.
type Options struct {
	File string // the data file; "" is none
	// Ledger is the folder of an embedded ledger instead; "" is none. Journal is the folder of a
	// recorder's journal, also without a ledger; "" is none. Without File and without Stop, programs may
	// have both open. Then the backup has the operations that the ledger has answered before, and each
	// fulfill that was on disk before is in the ledger or in the journal.
	Ledger, Journal string
	Folder          string // the folder of the backups; created if missing
	// Stop stops the server or the connector before the copy. Start starts it again afterwards, in
	// every case, also after ctx has ended. The end of ctx does not interrupt Stop: a half-stopped
	// server would stop after Start. Stop has two minutes, Start one. Set both, or neither if the
	// writers are already stopped.
	Stop, Start func(context.Context) error
	// Snapshot is set if the sources are in an atomic snapshot of their file system; the server may
	// then run with the original. A file held by a server is the original, and is refused.
	Snapshot bool
	// Totals reads the totals of the running server just before Stop, for [Backup.Verify]. Default:
	// no totals are recorded.
	Totals func(context.Context) (Totals, error)
	// Keep and KeepFor select which backups of the same ledger are kept: the newest Keep backups,
	// and all younger than KeepFor. If both are 0, all are kept. The newest backup is always kept,
	// and damaged ones are never removed. Age is counted from the oldest of the newest Keep
	// backups, of two at least: a clock that is ahead for fewer nights than that removes no younger
	// backup.
	Keep    int
	KeepFor time.Duration
	// Now is the clock. Default: time.Now.
	Now func() time.Time
	// Progress is called with the bytes done of the data file, while copying and while checking.
	// May be nil.
	Progress func(what string, done, all int64)

	onStep func(name string) error // called between two steps, for tests
}

// The time limits of Options.Stop and Options.Start.
const (
	stopTimeout  = 2 * time.Minute
	startTimeout = time.Minute
)

// Create makes a backup, reads it back and returns it. With an error there is no new backup and the
// earlier ones are unchanged, with one exception: an error of Start or of removing old backups may
// come with a complete backup.
//
// Errors: [ErrReplicated], [ErrInUse], [ErrBusy], vsr.ErrNotDataFile, errors of Stop, Start and
// Totals, of opening the copies of folders, and of the files.
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

// takeLock takes a file lock in a folder of backups, or returns [ErrBusy]. The end of the process
// releases the lock.
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

// checkSources refuses unsuitable sources before anything is stopped. It returns the superblock of
// the data file.
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

// makeBackup makes the backup. An empty Folder in the result means that there is none.
func (o Options) makeBackup(ctx context.Context, before vsr.Superblock) (b Backup, err error) {
	partial, err := os.MkdirTemp(o.Folder, partialPrefix)
	if err != nil {
		return b, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(partial)) }() // no effect after the rename
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
		return b, errors.Join(fmt.Errorf("backup: %s already exists: is the clock right?", final), startErr)
	}
	if err := os.Rename(partial, final); err != nil {
		return b, errors.Join(err, startErr)
	}
	b = Backup{Folder: final, Manifest: m}
	return b, errors.Join(o.onStep("renamed"), syncFolder(o.Folder), startErr)
}

// copySources stops the server, copies all sources, and starts the server again. startErr is the
// error of Start.
func (o Options) copySources(ctx context.Context, partial string, before vsr.Superblock) (m Manifest, startErr, err error) {
	if o.Totals != nil {
		if m.Totals, err = o.Totals(ctx); err != nil {
			return m, nil, err
		}
	}
	if o.Stop != nil {
		defer func() {
			// The server must run again, even if ctx has ended.
			if startErr = callWithTimeout(ctx, startTimeout, o.Start); startErr != nil {
				startErr = fmt.Errorf("backup: the server was NOT started again: %w", startErr)
			}
		}()
		if err := errors.Join(callWithTimeout(ctx, stopTimeout, o.Stop), o.onStep("stopped"), context.Cause(ctx)); err != nil {
			return m, nil, err
		}
	}
	// The time is read before the copy: of a ledger in use, the copy has all that was answered before.
	m.Format, m.Taken, m.Snapshot = roundsFormat-1, o.Now().UTC().Truncate(time.Millisecond), o.Snapshot
	err = o.copyLocked(ctx, partial, before, &m)
	return m, nil, err
}

// copyLocked locks all sources at once, so that the copies belong to one moment, copies them, and
// unlocks them before the server is started. Folders that a program has open are copied live.
func (o Options) copyLocked(ctx context.Context, partial string, before vsr.Superblock, m *Manifest) (err error) {
	ledger, err := o.lockFolder(o.Ledger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ledger.close()) }()
	journal, err := o.lockFolder(o.Journal)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, journal.close()) }()
	if err := o.openRunning(ctx, ledger, journal); err != nil {
		return err
	}
	if o.File != "" {
		if err := o.copyDataFile(ctx, partial, before, m); err != nil {
			return err
		}
	}
	if o.Ledger != "" {
		if m.Ledger, err = ledger.pack(ctx, filepath.Join(partial, ledgerName)); err != nil {
			return err
		}
	}
	if o.Journal != "" {
		packed, err := journal.pack(ctx, filepath.Join(partial, journalName))
		if err != nil {
			return err
		}
		m.Journal = &JournalFolder{Folder: *packed}
	}
	return o.onStep("copied")
}

// callWithTimeout calls a function with a timeout that is independent of the end of ctx.
func callWithTimeout(ctx context.Context, timeout time.Duration, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	return call(ctx)
}

// newProgress returns a function that reports the bytes done of a phase; nil without Progress.
func (o Options) newProgress(phase string, total int64) func(int64) {
	if o.Progress == nil {
		return nil
	}
	return func(done int64) { o.Progress(phase, done, total) }
}

// describeFolders opens the copies of the folders and records their content in the manifest.
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
		if m.Journal.Rounds {
			m.Format = roundsFormat
		}
		if m.File == "" && m.Ledger == nil {
			m.Sequence = m.Journal.Records
		}
	}
	return nil
}

// completeBackup writes the manifest and reads the whole backup back.
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
