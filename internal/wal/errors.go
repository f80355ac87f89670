package wal

import (
	"errors"
	"fmt"
)

var (
	// ErrCorrupt says that a file is not what was written to it. A CorruptError
	// names file and offset.
	ErrCorrupt = errors.New("wal: corrupt")
	// ErrVersion says that a file was written by a newer program, in a format that this
	// one does not know. A VersionError says which.
	ErrVersion = errors.New("wal: unknown format version")
	// ErrLocked says that the folder is open already, in this process or in another
	// one.
	ErrLocked = errors.New("wal: folder is in use")
	// ErrFailed says that the log could not be written. It comes with the cause. Of
	// what was appended and not reported as synced nobody knows whether it is on
	// disk; the next Open tells.
	ErrFailed = errors.New("wal: log failed")
	// ErrClosed says that the Log was closed before, or that the Checkpoint was
	// committed or discarded.
	ErrClosed = errors.New("wal: closed")
)

// CorruptError is where a file is not what was written to it. It matches ErrCorrupt.
type CorruptError struct {
	// File is the file with its folder. It does not exist if that is the damage.
	File string
	// Offset is in bytes from the start of the file: of the header, or of the frame
	// that is damaged, or of the end of a file that is too short.
	Offset int64
	Reason string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("wal: %s is corrupt at byte %d: %s", e.File, e.Offset, e.Reason)
}

// Is reports whether target is ErrCorrupt.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// VersionError is a file of a format that this program does not know. It matches ErrVersion.
type VersionError struct {
	File string // with its folder
	// Of is what has the format: Format.Of, or the files that it is in.
	Of            string
	Format, Reads uint32 // the file's, and the newest one that is known
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("wal: %s: %s of format %d, this program reads up to %d", e.File, e.Of, e.Format, e.Reads)
}

// Is reports whether target is ErrVersion.
func (e *VersionError) Is(target error) bool { return target == ErrVersion }
