package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/peerledger/peerledger/internal/wal"
)

// Recovery is what Open found in a folder.
type Recovery struct {
	// Accounts and Transfers are how many the ledger holds.
	Accounts, Transfers int
	// Records is how many requests and expiries were run again: those that came
	// after the newest checkpoint.
	Records int
	// TornFile is the file whose end was cut, "" if none was: requests that were
	// being written when the process or the machine stopped, and were not answered.
	TornFile string
	// TornOffset is where it was cut, TornBytes how much was cut off.
	TornOffset, TornBytes int64
	// Ahead is how far the newest timestamp is in the future of the clock, 0 if it is not:
	// this clock is behind, or was ahead once. Microseconds come from many events at once;
	// of a second or more somebody should know (see the package comment, Time).
	Ahead time.Duration
}

// Open is a ledger that is kept in a folder: what was there is there again, and
// what is answered from now on is on disk. The folder is created if need be (its
// parent must be there), and is one process's at a time.
//
// A request is answered when its record is synced; requests that come while others
// are being synced are synced together. So whatever was answered survives a crash,
// of the machine too, and what survives beside it was at least sent. A request whose
// context ends while it is being synced ends with ledger.ErrOutcomeUnknown.
//
// A folder that cannot be written any more (a full or broken disk) ends the ledger:
// requests under way end with ledger.ErrOutcomeUnknown, later ones with
// ledger.ErrClosed, and both name the cause. Mend it, Close, and Open again.
//
// The end of a record that a crash had cut off is removed and reported (Recovery).
// Any other damage is refused with a CorruptError, which names file and offset:
// nothing is guessed. A folder that a newer program has written, in a format that this one
// does not know, is refused with ErrIncompatible and both numbers. Other errors match ErrInUse
// or ErrIncompatible, or are those of the file system.
//
// The whole ledger is in memory besides. Opening takes about as long as reading the
// newest checkpoint and running the requests after it. A checkpoint is begun by a
// request that changes something when the log has outgrown the last one, and written
// in the background; until it is done, the folder needs room for the log, the last
// checkpoint and the new one, and the process memory for a second copy of the
// accounts. One that cannot be written is left out, and Close says so.
//
// A ledger that is not closed keeps a goroutine and the folder.
func Open(dir string, opts ...Option) (*Ledger, error) {
	if dir == "" {
		return nil, fmt.Errorf("embedded: open: the name of the folder is empty: %w", fs.ErrInvalid)
	}
	l := New(opts...)
	log, found, err := wal.OpenFormat(dir, folderFormat, l.books.restoreRecord)
	if err != nil {
		return nil, translateOpenError(dir, err)
	}
	l.journal = &journal{log: log, checkpoints: checkpointer{minBytes: l.checkpointMin}}
	l.setRecovery(found)
	return l, nil
}

// setRecovery notes what was found in the folder.
func (l *Ledger) setRecovery(found wal.Recovery) {
	l.recovery = Recovery{
		Accounts:  int(l.books.accounts.count),
		Transfers: int(l.books.transfers.count),
		Records:   found.Records,
		Ahead:     l.books.clock.aheadOfWallClock(),
	}
	if torn := found.Torn; torn != nil {
		l.recovery.TornFile, l.recovery.TornOffset, l.recovery.TornBytes = torn.File, torn.Offset, torn.Bytes
	}
}

// Read is a ledger in memory with what a folder holds that no ledger has open. It changes
// nothing in the folder, not even the end of a record that a crash had cut off, which
// Recovery tells; what is written to the ledger afterwards is not kept. So books can be looked
// at where they are not to be touched: in a copy, on a snapshot, or while it is not known
// whether they are whole.
//
// Errors are those of Open, or match fs.ErrNotExist if there is no ledger in the folder.
func Read(dir string, opts ...Option) (*Ledger, error) {
	l := New(opts...)
	found, err := wal.Read(dir, folderFormat, l.books.restoreRecord)
	if err != nil {
		return nil, translateOpenError(dir, err)
	}
	l.setRecovery(found.Recovery)
	return l, nil
}

// folderFormat is what this package writes.
var folderFormat = wal.Format{Of: "ledger", Newest: recordFormat}

// Exists reports whether a folder holds a ledger, whole or damaged, without opening it: Open
// would make one in a folder that is empty, or not there. The error is the file system's.
func Exists(dir string) (bool, error) {
	found, err := wal.Exists(dir)
	if err != nil {
		return false, fmt.Errorf("embedded: look for a ledger in %s: %w", dir, err)
	}
	return found, nil
}

// translateOpenError says in this package's words why a folder cannot be opened.
func translateOpenError(dir string, err error) error {
	var corrupt *wal.CorruptError
	switch {
	case errors.As(err, &corrupt):
		return &CorruptError{File: corrupt.File, Offset: corrupt.Offset, Reason: corrupt.Reason}
	case errors.Is(err, wal.ErrLocked):
		return fmt.Errorf("%w: %s", ErrInUse, dir)
	case errors.Is(err, wal.ErrNoLog):
		return fmt.Errorf("embedded: there is no ledger in %s: %w", dir, fs.ErrNotExist)
	case errors.Is(err, wal.ErrVersion):
		return fmt.Errorf("%w: %w", ErrIncompatible, err)
	default:
		return fmt.Errorf("embedded: open %s: %w", dir, err)
	}
}

// Errors of Open.
var (
	// ErrCorrupt says that a file of the folder is not what was written to it, or
	// is missing. Restore the folder from a copy. See CorruptError.
	ErrCorrupt = errors.New("embedded: folder is corrupt")
	// ErrInUse says that the folder is open already, here or in another process.
	ErrInUse = errors.New("embedded: folder is in use")
)

// CorruptError is where a file of a folder is not what was written to it. It matches
// ErrCorrupt.
type CorruptError struct {
	// File is the file with its folder. It does not exist if that is the damage.
	File string
	// Offset is in bytes from the start of the file: of the header or the record
	// that is damaged, or of the end of a file that is too short.
	Offset int64
	Reason string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("embedded: %s is corrupt at byte %d: %s", e.File, e.Offset, e.Reason)
}

// Is reports whether target is ErrCorrupt.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// Recovery says what Open found. It is zero for a ledger in memory.
func (l *Ledger) Recovery() Recovery { return l.recovery }
