package wal

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// Position is a place in a log: how many records are before it.
type Position uint64

// Log is an open folder. Its methods are safe for concurrent use; whoever calls
// Append from several goroutines has to say in what order.
type Log struct {
	folder       folder
	unlockFolder func() error // gives the folder back

	// One goroutine, run, does all that is done to the log's files. wake, which
	// holds one, tells it of a group, or that the log is closed.
	wake    chan struct{}
	stopped chan struct{} // closed when it has ended
	segment *segment      // its own, until then

	mu                   sync.Mutex
	queue                []*group // in order; the first may be with the goroutine
	spareBuffer          []byte   // a buffer for the next group
	appendHeader         header   // of the segment that Append's frames will go to
	appendSum            uint32   // of that header
	appended             Position
	synced               Position
	err                  error // why the log failed
	closed               bool
	checkpoint           *Checkpoint // neither committed nor discarded; nil if there is none
	bytesSinceCheckpoint int64       // of frames, since the newest checkpoint
	checkpointSize       int64

	// folderUsers are those who use the folder beside the goroutine. None is added once
	// closed is set, and the folder is not given back before they are done.
	folderUsers sync.WaitGroup

	closeOnce sync.Once
	closeErr  error
}

// group is what the goroutine does at once: it writes and syncs frames, or goes on
// to the next segment.
type group struct {
	frames       []byte
	nextHeader   *header       // of the segment to go on to; there are no frames then
	lastPosition Position      // of the log when the group is done
	done         chan struct{} // closed when it is, or when the log has failed
	rotationErr  error         // why next was given up; set before done is closed
	taken        bool          // the goroutine has it; nothing is added any more
}

// maxSpareBuffer is how large a buffer is kept for the next group, in bytes.
const maxSpareBuffer = 16 << 20

// Append adds a record and returns the position behind it, for Wait. encode appends
// the data to the slice that it is given and returns the result, as append does; room
// for size bytes is there, so that nothing is copied if that is enough. It is called
// before Append returns, and must not call the Log. kind is 1 to 254 and the data has
// at most MaxData bytes, or Append panics.
//
// Append never waits for the disk, so the owner has to bound what is appended and not
// waited for; Room helps with that. Once the log has failed or is closed, records are dropped, and Wait of
// their positions tells why.
func (l *Log) Append(kind uint8, size int, encode func([]byte) []byte) Position {
	position := l.appendRecord(kind, size, encode)
	l.wakeWriter()
	return position
}

func (l *Log) appendRecord(kind uint8, size int, encode func([]byte) []byte) Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil || l.closed {
		// The position is one that is never reached: that of the last record may
		// be synced, and this record is not.
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

// openGroup is the group that takes frames now. REQUIRES: l.mu is held.
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
	default: // it is awake, or will be
	}
}

// Wait returns nil when all records up to the position are synced. It returns the
// context's error if that ends first: they may be synced all the same, now or later.
// It returns an error that matches ErrFailed if the log fails first, and ErrClosed
// for what was appended after Close. A position that Append did not return is a bug,
// on which Wait panics.
func (l *Log) Wait(ctx context.Context, p Position) error {
	return awaitAll(ctx, func() (<-chan struct{}, error) { return l.pendingSync(p) })
}

// awaitAll waits for one thing after the other, until there is none or the context ends.
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

// pendingSync is what to wait for until the position is synced; nil if there is nothing
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

// WaitForSpace returns nil when no more than most bytes are appended and not yet synced, those
// that frame the records included. most is at least 0, or Room panics. An owner that
// calls it before it appends bounds what the Log holds in memory, to most and what its
// callers of Append then add. Room returns the context's error if that ends first,
// an error that matches ErrFailed if the log fails or has failed, and ErrClosed after
// Close. It does not allocate when there is room.
func (l *Log) WaitForSpace(ctx context.Context, most int64) error {
	if most < 0 {
		panic(fmt.Sprintf("wal: no log has room for %d bytes", most))
	}
	return awaitAll(ctx, func() (<-chan struct{}, error) { return l.pendingSpace(most) })
}

// pendingSpace is what to wait for until there is room; nil if there is nothing to wait
// for.
func (l *Log) pendingSpace(most int64) (<-chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.err != nil:
		return nil, l.err
	case l.closed:
		return nil, ErrClosed
	}
	// The oldest are synced first: those can stay that are less than most together
	// with all behind them.
	for _, g := range slices.Backward(l.queue) {
		if most -= int64(len(g.frames)); most < 0 {
			return g.done, nil
		}
	}
	return nil, nil
}

// Appended is the position behind the last record: to wait for it is to wait for all
// that was appended.
func (l *Log) Appended() Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.appended
}

// Err is why the log failed, an error that matches ErrFailed, or nil if it has not.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// SinceCheckpoint is how many bytes of log there are behind the newest checkpoint,
// synced or not.
func (l *Log) SinceCheckpoint() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytesSinceCheckpoint
}

// CheckpointSize is how many bytes the newest checkpoint has, 0 if there is none.
func (l *Log) CheckpointSize() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.checkpointSize
}

// Close syncs what was appended, stops the log's goroutine and gives the folder back.
// A checkpoint that is being written is lost, but one that Commit is giving its name
// is waited for. Close returns an error that matches ErrFailed if the log failed;
// what Wait reported as synced is not affected. Calling it again waits and returns
// the same.
func (l *Log) Close() error {
	l.closeOnce.Do(func() { l.closeErr = l.closeLog() })
	return l.closeErr
}
