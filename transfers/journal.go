package transfers

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/peerledger/peerledger/internal/fulfilllog"
	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
)

// journal keeps the fulfills without an answer of the ledger on disk. After a crash the next
// recorder records every fulfill of the newest checkpoint and behind it again. That changes
// nothing for a fulfill in the books, so the journal does not record that a fulfill was
// booked. Refusals are recorded, and synced before the caller learns of them: the caller may
// then book the money under another id.
//
// After a failed write or sync, for example on a full disk, the log has failed for good
// (failLog in internal/wal). From then on appendFulfill's records are dropped, and fulfills
// go to the ledger without the journal: waitForSpace lets them pass, enqueueOperation
// (submit.go) adds them to their lanes, and waitSynced returns the failure to their callers.
type journal struct {
	folder      string
	namespace   string
	log         *wal.Log
	recorderCtx context.Context
	canceledCtx context.Context // ended from the start: asks the log without waiting
	onError     func(error)     // may be nil

	mu           sync.Mutex
	pending      map[fulfillKey]pendingFulfill
	checkpointAt int64 // bytes of log behind the newest checkpoint at which the next one is due
	checkpointed int   // fulfills in the newest checkpoint
	reported     bool  // the log's failure was passed to onError

	wake    chan struct{} // holds one token: a checkpoint is due
	stop    chan struct{}
	stopped chan struct{} // closed when runLoop has ended
}

// fulfillKey identifies a fulfill. Fulfills of one packet with other amounts or peers have
// other keys: the ledger refuses all but one, and that one must stay in the journal.
type fulfillKey struct {
	packet ledger.ID
	seal   uint64
}

func fulfillKeyOf(p *Packet) fulfillKey { return fulfillKey{p.ID, sealOf(p)} }

// pendingFulfill is a fulfill without an answer of the ledger.
type pendingFulfill struct {
	packet   Packet
	position wal.Position
	waiters  int // operations with this fulfill that have no answer
}

// resolvedFulfill is a fulfill that the ledger has answered.
type resolvedFulfill struct {
	fulfillKey

	refused bool
}

// maxUnsyncedBytes is how many bytes of log may be on their way to the disk, some 80,000
// fulfills, before further fulfills wait.
const maxUnsyncedBytes = 16 << 20

// The kinds of records. The first record of a folder is recordOwner.
const (
	recordOwner   = fulfilllog.KindOwner
	recordFulfill = fulfilllog.KindFulfill // pending from here on
	recordRefused = fulfilllog.KindRefused // no longer pending
)

// startLoop starts a journal on an open log.
func (j *journal) startLoop() {
	j.pending = make(map[fulfillKey]pendingFulfill)
	var cancel context.CancelFunc
	j.canceledCtx, cancel = context.WithCancel(j.recorderCtx)
	cancel()
	j.wake, j.stop, j.stopped = make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
	go j.runLoop()
}

// waitForSpace waits until at most maxUnsyncedBytes are on their way to the disk. The error
// matches [ErrBacklogFull] and the context's. A failed log counts as having space: waitSynced
// returns the failure.
func (j *journal) waitForSpace(ctx context.Context) error {
	if err := j.log.WaitForSpace(ctx, maxUnsyncedBytes); err != nil && errors.Is(err, ctx.Err()) {
		return fmt.Errorf("%w: the journal's disk is slow: %w", ErrBacklogFull, context.Cause(ctx))
	}
	return nil
}

// isBehind reports whether waitForSpace would wait.
func (j *journal) isBehind() bool { return j.waitForSpace(j.canceledCtx) != nil }

// appendFulfill appends a fulfill, unless the same one is pending. It does not wait for the
// disk.
func (j *journal) appendFulfill(p Packet) wal.Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	key := fulfillKeyOf(&p)
	if pending, isPending := j.pending[key]; isPending {
		pending.waiters++
		j.pending[key] = pending
		return pending.position
	}
	position := j.log.Append(recordFulfill, recordSize(&p), func(b []byte) []byte { return appendRecord(b, &p) })
	j.pending[key] = pendingFulfill{p, position, 1}
	return position
}

// waitSynced waits until a fulfill is on disk. The error matches [ErrJournal]. If the context
// ends first, it matches [ledger.ErrOutcomeUnknown] and the context's error too.
func (j *journal) waitSynced(ctx context.Context, position wal.Position) error {
	if j == nil {
		return fmt.Errorf("%w: none is configured", ErrJournal)
	}
	err := j.log.Wait(ctx, position)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && !errors.Is(err, wal.ErrFailed) && !errors.Is(err, wal.ErrClosed):
		return wrapUnknown(fmt.Errorf("%w: not on disk yet: %w", ErrJournal, context.Cause(ctx)))
	default:
		j.reportLogFailure()
		return j.newError(err)
	}
}

// resolveFulfills removes fulfills that the ledger has answered. If one was refused, it waits
// until the refusal is on disk, or the recorder's context has ended.
func (j *journal) resolveFulfills(resolved []resolvedFulfill) {
	j.mu.Lock()
	refusedAt := wal.Position(0)
	for _, r := range resolved {
		pending := j.pending[r.fulfillKey]
		if pending.waiters--; pending.waiters > 0 {
			j.pending[r.fulfillKey] = pending
			continue
		}
		delete(j.pending, r.fulfillKey)
		if id := r.packet.Bytes(); r.refused {
			refusedAt = j.log.Append(recordRefused, len(id), func(b []byte) []byte { return append(b, id[:]...) })
		}
	}
	j.mu.Unlock()
	if refusedAt > 0 {
		_ = j.log.Wait(j.recorderCtx, refusedAt) // a failed log is reported below
	}
	if j.isCheckpointDue() {
		j.wakeLoop()
	}
	if j.log.Err() != nil {
		j.reportLogFailure()
	}
}

// reportLogFailure passes the log's failure to onError, once.
func (j *journal) reportLogFailure() {
	err := j.log.Err()
	j.mu.Lock()
	isFirst := err != nil && !j.reported
	j.reported = j.reported || isFirst
	j.mu.Unlock()
	if isFirst && j.onError != nil {
		j.onError(j.newError(fmt.Errorf("%w; until a new recorder opens it, fulfills are no longer kept on disk", err)))
	}
}

// closeLog leaves the pending fulfills to the next recorder. The error matches [ErrJournal].
// If the last checkpoint fails, nothing is lost, and the next recorder reads more records. A
// nil journal has nothing to close.
func (j *journal) closeLog() error {
	if j == nil {
		return nil
	}
	close(j.stop)
	<-j.stopped
	// Also after the recorder's context has ended: else the next recorder would record again
	// all that the ledger has answered.
	if err := j.writeCheckpoint(context.WithoutCancel(j.recorderCtx)); err != nil {
		j.reportCheckpointError("is closed", err)
	}
	if err := j.log.Close(); err != nil {
		j.reportLogFailure()
		return j.newError(err)
	}
	return nil
}

func (j *journal) newError(err error) error { return &JournalError{Folder: j.folder, Err: err} }
