package aggregate

import (
	"context"
	"sync"
	"sync/atomic"
)

// backlog notes whether the journal's disk is too far behind for more operations.
type backlog struct {
	full atomic.Bool // as Events.BacklogFull was told
	mu   sync.Mutex  // serializes Events.BacklogFull, so that the last call is true
}

// waitForSpace waits until the journal's disk is not too far behind. The error matches
// [transfers.ErrBacklogFull].
func (r *Recorder) waitForSpace(ctx context.Context) error {
	if r.journal.isBehind() {
		r.noteBacklog()
		return r.journal.waitForSpace(ctx)
	}
	if r.backlog.full.Load() {
		r.noteBacklog()
	}
	return nil
}

// noteBacklog tells Events.BacklogFull if the disk has fallen behind, or has caught up.
func (r *Recorder) noteBacklog() {
	r.backlog.mu.Lock()
	defer r.backlog.mu.Unlock()
	full := r.journal.isBehind()
	if full == r.backlog.full.Load() {
		return
	}
	r.backlog.full.Store(full)
	if r.cfg.Events.BacklogFull != nil {
		r.cfg.Events.BacklogFull(full)
	}
}
