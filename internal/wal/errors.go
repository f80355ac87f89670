package wal

import (
	"errors"
	"fmt"
)

var (
	// ErrCorrupt is returned when a file does not have the content written to it. A [CorruptError]
	// names file and offset.
	ErrCorrupt = errors.New("wal: corrupt")
	// ErrVersion is returned for a file in an unknown format, written by a newer program, or by one so
	// old that its format is no longer read. A [VersionError] names the format.
	ErrVersion = errors.New("wal: unknown format version")
	// ErrLocked is returned when the folder is open already, in this or another process.
	ErrLocked = errors.New("wal: folder is in use")
	// ErrFailed is returned, with the cause, when the log could not be written. Whether a record
	// that was appended and not reported as synced is on disk is unknown until the next [Open].
	ErrFailed = errors.New("wal: log failed")
	// ErrClosed is returned after the [Log] was closed, or after the [Checkpoint] was committed or
	// discarded.
	ErrClosed = errors.New("wal: closed")
)

// CorruptError names a damaged file. It matches [ErrCorrupt].
type CorruptError struct {
	// File is the path. The file does not exist if it is missing from the log.
	File string
	// Offset is in bytes from the start of the file: 0 for the header, the start of a damaged
	// frame, or the end of a file that is too short.
	Offset int64
	Reason string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("wal: %s is corrupt at byte %d: %s", e.File, e.Offset, e.Reason)
}

// Is reports whether target is [ErrCorrupt].
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// VersionError names a file of an unknown format. It matches [ErrVersion].
type VersionError struct {
	File string // the path
	// Content names the content with the format: [Format.Name], or "file" for the format of the files.
	Content       string
	Format, Reads uint32 // the file's, and the newest known format
	Oldest        uint32 // the oldest known format; 0 if all older formats are known
}

func (e *VersionError) Error() string {
	if e.Format < e.Oldest {
		return fmt.Sprintf("wal: %s: %s of format %d, this program reads %d to %d", e.File, e.Content, e.Format, e.Oldest, e.Reads)
	}
	return fmt.Sprintf("wal: %s: %s of format %d, this program reads up to %d", e.File, e.Content, e.Format, e.Reads)
}

// Is reports whether target is [ErrVersion].
func (e *VersionError) Is(target error) bool { return target == ErrVersion }
