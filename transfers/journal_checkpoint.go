package transfers

import (
	"context"
	"errors"
	"fmt"
)

// checkpointInterval is how many bytes of log are written between two checkpoints, some 20,000
// fulfills. The interval is longer if the checkpoint itself is larger.
const checkpointInterval = 4 << 20

// maxResolvedInCheckpoint is how many fulfills of the newest checkpoint may be answered before
// the next checkpoint is written.
const maxResolvedInCheckpoint = 20_000

// runLoop writes a checkpoint whenever one is due.
func (j *journal) runLoop() {
	defer close(j.stopped)
	for {
		select {
		case <-j.wake:
			if !j.isCheckpointDue() {
				continue // written since the token was sent
			}
			if err := j.writeCheckpoint(j.recorderCtx); err != nil {
				j.reportCheckpointError("goes on", err)
			}
		case <-j.stop:
			return
		}
	}
}

// requestCheckpoint makes a checkpoint due now.
func (j *journal) requestCheckpoint() {
	j.mu.Lock()
	j.checkpointAt = 0
	j.mu.Unlock()
	j.wakeLoop()
}

func (j *journal) wakeLoop() {
	select {
	case j.wake <- struct{}{}:
	default: // a token is there already
	}
}

// isCheckpointDue reports whether the log behind the newest checkpoint has grown long, or most
// of the checkpoint's fulfills are answered. So the work of the next recorder is bounded by
// the fulfills pending at one time, also after many short-lived recorders.
func (j *journal) isCheckpointDue() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.log.SinceCheckpoint() >= j.checkpointAt || j.checkpointed-len(j.pending) >= maxResolvedInCheckpoint
}

// reportCheckpointError passes the error of a checkpoint to onError. A failure of the log is
// reported elsewhere, and a recorder's ended context is no fault.
func (j *journal) reportCheckpointError(state string, err error) {
	if j.onError != nil && j.log.Err() == nil && !errors.Is(err, j.recorderCtx.Err()) {
		j.onError(fmt.Errorf("transfers: journal %s %s, and was not shortened: %w", j.folder, state, err))
	}
}

// writeCheckpoint writes the pending fulfills into a checkpoint, which replaces the log before
// it. After an error the log is whole, and the next checkpoint is due after another interval.
func (j *journal) writeCheckpoint(ctx context.Context) (err error) {
	j.mu.Lock()
	// Both under one lock: no record may fall between the checkpoint's position and pending.
	c := j.log.Checkpoint()
	packets := make([]Packet, 0, len(j.pending))
	for _, pending := range j.pending {
		packets = append(packets, pending.packet)
	}
	j.mu.Unlock()
	defer func() {
		err = errors.Join(err, c.Discard())
		j.mu.Lock()
		defer j.mu.Unlock()
		j.checkpointed, j.checkpointAt = len(packets), j.log.SinceCheckpoint()+max(checkpointInterval, j.log.CheckpointSize())
	}()
	if err := c.Append(recordOwner, ownerRecord(j.namespace)); err != nil {
		return err
	}
	var buf []byte
	for i := range packets {
		buf = appendRecord(buf[:0], &packets[i])
		if err := c.Append(recordFulfill, buf); err != nil {
			return err
		}
	}
	if ctx.Err() != nil { // Commit looks at the context only while it waits
		return context.Cause(ctx)
	}
	return c.Commit(ctx)
}
