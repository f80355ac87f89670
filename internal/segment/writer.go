package segment

import (
	"github.com/peerledger/peerledger/internal/sealed"
)

// Writer writes a segment. One goroutine uses it.
type Writer struct{}

// Create begins the segment of the rows from a position on. rows is the expected number of rows; any
// number is fine. The file has its name after [Writer.Finish] only. An uncommitted segment of an
// earlier attempt with the same first position is replaced.
func Create(folder sealed.Folder, first uint32, rows int) (*Writer, error) { panic("to do") }

// AppendRow adds the next row. Timestamps ascend. It does not keep the pointer. An error is the file system's, and
// comes from Finish again.
func (w *Writer) AppendRow(r *Row) error { panic("to do") }

// AddStart adds the start of an account, in any order; each account once.
func (w *Writer) AddStart(s Start) { panic("to do") }

// AddExpiry adds an expiry. Timestamps ascend.
func (w *Writer) AddExpiry(e Expiry) { panic("to do") }

// AddLateEnd adds the end of a hold of an older segment, in any order; each hold once.
func (w *Writer) AddLateEnd(e LateEnd) { panic("to do") }

// Finish writes the rest, syncs the file, gives it its name, and syncs the folder. A segment may
// have no rows.
func (w *Writer) Finish() (Entry, error) { panic("to do") }

// Discard gives up an unfinished segment and removes its file. After Finish it does nothing, so it
// can be deferred.
func (w *Writer) Discard() { panic("to do") }
