package wal

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// Position is a place in a log: the number of records before it.
type Position uint64

// Log is an open folder. Its methods are safe for concurrent use; callers of [Log.Append] in
// several goroutines must agree on the order.
type Log struct {
	folder       folder
	unlockFolder func() error

	// The writer goroutine (runWriter) does all work on the log's files. wake, with a capacity of
	// one, announces a group, or that the log is closed.
	wake    chan struct{}
	stopped chan struct{} // closed when the writer has ended
	segment *segment      // the writer's own, until stopped

	mu                   sync.Mutex
	queue                []*group // in order; the writer may have taken the first
	spareBuffer          []byte   // a buffer for the next group
	appendHeader         header   // of the segment for the frames of Append
	appendSum            uint32   // of appendHeader
	appended             Position
	synced               Position
	err                  error // why the log failed
	closed               bool
	checkpoint           *Checkpoint // neither committed nor discarded; or nil
	bytesSinceCheckpoint int64       // of frames, since the newest checkpoint
	checkpointSize       int64

	upgradeTo uint32 // the format of the records from the next checkpoint on; 0 is the present one

	// folderUsers are the users of the folder beside the writer. None is added once closed is set,
	// and the folder stays locked until they are done.
	folderUsers sync.WaitGroup

	closeOnce sync.Once
	closeErr  error
}

// group is a unit of work of the writer: write and sync frames, or go on to the next segment.
type group struct {
	frames       []byte
	nextHeader   *header       // of the next segment; then there are no frames
	lastPosition Position      // the log's position when the group is done
	done         chan struct{} // closed when the group is done, or the log has failed
	rotationErr  error         // why the next segment was given up; set before done is closed
	taken        bool          // by the writer; nothing is added any more
}

// maxSpareBuffer is the largest buffer kept for the next group, in bytes.
const maxSpareBuffer = 16 << 20

// Append adds a record and returns the position behind it, for [Log.Wait]. encode appends the data
// to its argument and returns the result, like append. The argument has capacity for size bytes, so
// encode need not copy if the data has at most size bytes. encode is called before Append returns,
// and must not call the Log. kind is 1 to 254 and the data has at most [MaxData] bytes, or Append
// panics.
//
// Append never waits for the disk, so the owner has to bound the records appended and not yet
// synced; [Log.WaitForSpace] helps. Once the log has failed or is closed, records are dropped, and
// [Log.Wait] of their positions returns the reason.
func (l *Log) Append(kind uint8, size int, encode func([]byte) []byte) Position {
	position := l.appendRecord(kind, size, encode)
	l.wakeWriter()
	return position
}

func (l *Log) appendRecord(kind uint8, size int, encode func([]byte) []byte) Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil || l.closed {
		// The position is never reached: the last record's position may be synced, and this record
		// is not.
		l.appended++
		return l.appended
	}
	g := l.openGroup()
	start := len(g.frames)
	frames := slices.Grow(g.frames, frameHeader+size)[:start+frameHeader]
	frames = encode(frames)
	data := frames[start+frameHeader:]
	checkRecord(kind, len(data))
	putFrameHeader(frames[start:], l.appendSum, uint64(l.appended), kind, data)
	l.appended++
	l.bytesSinceCheckpoint += int64(len(frames) - start)
	g.frames, g.lastPosition = frames, l.appended
	return l.appended
}

// openGroup returns the group that accepts frames now. REQUIRES: l.mu is held.
func (l *Log) openGroup() *group {
	if n := len(l.queue); n > 0 && !l.queue[n-1].taken && l.queue[n-1].nextHeader == nil {
		return l.queue[n-1]
	}
	g := &group{frames: l.spareBuffer, lastPosition: l.appended, done: make(chan struct{})}
	l.spareBuffer = nil
	l.queue = append(l.queue, g)
	return g
}

func (l *Log) wakeWriter() {
	select {
	case l.wake <- struct{}{}:
	default: // the writer is awake, or will be
	}
}

// Wait returns nil when all records up to the position are synced. It returns the context's error
// if the context ends first: the records may still be synced, now or later. It returns an error
// that matches [ErrFailed] if the log fails first, and [ErrClosed] for records appended after
// [Log.Close]. Wait panics for a position never returned by [Log.Append].
func (l *Log) Wait(ctx context.Context, p Position) error {
	return awaitAll(ctx, func() (<-chan struct{}, error) { return l.pendingSync(p) })
}

// awaitAll waits for each channel returned by next, until next returns none or the context ends.
func awaitAll(ctx context.Context, next func() (<-chan struct{}, error)) error {
	for {
		done, err := next()
		if done == nil {
			return err
		}
		select {
		case <-done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// pendingSync returns a channel to wait for until the position is synced; nil if there is nothing
// to wait for.
func (l *Log) pendingSync(p Position) (<-chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case p <= l.synced:
		return nil, nil
	case p > l.appended:
		panic(fmt.Sprintf("wal: waiting for position %d of a log that goes to %d", p, l.appended))
	case l.err != nil:
		return nil, l.err
	}
	for _, g := range l.queue {
		if p <= g.lastPosition {
			return g.done, nil
		}
	}
	return nil, ErrClosed
}

// WaitForSpace returns nil when at most maxUnsynced bytes are appended and not yet synced, with the
// framing of the records. maxUnsynced is at least 0, or WaitForSpace panics. An owner that calls
// WaitForSpace before it appends bounds the memory of the Log to maxUnsynced and the records then
// appended by its callers.
//
// WaitForSpace returns the context's error if the context ends first, an error that matches
// [ErrFailed] if the log fails or has failed, and [ErrClosed] after [Log.Close]. It does not
// allocate when there is space.
func (l *Log) WaitForSpace(ctx context.Context, maxUnsynced int64) error {
	if maxUnsynced < 0 {
		panic(fmt.Sprintf("wal: waiting for at most %d unsynced bytes", maxUnsynced))
	}
	return awaitAll(ctx, func() (<-chan struct{}, error) { return l.pendingSpace(maxUnsynced) })
}

// pendingSpace returns a channel to wait for until there is space; nil if there is nothing to wait
// for.
func (l *Log) pendingSpace(maxUnsynced int64) (<-chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.err != nil:
		return nil, l.err
	case l.closed:
		return nil, ErrClosed
	}
	// The oldest groups are synced first. So the newest groups with at most maxUnsynced bytes
	// together may stay, and the group before them must be done.
	for _, g := range slices.Backward(l.queue) {
		if maxUnsynced -= int64(len(g.frames)); maxUnsynced < 0 {
			return g.done, nil
		}
	}
	return nil, nil
}

// UnsyncedBytes returns how many bytes are appended and not yet synced, with the framing of the
// records. It is 0 after the log has failed or was closed: nothing more is synced.
func (l *Log) UnsyncedBytes() (bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, g := range l.queue {
		bytes += int64(len(g.frames))
	}
	return bytes
}

// Appended returns the position behind the last record: to wait for it is to wait for all records.
func (l *Log) Appended() Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.appended
}

// Err returns the reason why the log failed, an error that matches [ErrFailed], or nil.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// SinceCheckpoint returns the number of bytes of log behind the newest checkpoint, synced or not.
func (l *Log) SinceCheckpoint() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytesSinceCheckpoint
}

// CheckpointSize returns the number of bytes of the newest checkpoint, 0 if there is none.
func (l *Log) CheckpointSize() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.checkpointSize
}

// Close syncs all records, stops the writer and unlocks the folder. A checkpoint being written is
// lost, but Close waits for a [Checkpoint.Commit] that is publishing its file. Close returns an
// error that matches [ErrFailed] if the log failed; records that [Log.Wait] reported as synced are
// not affected. A second call waits and returns the same.
func (l *Log) Close() error {
	l.closeOnce.Do(func() { l.closeErr = l.closeLog() })
	return l.closeErr
}
