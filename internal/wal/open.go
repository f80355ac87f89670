package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/gofrs/flock"
)

// Open opens a folder and creates it, with mode 0o700, if it is not there; its parent
// must be. It hands the records of the newest checkpoint to restore, and then those
// of the log behind it, in the order in which they were written, and leaves the log
// ready for more. What it hands over is durable when Open returns a Log; if it
// returns an error instead, what was handed over means nothing.
//
// Errors match ErrLocked, ErrCorrupt (a CorruptError) or ErrVersion (a VersionError), or are
// the file system's, or that of restore with file and offset of the record. restore is called
// by the calling goroutine, and must not keep the data.
func Open(path string, restore func(Record) error) (*Log, Recovery, error) {
	return OpenFormat(path, firstFormat, restore)
}

// Format says which records an owner knows.
type Format struct {
	Of     string // what the records are, for messages: "journal"
	Newest uint32 // the newest format of them, from 1; a new folder gets it
}

var firstFormat = Format{Of: "log", Newest: 1}

// OpenFormat is Open for records that have a format. A folder of a newer one than format says
// is refused.
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
	l, recovery, err := openFormat(osFolder(path), format, restore)
	if err != nil {
		return nil, Recovery{}, errors.Join(err, lock.Unlock())
	}
	l.unlockFolder = lock.Unlock
	return l, recovery, nil
}

// Exists reports whether a folder has a log or a checkpoint, whole or damaged. It opens
// nothing and changes nothing. A folder that is not there has none; other errors are the file
// system's.
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

// openFormat is OpenFormat of a folder that nobody else uses.
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
	go l.runWriter()
	return l, r.result, nil
}
