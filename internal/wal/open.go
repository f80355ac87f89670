package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/gofrs/flock"
)

// Open opens a folder, and creates it with mode 0o700 if it does not exist; its parent must exist.
// Open passes the records of the newest checkpoint to restore, then the records of the log behind
// it, in the order of writing. If Open returns a [Log], all these records are durable; if it
// returns an error, they mean nothing.
//
// Errors match [ErrLocked], [ErrCorrupt] (a [CorruptError]) or [ErrVersion] (a [VersionError]), or
// are the file system's, or the error of restore with file and offset of the record. restore is
// called by the calling goroutine, and must not keep the data.
func Open(path string, restore func(Record) error) (*Log, Recovery, error) {
	return OpenFormat(path, firstFormat, restore)
}

// Format describes the records known to an owner.
type Format struct {
	Name   string // name of the records, for messages: "journal"
	Newest uint32 // their newest format, from 1; used for a new folder
	Oldest uint32 // their oldest format. Default 1
	// Upgrades makes the next checkpoint of a folder with an older format, and the log behind it, of
	// the newest format. The owner then writes a checkpoint in that format. Records of the log are the
	// same in both.
	Upgrades bool
	// Prepare is called with the folder locked, before a file of it is read. So the owner looks at the
	// folder, with [RecordFormat] and [ReadLive], while no other process changes it. An error ends the
	// call. nil does nothing.
	Prepare func() error
}

func (f *Format) prepare() error {
	if f.Prepare == nil {
		return nil
	}
	return f.Prepare()
}

var firstFormat = Format{Name: "log", Newest: 1}

// OpenFormat is [Open] for records with a format. A folder with a newer format, or
// one before Oldest, is refused.
func OpenFormat(path string, format Format, restore func(Record) error) (*Log, Recovery, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, Recovery{}, fmt.Errorf("wal: %w", err)
	}
	if err := makeFolder(path); err != nil {
		return nil, Recovery{}, fmt.Errorf("wal: %w", err)
	}
	lock := flock.New(filepath.Join(path, lockName))
	switch locked, err := lock.TryLock(); {
	case err != nil:
		return nil, Recovery{}, fmt.Errorf("wal: lock: %w", err)
	case !locked:
		return nil, Recovery{}, fmt.Errorf("%w: %s", ErrLocked, path)
	}
	if err := format.prepare(); err != nil {
		return nil, Recovery{}, errors.Join(err, lock.Unlock())
	}
	l, recovery, err := openFormat(osFolder(path), format, restore)
	if err != nil {
		return nil, Recovery{}, errors.Join(err, lock.Unlock())
	}
	l.unlockFolder = lock.Unlock
	return l, recovery, nil
}

// RecordFormat returns the format of the records in a folder: of the newest checkpoint, or of the log
// without a checkpoint. It takes no lock and changes nothing: while another process has the folder open,
// a file may go meanwhile ([Format.Prepare]). Errors match [ErrNoLog], [ErrCorrupt] or [ErrVersion], or
// are the file system's.
func RecordFormat(path string) (uint32, error) {
	f := readOnlyFolder{osFolder(path)}
	found, err := listFolder(f)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(found.segments)+len(found.checkpoints) == 0 {
		return 0, ErrNoLog
	}
	if err != nil {
		return 0, fmt.Errorf("wal: %w", err)
	}
	r := &recovery{folder: f, format: AnyFormat}
	var in *input
	if n := len(found.checkpoints); n > 0 {
		in, err = r.openInput(checkpointPrefix, checkpointMagic, found.checkpoints[n-1])
	} else {
		in, err = r.openInput(segmentPrefix, logMagic, found.segments[0])
	}
	if err != nil {
		return 0, fmt.Errorf("wal: %w", err)
	}
	return in.header.recordFormat + 1, in.file.Close()
}

// Exists reports whether a folder has a log or a checkpoint, whole or damaged. It opens nothing and
// changes nothing. A missing folder has none; other errors are the file system's.
func Exists(path string) (bool, error) {
	found, err := listFolder(osFolder(path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("wal: %w", err)
	default:
		return len(found.segments)+len(found.checkpoints) > 0, nil
	}
}

// openFormat is [OpenFormat] of a locked folder.
func openFormat(f folder, format Format, restore func(Record) error) (*Log, Recovery, error) {
	r := &recovery{folder: f, format: format, restore: restore}
	s, err := r.recoverSegment()
	if err != nil {
		return nil, Recovery{}, fmt.Errorf("wal: open: %w", err)
	}
	l := &Log{
		folder: f, unlockFolder: func() error { return nil }, segment: s,
		wake: make(chan struct{}, 1), stopped: make(chan struct{}),
		appendHeader: s.header, appendSum: s.sum,
		appended: Position(r.nextRecord), synced: Position(r.nextRecord),
		bytesSinceCheckpoint: r.logBytes, checkpointSize: r.checkpointSize,
	}
	if format.Upgrades {
		l.upgradeTo = format.Newest
	}
	go l.runWriter()
	return l, r.result, nil
}
