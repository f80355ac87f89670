package sealed

import (
	"errors"
	"fmt"
)

var (
	// ErrCorrupt is returned when a file does not have the content written to it. A [CorruptError]
	// names file and offset.
	ErrCorrupt = errors.New("sealed: corrupt")
	// ErrVersion is returned for a file of a newer program.
	ErrVersion = errors.New("sealed: unknown format version")
)

// CorruptError names a damaged file. It matches [ErrCorrupt].
type CorruptError struct {
	// File is the path. The file may be missing.
	File string
	// Offset is in bytes from the start of the file: the start of the damaged block, or 0 for the
	// header and for a file of a wrong size.
	Offset int64
	Reason string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("sealed: %s is corrupt at byte %d: %s", e.File, e.Offset, e.Reason)
}

// Is reports whether target is [ErrCorrupt].
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }
