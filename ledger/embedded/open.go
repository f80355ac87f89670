package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/peerledger/peerledger/internal/sealed"
	"github.com/peerledger/peerledger/internal/wal"
)

// Recovery describes the folder found by [Open] or [Read].
type Recovery struct {
	// Accounts and Transfers are the numbers of rows in the ledger.
	Accounts, Transfers int
	// Converted reports whether the folder had the format of an older version, and has the present
	// one now.
	Converted bool
	// Records is the number of requests and expiries after the newest checkpoint, which were run
	// again.
	Records int
	// TornFile is the file whose end was cut off, "" if none was: the end of requests that were
	// being written, and were not answered, when the process or the machine stopped.
	TornFile string
	// TornOffset is the offset of the cut, TornBytes the number of bytes cut off.
	TornOffset, TornBytes int64
	// ClockAhead is how far the newest timestamp is ahead of the clock, 0 if it is not: the clock is
	// behind, or was ahead once. Microseconds come from requests of many events. An operator should
	// look at a second or more (see Time in the package documentation).
	ClockAhead time.Duration
}

// Open opens a ledger in a folder, with everything stored there. The folder is created if
// necessary, in an existing parent, and belongs to one process at a time.
//
// A request is answered when its record is synced; concurrent requests are synced together. Every
// answered request therefore survives a crash, even of the machine. Some requests that were sent
// and not answered may survive too. If the context ends while a request is being synced, the
// request returns [ledger.ErrOutcomeUnknown].
//
// While the disk is nearly full, requests with changes return [ErrDiskFull] and change nothing, and
// reads go on ([WithDiskReserve]). If the log can no longer be written (a broken disk), the ledger
// ends: requests under way return [ledger.ErrOutcomeUnknown], later requests [ledger.ErrClosed], and
// both name the cause. Repair the disk, call Close, and Open the folder again.
//
// A record cut off by a crash at the end of the log is removed and reported ([Recovery]). All other
// damage is refused with a [CorruptError], which names file and offset. Damage of a file with settled
// transfers is found when the bytes are read: the request that needs them returns the CorruptError and
// changes nothing, all others go on, and [Ledger.VerifyFiles] reads all of them. A folder written by a
// newer program, in an unknown format, is refused with [ErrIncompatible] and both format numbers.
// Further errors match [ErrInUse] or [ErrIncompatible], or are errors of the file system.
//
// Settled transfers are on the disk only; the package documentation says what is in memory. Opening
// takes about as long as reading the newest checkpoint, which has the accounts and the open holds, and
// running the requests after it. When the log has outgrown the last checkpoint, and has 16 MiB at
// least ([WithCacheSize]), the next request with a change begins a new one, written in the background.
// Until it is done, the folder needs room for the log and both checkpoints, and the process memory for
// a second copy of the accounts. A checkpoint that cannot be written is left out, and Close reports it: meanwhile the
// transfers since the last checkpoint stay in memory.
//
// A folder of an older version, which has all transfers in its checkpoint (format 1), is converted:
// Open reads it once, in bounded memory, and writes its transfers into the files of this version. It
// needs as much room again as the folder has, beside the reserve ([WithDiskReserve]), and returns
// [ErrDiskFull] without. The old files count until all is converted: a conversion that fails leaves
// nothing else, and one that is interrupted begins again at the next Open. Older programs refuse a
// converted folder.
//
// A ledger that is not closed keeps a goroutine and the folder.
func Open(dir string, opts ...Option) (*Ledger, error) {
	if dir == "" {
		return nil, fmt.Errorf("embedded: open: the name of the folder is empty: %w", fs.ErrInvalid)
	}
	l := New(opts...)
	r, err := l.newRestorer(dir, false)
	if err != nil {
		return nil, translateOpenError(dir, err)
	}
	if err := l.openLog(r); err != nil {
		return nil, errors.Join(translateOpenError(dir, err), l.closeBooks(), r.removeConverted())
	}
	return l, nil
}

// openLog opens the log of the folder and the files that its checkpoint names.
func (l *Ledger) openLog(r *restorer) error {
	l.space.folder = r.path
	log, found, err := wal.OpenFormat(r.path, r.format(), r.restoreRecord)
	if err != nil {
		return err
	}
	l.journal = &journal{log: log, checkpoints: checkpointer{ledger: l, minBytes: l.checkpointMin}}
	l.setRecovery(found)
	if r.isOld {
		l.recovery.Converted = true
		err = l.commitConversion()
	} else {
		err = l.books.cold.prepare()
	}
	if err != nil {
		return errors.Join(err, log.Close())
	}
	l.progress.finish()
	return nil
}

// setRecovery describes the folder in l.recovery.
func (l *Ledger) setRecovery(found wal.Recovery) {
	l.recovery = Recovery{
		Accounts:   int(l.books.accounts.count),
		Transfers:  int(l.books.transferEnd()),
		Records:    found.Records,
		ClockAhead: l.books.clock.aheadOfWallClock(),
	}
	if torn := found.Torn; torn != nil {
		l.recovery.TornFile, l.recovery.TornOffset, l.recovery.TornBytes = torn.File, torn.Offset, torn.Bytes
	}
}

// Read returns a ledger with the content of a folder that no ledger has open. It does not change the
// folder, not even a record cut off by a crash, reported by Recovery. Later writes to the ledger are
// not kept. Use Read where books must not be touched: on a copy or a snapshot, or before it is known
// whether they are whole. Settled transfers are read from the folder, which must stay there until
// Close; those of a folder of format 1 (see [Open]) are in memory.
//
// The errors are those listed at [Open], or match fs.ErrNotExist if there is no ledger in the
// folder.
func Read(dir string, opts ...Option) (*Ledger, error) {
	l := New(opts...)
	r, err := l.newRestorer(dir, true)
	var found wal.Content
	if err == nil {
		found, err = wal.Read(r.path, r.format(), r.restoreRecord)
	}
	if err != nil {
		return nil, errors.Join(translateOpenError(dir, err), l.closeBooks())
	}
	l.setRecovery(found.Recovery)
	l.progress.finish()
	return l, nil
}

// Exists reports whether a folder holds a ledger, whole or damaged, without opening it: [Open]
// would create a ledger in an empty or missing folder. The error is the file system's.
func Exists(dir string) (bool, error) {
	found, err := wal.Exists(dir)
	if err != nil {
		return false, fmt.Errorf("embedded: look for a ledger in %s: %w", dir, err)
	}
	return found, nil
}

// translateOpenError replaces the errors of package wal by this package's.
func translateOpenError(dir string, err error) error {
	var corrupt *wal.CorruptError
	var corruptFile *sealed.CorruptError
	switch {
	case errors.As(err, &corruptFile):
		return &CorruptError{File: corruptFile.File, Offset: corruptFile.Offset, Reason: corruptFile.Reason}
	case errors.As(err, &corrupt):
		return &CorruptError{File: corrupt.File, Offset: corrupt.Offset, Reason: corrupt.Reason}
	case errors.Is(err, wal.ErrLocked):
		return fmt.Errorf("%w: %s", ErrInUse, dir)
	case errors.Is(err, wal.ErrNoLog):
		return fmt.Errorf("embedded: there is no ledger in %s: %w", dir, fs.ErrNotExist)
	case errors.Is(err, wal.ErrVersion), errors.Is(err, sealed.ErrVersion):
		return fmt.Errorf("%w: %w", ErrIncompatible, err)
	default:
		return fmt.Errorf("embedded: open %s: %w", dir, err)
	}
}

// translateReadError replaces an error of a request that has had no effect, mostly one of reading cold
// rows.
func translateReadError(err error) error {
	var corrupt *sealed.CorruptError
	if errors.As(err, &corrupt) {
		return &CorruptError{File: corrupt.File, Offset: corrupt.Offset, Reason: corrupt.Reason}
	}
	if errors.Is(err, ErrLedgerFull) || errors.Is(err, ErrDiskFull) {
		return err
	}
	return fmt.Errorf("embedded: read the folder: %w", err)
}

// Errors of Open.
var (
	// ErrCorrupt is matched by the error of a folder with a missing or changed file. Restore the
	// folder from a copy. See [CorruptError].
	ErrCorrupt = errors.New("embedded: folder is corrupt")
	// ErrInUse is returned when the folder is open already, in this process or in another.
	ErrInUse = errors.New("embedded: folder is in use")
)

// CorruptError names the damage of a folder. It matches [ErrCorrupt].
type CorruptError struct {
	// File is the path of the file. The damage may be that it is missing.
	File string
	// Offset is in bytes from the start of the file: of the damaged header or record, or of the end
	// of a file that is too short.
	Offset int64
	Reason string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("embedded: %s is corrupt at byte %d: %s", e.File, e.Offset, e.Reason)
}

// Is reports whether target is [ErrCorrupt].
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// Recovery describes the folder found by Open or Read. It is zero for a ledger of [New].
func (l *Ledger) Recovery() Recovery { return l.recovery }
