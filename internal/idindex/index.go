package idindex

import (
	"context"

	"github.com/peerledger/peerledger/internal/sealed"
	"github.com/peerledger/peerledger/ledger"
)

// Kind is the kind of an entry.
type Kind uint8

// The kinds.
const (
	KindTransfer Kind = iota // a transfer, at the position
	KindBurnt                // a burnt id, without position
	KindPosted               // the hold with the id, at the position, was posted
	KindVoided               // the hold was voided
	KindExpired              // the hold expired
)

// Entry is an entry of an id. Position is the position of the transfer or the hold; 0 for a burnt id.
type Entry struct {
	Kind     Kind
	Position uint32
}

// Options configure an [Index].
type Options struct {
	// MergeBytesPerSecond bounds the bytes that merges read and write in a second. 0: 256 MiB.
	MergeBytesPerSecond int64
}

// Index finds the entries of ids. Any number of goroutines may look up ids. Seals are one at a time.
type Index struct{}

// New returns an empty index, with a random seed. The caller calls Close.
func New(folder sealed.Folder, options Options) *Index { panic("to do") }

// Open opens the index of a manifest. The caller calls Close.
func Open(folder sealed.Folder, manifest []byte, options Options) (*Index, error) { panic("to do") }

// OpenToRead is Open without merges: nothing in the folder changes.
func OpenToRead(folder sealed.Folder, manifest []byte) (*Index, error) { panic("to do") }

// RemoveUnnamed removes the runs in the folder that the manifest does not name, and unfinished ones. No index is
// open in the folder. An empty manifest names no run.
func RemoveUnnamed(folder sealed.Folder, manifest []byte) error { panic("to do") }

// FileNames returns the names of the files of a manifest.
func FileNames(manifest []byte) ([]string, error) { panic("to do") }

// Manifest returns the manifest of the committed runs.
func (x *Index) Manifest() []byte { panic("to do") }

// MayHave sets may[i] to whether the index may have an entry of ids[i]. False is certain. True is
// wrong for a few ids in a thousand. Both slices have the same length. A whole request in one call is
// several times as fast as one call for each id.
func (x *Index) MayHave(ids []ledger.ID, may []bool) error { panic("to do") }

// FindEntries appends the entries of an id to a slice. Entries of another id with the same 61 bits of hash are among
// them, which the caller finds out by the row's id. A burnt id is certain.
func (x *Index) FindEntries(to []Entry, id ledger.ID) ([]Entry, error) { panic("to do") }

// VerifyFiles reads and checks every byte of the committed runs.
func (x *Index) VerifyFiles(ctx context.Context) error { panic("to do") }

// MergeError returns the error of the last merge, nil after a success. A failed merge is tried again after the next
// seal.
func (x *Index) MergeError() error { panic("to do") }

// Close ends a merge under way, waits for it, and closes the files. No call may be under way.
func (x *Index) Close() error { panic("to do") }

// Seal is a new run for the index. One goroutine uses it:
//
//	seal := index.NewSeal(n)
//	seal.AddEntry(...); seal.AddBurnt(...)
//	err := seal.WriteRun()            // the file is durable, but not yet used
//	manifest := seal.Manifest()       // with the new run, and with the merges finished by now
//	... commit a checkpoint that stores the manifest ...
//	seal.Commit()                     // look-ups use the new run; replaced files are removed
//
// or Discard at any time before Commit.
type Seal struct{}

// NewSeal begins a run. entries is the expected number; any number is fine. The previous seal was
// committed or discarded.
func (x *Index) NewSeal(entries int) *Seal { panic("to do") }

// AddEntry adds an entry of an id, in any order. The kind is not KindBurnt.
func (s *Seal) AddEntry(id ledger.ID, e Entry) { panic("to do") }

// AddBurnt adds a burnt id.
func (s *Seal) AddBurnt(id ledger.ID) { panic("to do") }

// WriteRun sorts the entries and writes the file. Without entries there is no file.
func (s *Seal) WriteRun() error { panic("to do") }

// Manifest returns the manifest to store. WriteRun has succeeded.
func (s *Seal) Manifest() []byte { panic("to do") }

// Commit takes over the manifest, which is durable. It does not wait for the disk; it may remove files.
func (s *Seal) Commit() { panic("to do") }

// Discard gives up the run and removes its file. After Commit it does nothing, so it can be deferred.
func (s *Seal) Discard() { panic("to do") }
