package sealed

import (
	"errors"
	"fmt"
)

// ErrCorrupt is returned when a file does not have the content written to it. A [CorruptError]
// names file and offset.
var ErrCorrupt = errors.New("sealed: corrupt")

// CorruptError names a damaged file. It matches [ErrCorrupt].
type CorruptError struct {
	File   string // the path
	Offset int64  // in bytes from the start of the file: the start of the damaged block
	Reason string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("sealed: %s is corrupt at byte %d: %s", e.File, e.Offset, e.Reason)
}

// Is reports whether target is [ErrCorrupt].
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }
