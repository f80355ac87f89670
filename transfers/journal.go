package transfers

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/peerledger/peerledger/internal/wal"
)

// journal keeps the fulfills that the ledger has not answered yet, on disk. It says
// of none that it is done: those behind the newest checkpoint are recorded again
// after a crash, which changes nothing for the ones that the ledger has.
type journal struct {
	folder    string
	namespace string
	log       *wal.Log
	life      context.Context // of its goroutine's work; that of the recorder
	report    func(error)     // nil if nobody wants to know

	mu    sync.Mutex
	owed  map[wal.Position]Packet
	due   int64 // bytes of log at which the next checkpoint is written
	ended bool  // the log has failed, and report knows

	wake    chan struct{} // holds one: a checkpoint is due
	stop    chan struct{}
	stopped chan struct{} // closed when the goroutine has ended
}

// checkpointEvery is how many bytes of log there are at most between checkpoints,
// some 20,000 fulfills; more only if a checkpoint is larger itself.
const checkpointEvery = 4 << 20

// The kinds of records. The first one of a folder says whose it is.
const (
	recordOwner uint8 = iota + 1
	recordFulfill
)

// start begins a journal on an open log.
func (j *journal) start() {
	j.owed = make(map[wal.Position]Packet)
	j.wake, j.stop, j.stopped = make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
	go j.run()
}

// add keeps a fulfill. It does not wait for the disk.
func (j *journal) add(p Packet) wal.Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	position := j.log.Append(recordFulfill, recordSize(&p), func(b []byte) []byte { return appendRecord(b, &p) })
	j.owed[position] = p
	return position
}

// wait waits until a fulfill is on disk. The error is the context's, as
// an unknown outcome, or matches ErrJournal.
func (j *journal) wait(ctx context.Context, position wal.Position) error {
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
		j.fail()
		return j.fault(err)
	}
}

// forget says that the ledger has answered these fulfills.
func (j *journal) forget(done []wal.Position) {
	j.mu.Lock()
	for _, position := range done {
		delete(j.owed, position)
	}
	j.mu.Unlock()
	if j.isDue() {
		j.signal()
	}
	if j.log.Err() != nil {
		j.fail()
	}
}

func (j *journal) signal() {
	select {
	case j.wake <- struct{}{}:
	default: // it is awake, or will be
	}
}

// fail reports, once, that the log has failed.
func (j *journal) fail() {
	err := j.log.Err()
	j.mu.Lock()
	first := err != nil && !j.ended
	j.ended = j.ended || first
	j.mu.Unlock()
	if first && j.report != nil {
		j.report(j.fault(err))
	}
}

// run writes a checkpoint whenever one is due.
func (j *journal) run() {
	defer close(j.stopped)
	for {
		select {
		case <-j.wake:
			if !j.isDue() {
				continue // it was when this was sent: that checkpoint is written
			}
			if err := j.shorten(); err != nil {
				j.reportLong("goes on", err)
			}
		case <-j.stop:
			return
		}
	}
}

// isDue reports whether a checkpoint is due.
func (j *journal) isDue() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.log.SinceCheckpoint() >= j.due
}

// reportLong reports a checkpoint that failed, unless the log has failed, which is
// reported by itself, or the recorder has ended and does not wait for it.
func (j *journal) reportLong(state string, err error) {
	if j.report != nil && j.log.Err() == nil && j.life.Err() == nil {
		j.report(fmt.Errorf("transfers: journal %s %s, and was not shortened: %w", j.folder, state, err))
	}
}

// shorten writes what is owed into a checkpoint, which stands for the log before
// it. After an error the log is whole; the next attempt comes when as much again
// was written.
func (j *journal) shorten() (err error) {
	j.mu.Lock()
	// Nothing is appended in between: what is owed is what the log says.
	c := j.log.Checkpoint()
	owed := make([]Packet, 0, len(j.owed))
	for _, p := range j.owed {
		owed = append(owed, p)
	}
	j.mu.Unlock()
	defer func() {
		err = errors.Join(err, c.Discard())
		j.mu.Lock()
		j.due = j.log.SinceCheckpoint() + max(checkpointEvery, j.log.CheckpointSize())
		j.mu.Unlock()
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
	return c.Commit(j.life)
}

// close leaves what is owed to the next recorder. The error matches ErrJournal; it
// is nil for no journal. Without a last checkpoint the next recorder has more to
// do, and nothing is lost.
func (j *journal) close() error {
	if j == nil {
		return nil
	}
	close(j.stop)
	<-j.stopped
	if err := j.shorten(); err != nil {
		j.reportLong("is closed", err)
	}
	if err := j.log.Close(); err != nil {
		j.fail()
		return j.fault(err)
	}
	return nil
}

func (j *journal) fault(err error) error { return &JournalError{Folder: j.folder, Err: err} }
