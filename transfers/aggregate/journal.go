package aggregate

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/transfers"
)

// journal keeps the machine's records on disk, in a log of package wal. Without a folder every
// record counts as on disk at once.
type journal struct {
	folder string
	log    *wal.Log     // nil without a folder
	base   wal.Position // before the machine's first record

	number             uint64          // the journal's
	checkpointInterval int64           // least number of bytes of log between checkpoints
	retention          time.Duration   // of the archive
	memory             time.Duration   // from a packet's expiry until the packet is forgotten
	retryAt            atomic.Int64    // bytes of log at which a failed checkpoint is tried again
	needed             []neededArchive // with packets within their horizon; of one goroutine at a time
	archive            archiveSize
	maxUnsynced        int64 // bytes of log on their way to the disk, before further operations wait
}

// maxUnsyncedBytes is the maxUnsynced of a journal.
const maxUnsyncedBytes = 16 << 20

// defaultCheckpointInterval bounds the log of a busy recorder, and is the size of a file of the archive
// before its compression.
const defaultCheckpointInterval = 64 << 20

// open opens the journal in its folder, if it has one, and gives r the records. The error matches
// [transfers.ErrJournal].
func (j *journal) open(r *replayer) error {
	if j.folder == "" {
		return nil
	}
	log, _, err := wal.OpenFormat(j.folder, journalFormat, func(record wal.Record) error { return r.addRecord(record.Kind, record.Data) })
	if err != nil {
		return j.wrapError(err)
	}
	j.log, j.base = log, log.Appended()
	return nil
}

func (j *journal) wrapError(err error) error {
	return &transfers.JournalError{Folder: j.folder, Err: err}
}

// randomNumber returns a number above 0, as for a new journal: it is part of all ids, so two
// journals of a namespace must not have the same.
func randomNumber() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return max(binary.BigEndian.Uint64(b[:]), 1)
}

// appendRecord implements recordWriter.
func (j *journal) appendRecord(kind uint8, data []byte) {
	if j.log != nil {
		j.log.Append(kind, len(data), func(b []byte) []byte { return append(b, data...) })
	}
}

// waitForSpace waits until the disk is not too far behind. The error matches
// [transfers.ErrBacklogFull]. A failed log counts as having space: waitSynced returns the failure.
func (j *journal) waitForSpace(ctx context.Context) error {
	if j.log == nil {
		return nil
	}
	if err := j.log.WaitForSpace(ctx, j.maxUnsynced); err != nil && errors.Is(err, ctx.Err()) {
		return fmt.Errorf("%w: the journal's disk is slow: %w", transfers.ErrBacklogFull, context.Cause(ctx))
	}
	return nil
}

// isBehind reports whether waitForSpace would wait.
func (j *journal) isBehind() bool {
	return j.log != nil && j.log.UnsyncedBytes() > j.maxUnsynced
}

// waitSynced waits until the machine's first n records are on disk. The error matches
// [transfers.ErrJournal].
func (j *journal) waitSynced(ctx context.Context, n uint64) error {
	if j.log == nil || n == 0 {
		return nil
	}
	if err := j.log.Wait(ctx, j.base+wal.Position(n)); err != nil {
		return j.wrapError(err)
	}
	return nil
}

// close syncs what was appended, and unlocks the folder.
func (j *journal) close() error {
	if j.log == nil {
		return nil
	}
	if err := j.log.Close(); err != nil {
		return j.wrapError(err)
	}
	return nil
}
