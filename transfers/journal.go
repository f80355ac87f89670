package transfers

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
)

// journal keeps the fulfills that the ledger has not answered yet, on disk. Those
// behind the newest checkpoint are recorded again after a crash, which changes nothing
// for the ones that the ledger has: so it does not say that they are done. It does say
// that one was refused, before the caller knows, who may book the money otherwise.
type journal struct {
	folder      string
	namespace   string
	log         *wal.Log
	recorderCtx context.Context // of its goroutine's work; that of the recorder
	canceledCtx context.Context // one that has ended, to ask without waiting
	onError     func(error)     // nil if nobody wants to know

	mu           sync.Mutex
	pending      map[fulfillKey]pendingFulfill
	checkpointAt int64 // bytes of log at which the next checkpoint is written
	checkpointed int   // fulfills in the newest checkpoint
	reported     bool  // the log has failed, and report knows

	wake    chan struct{} // holds one: a checkpoint is due
	stop    chan struct{}
	stopped chan struct{} // closed when the goroutine has ended
}

// fulfillKey is what a fulfill is known by. One of the same packet with other amounts or peers
// is another one: the ledger refuses one of the two, and the other one is still owed.
type fulfillKey struct {
	packet ledger.ID
	seal   uint64
}

func fulfillKeyOf(p *Packet) fulfillKey { return fulfillKey{p.ID, sealOf(p)} }

// pendingFulfill is a fulfill that is owed.
type pendingFulfill struct {
	packet   Packet
	position wal.Position
	waiters  int // how often it waits for an answer
}

// maxUnsyncedBytes is how many bytes of log may be on their way to the disk before further
// fulfills wait, some 80,000 of them.
const maxUnsyncedBytes = 16 << 20

// checkpointInterval is how many bytes of log there are at most between checkpoints,
// some 20,000 fulfills; more only if a checkpoint is larger itself.
const checkpointInterval = 4 << 20

// maxResolvedInCheckpoint is how many fulfills of a checkpoint may be answered before the next one
// is written.
const maxResolvedInCheckpoint = 20_000

// The kinds of records. The first one of a folder says whose it is.
const (
	recordOwner   uint8 = iota + 1
	recordFulfill       // it is owed from now on
	recordRefused       // it is not any more; of what was booked nothing need be said
)

// startLoop begins a journal on an open log.
func (j *journal) startLoop() {
	j.pending = make(map[fulfillKey]pendingFulfill)
	var end context.CancelFunc
	j.canceledCtx, end = context.WithCancel(j.recorderCtx)
	end()
	j.wake, j.stop, j.stopped = make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
	go j.runLoop()
}

// waitForSpace waits until not too much is on its way to the disk. The error matches
// ErrBacklogFull and the context's. A log that takes no more has room: wait tells.
func (j *journal) waitForSpace(ctx context.Context) error {
	if err := j.log.WaitForSpace(ctx, maxUnsyncedBytes); err != nil && errors.Is(err, ctx.Err()) {
		return fmt.Errorf("%w: the journal's disk is slow: %w", ErrBacklogFull, context.Cause(ctx))
	}
	return nil
}

// isFull reports whether room would wait.
func (j *journal) isFull() bool { return j.waitForSpace(j.canceledCtx) != nil }

// appendFulfill keeps a fulfill, once however often it comes before it is answered. It does not
// wait for the disk.
func (j *journal) appendFulfill(p Packet) wal.Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	key := fulfillKeyOf(&p)
	if known, twice := j.pending[key]; twice {
		known.waiters++
		j.pending[key] = known
		return known.position
	}
	position := j.log.Append(recordFulfill, recordSize(&p), func(b []byte) []byte { return appendRecord(b, &p) })
	j.pending[key] = pendingFulfill{p, position, 1}
	return position
}

// waitSynced waits until a fulfill is on disk. The error is the context's, as
// an unknown outcome, or matches ErrJournal.
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

// resolvedFulfill is a fulfill that the ledger has answered.
type resolvedFulfill struct {
	fulfillKey

	refused bool
}

// resolveFulfills says that the ledger has answered these fulfills. If it has refused one, it
// waits until that is on disk, or the recorder was given up.
func (j *journal) resolveFulfills(done []resolvedFulfill) {
	j.mu.Lock()
	refused := wal.Position(0)
	for _, a := range done {
		p := j.pending[a.fulfillKey]
		if p.waiters--; p.waiters > 0 {
			j.pending[a.fulfillKey] = p
			continue
		}
		delete(j.pending, a.fulfillKey)
		if id := a.packet.Bytes(); a.refused {
			refused = j.log.Append(recordRefused, len(id), func(b []byte) []byte { return append(b, id[:]...) })
		}
	}
	j.mu.Unlock()
	if refused > 0 {
		_ = j.log.Wait(j.recorderCtx, refused) // a log that has failed is reported below
	}
	if j.isCheckpointDue() {
		j.wakeLoop()
	}
	if j.log.Err() != nil {
		j.reportLogFailure()
	}
}

// requestCheckpoint has a checkpoint written soon.
func (j *journal) requestCheckpoint() {
	j.mu.Lock()
	j.checkpointAt = 0
	j.mu.Unlock()
	j.wakeLoop()
}

func (j *journal) wakeLoop() {
	select {
	case j.wake <- struct{}{}:
	default: // it is awake, or will be
	}
}

// reportLogFailure reports, once, that the log has failed.
func (j *journal) reportLogFailure() {
	err := j.log.Err()
	j.mu.Lock()
	first := err != nil && !j.reported
	j.reported = j.reported || first
	j.mu.Unlock()
	if first && j.onError != nil {
		j.onError(j.newError(fmt.Errorf("%w; until a new recorder opens it, fulfills are no longer kept on disk", err)))
	}
}

// runLoop writes a checkpoint whenever one is due.
func (j *journal) runLoop() {
	defer close(j.stopped)
	for {
		select {
		case <-j.wake:
			if !j.isCheckpointDue() {
				continue // it was when this was sent: that checkpoint is written
			}
			if err := j.writeCheckpoint(j.recorderCtx); err != nil {
				j.reportCheckpointError("goes on", err)
			}
		case <-j.stop:
			return
		}
	}
}

// isCheckpointDue reports whether a checkpoint is due: there is much log behind the newest one,
// or most of that one is answered. So what a recorder finds is bounded by what was owed
// at one time, however short the lives of those before it were.
func (j *journal) isCheckpointDue() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.log.SinceCheckpoint() >= j.checkpointAt || j.checkpointed-len(j.pending) >= maxResolvedInCheckpoint
}

// reportCheckpointError reports a checkpoint that failed, unless the log has failed, which is
// reported by itself, or the recorder was given up, which is not a fault.
func (j *journal) reportCheckpointError(state string, err error) {
	if j.onError != nil && j.log.Err() == nil && !errors.Is(err, j.recorderCtx.Err()) {
		j.onError(fmt.Errorf("transfers: journal %s %s, and was not shortened: %w", j.folder, state, err))
	}
}

// writeCheckpoint writes what is owed into a checkpoint, which stands for the log before
// it. After an error the log is whole; the next attempt comes when as much again
// was written.
func (j *journal) writeCheckpoint(ctx context.Context) (err error) {
	j.mu.Lock()
	// Nothing is appended in between: what is owed is what the log says.
	c := j.log.Checkpoint()
	owed := make([]Packet, 0, len(j.pending))
	for _, p := range j.pending {
		owed = append(owed, p.packet)
	}
	j.mu.Unlock()
	defer func() {
		err = errors.Join(err, c.Discard())
		j.mu.Lock()
		defer j.mu.Unlock()
		j.checkpointed, j.checkpointAt = len(owed), j.log.SinceCheckpoint()+max(checkpointInterval, j.log.CheckpointSize())
	}()
	if err := c.Append(recordOwner, ownerRecord(j.namespace)); err != nil {
		return err
	}
	var buf []byte
	for i := range owed {
		buf = appendRecord(buf[:0], &owed[i])
		if err := c.Append(recordFulfill, buf); err != nil {
			return err
		}
	}
	return c.Commit(ctx)
}

// closeLog leaves what is owed to the next recorder. The error matches ErrJournal; it
// is nil for no journal. Without a last checkpoint the next recorder has more to
// do, and nothing is lost.
func (j *journal) closeLog() error {
	if j == nil {
		return nil
	}
	close(j.stop)
	<-j.stopped
	// Also when the recorder was given up: else the next one has all to do again that
	// the ledger has answered.
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
