package segment

import (
	"context"
	"iter"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/sealed"
)

// Segment is an open segment. Any number of goroutines may read it until Close. Every error of a
// read is the file system's, or a [sealed.CorruptError].
type Segment struct{}

// Open opens the segment of an entry, and checks the file's header, footer and size.
func Open(folder sealed.Folder, e Entry) (*Segment, error) { panic("to do") }

// RemoveUnnamed removes the segments in the folder that no entry names, and unfinished ones.
func RemoveUnnamed(folder sealed.Folder, entries []Entry) error { panic("to do") }

// FileName returns the name of the entry's file in the folder.
func (e Entry) FileName() string { panic("to do") }

// Entry returns the entry of the manifest.
func (s *Segment) Entry() Entry { panic("to do") }

// ReadRow reads the row at a position of the segment.
func (s *Segment) ReadRow(pos uint32, to *Row) error { panic("to do") }

// ReadRows reads the rows from a position on into the slice. All must be in the segment.
func (s *Segment) ReadRows(first uint32, to []Row) error { panic("to do") }

// FirstFrom returns the position of the first row at or after a timestamp; the segment's end if
// there is none.
func (s *Segment) FirstFrom(timestamp uint64) (uint32, error) { panic("to do") }

// ReadStarts returns all starts, in ascending order of accounts.
func (s *Segment) ReadStarts() ([]Start, error) { panic("to do") }

// FindStart returns the start of an account. ok is false if no event of the segment touched the
// account.
func (s *Segment) FindStart(account uint32) (start Start, ok bool, err error) { panic("to do") }

// ReadExpiries returns all expiries in the order of time.
func (s *Segment) ReadExpiries() ([]Expiry, error) { panic("to do") }

// ReadLateEnds returns all late ends, in ascending order of holds.
func (s *Segment) ReadLateEnds() ([]LateEnd, error) { panic("to do") }

// FindRows returns the list of the rows with a value in a field. The list may have other rows too:
// the caller compares each row. No list has the rows with a zero value.
func (s *Segment) FindRows(field Field, value uint128.Uint128) (List, error) { panic("to do") }

// VerifyFile reads and checks every byte of the file.
func (s *Segment) VerifyFile(ctx context.Context) error { panic("to do") }

// Close closes the file.
func (s *Segment) Close() error { panic("to do") }

// List is an ascending list of rows. The zero value is empty.
type List struct{}

// Len returns the number of rows; no file is read.
func (l List) Len() int { panic("to do") }

// Positions returns the positions of the list from first to end-1, in ascending order, or descending
// if reversed. After an error the sequence ends. The file is read a block at a time, so that a caller
// may stop early.
func (l List) Positions(first, end uint32, reversed bool) iter.Seq2[uint32, error] { panic("to do") }
