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

// Content is what Read found in a folder.
type Content struct {
	// ID is the folder's, the same in all its files and in copies of it.
	ID [16]byte
	// Records is how many records its log has had since it was made. It never falls.
	Records uint64
	Recovery
}

// AnyFormat is for whoever looks at files, and not at records.
var AnyFormat = Format{Of: "log", Newest: math.MaxUint32}

// ErrNoLog says that there is no log in a folder, or no folder.
var ErrNoLog = errors.New("wal: no log in this folder")

// Read hands over the records of a folder that no Log has open, as Open does, and changes
// nothing in it: what a crash has left at the end stays, and Torn says what Open would cut.
//
// Errors match ErrNoLog, ErrLocked, ErrCorrupt (a CorruptError) or ErrVersion (a VersionError),
// or are the file system's, or that of restore.
func Read(path string, format Format, restore func(Record) error) (c Content, err error) {
	_, release, err := LockFolder(path)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, release()) }()
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

// LockFolder keeps everybody from opening a folder until release, and returns the names of the files
// that a copy needs: that of all of them is the folder as it is. Errors match ErrNoLog or
// ErrLocked, or are the file system's.
func LockFolder(path string) (names []string, release func() error, err error) {
	lock := flock.New(filepath.Join(path, lockName), flock.SetFlag(os.O_RDONLY))
	switch locked, err := lock.TryLock(); {
	case errors.Is(err, fs.ErrNotExist): // a copy, which nobody has opened yet
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

// Names are the names of the files in a folder that are a log's; none if there is no folder.
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

// readOnlyFolder is a folder in which nothing can be written, as on a snapshot.
type readOnlyFolder struct{ osFolder }

func (d readOnlyFolder) openFile(name string) (file, error) {
	f, err := os.Open(d.fullPath(name))
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}
