package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// Content is the result of [Read].
type Content struct {
	// ID is the same in all files of a folder and in copies of it.
	ID [16]byte
	// Records is the number of records in the log since it was made. It never falls.
	Records uint64
	Recovery
}

// AnyFormat is the format for readers of files, and not of records.
var AnyFormat = Format{Name: "log", Newest: math.MaxUint32}

// ErrNoLog is returned if there is no log in a folder, or no folder.
var ErrNoLog = errors.New("wal: no log in this folder")

// Read passes the records of a folder to restore, like [Open], while no [Log] has the folder open.
// Read changes nothing in the folder: a torn end stays, and [Recovery].Torn names the bytes that
// Open would cut.
//
// Errors match [ErrNoLog], [ErrLocked], [ErrCorrupt] (a [CorruptError]) or [ErrVersion] (a
// [VersionError]), or are the file system's, or the error of restore.
func Read(path string, format Format, restore func(Record) error) (c Content, err error) {
	_, release, err := LockFolder(path)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, release()) }()
	if err := format.prepare(); err != nil {
		return c, err
	}
	r := &recovery{folder: readOnlyFolder{osFolder(path)}, format: format, restore: restore}
	last, err := r.readAll()
	if err == nil {
		err = last.file.Close()
	}
	if err = errors.Join(err, r.closeUnsynced()); err != nil {
		return c, fmt.Errorf("wal: read: %w", err)
	}
	return Content{r.folderID, r.nextRecord, r.result}, nil
}

// LockFolder prevents opening a folder until release, and returns the names of the files needed for
// a copy: a copy of all of them is a copy of the folder. Errors match [ErrNoLog] or [ErrLocked], or
// are the file system's.
func LockFolder(path string) (names []string, release func() error, err error) {
	lock := flock.New(filepath.Join(path, lockName), flock.SetFlag(os.O_RDONLY))
	switch locked, err := lock.TryLock(); {
	case errors.Is(err, fs.ErrNotExist): // a copy that was never opened
	case err != nil:
		return nil, nil, fmt.Errorf("wal: lock: %w", err)
	case !locked:
		return nil, nil, fmt.Errorf("%w: %s", ErrLocked, path)
	}
	if names, err = Names(path); err == nil && len(names) == 0 {
		err = fmt.Errorf("%w: %s", ErrNoLog, path)
	}
	if err != nil {
		return nil, nil, errors.Join(err, lock.Close())
	}
	return names, lock.Close, nil
}

// Names returns the names of the files of the log in a folder; none if there is no folder.
func Names(path string) (names []string, err error) {
	found, err := listFolder(osFolder(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("wal: %w", err)
	}
	for _, number := range found.segments {
		names = append(names, fileName(segmentPrefix, number))
	}
	for _, number := range found.checkpoints {
		names = append(names, fileName(checkpointPrefix, number))
	}
	return names, nil
}

// readOnlyFolder is a folder without write permission, as on a snapshot.
type readOnlyFolder struct{ osFolder }

func (d readOnlyFolder) openFile(name string) (file, error) {
	f, err := os.Open(d.fullPath(name))
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}
