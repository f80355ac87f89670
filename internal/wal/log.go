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
	folder folder
	unlock func() error // gives the folder back

	// One goroutine, run, does all that is done to the log's files. wake, which
	// holds one, tells it of a group, or that the log is closed.
	wake    chan struct{}
	stopped chan struct{} // closed when it has ended
	segment *segment      // its own, until then

	mu             sync.Mutex
	queue          []*group // in order; the first may be with the goroutine
	spare          []byte   // a buffer for the next group
	header         header   // of the segment that Append's frames will go to
	sum            uint32   // of that header
	appended       Position
	synced         Position
	err            error // why the log failed
	closed         bool
	checkpoint     *Checkpoint // neither committed nor discarded; nil if there is none
	bytes          int64       // of frames, since the newest checkpoint
	checkpointSize int64

	// users are those who use the folder beside the goroutine. None is added once
	// closed is set, and the folder is not given back before they are done.
	users sync.WaitGroup

	closing  sync.Once
	closeErr error
}

// group is what the goroutine does at once: it writes and syncs frames, or goes on
// to the next segment.
type group struct {
	frames []byte
	next   *header       // of the segment to go on to; there are no frames then
	last   Position      // of the log when the group is done
	done   chan struct{} // closed when it is, or when the log has failed
	err    error         // why next was given up; set before done is closed
	taken  bool          // the goroutine has it; nothing is added any more
}

// spareMax is how large a buffer is kept for the next group, in bytes.
const spareMax = 16 << 20

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
	position := l.add(kind, size, encode)
	l.signal()
	return position
}

func (l *Log) add(kind uint8, size int, encode func([]byte) []byte) Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil || l.closed {
		// The position is one that is never reached: that of the last record may
		// be synced, and this record is not.
		l.appended++
		return l.appended
	}
	g := l.youngest()
	start := len(g.frames)
	frames := slices.Grow(g.frames, frameHeader+size)[:start+frameHeader]
	frames = encode(frames)
	data := frames[start+frameHeader:]
	checkRecord(kind, len(data))
	putFrameHeader(frames[start:], l.sum, uint64(l.appended), kind, data)
	l.appended++
	l.bytes += int64(len(frames) - start)
	g.frames, g.last = frames, l.appended
	return l.appended
}

// youngest is the group that takes frames now. REQUIRES: l.mu is held.
func (l *Log) youngest() *group {
	if n := len(l.queue); n > 0 && !l.queue[n-1].taken && l.queue[n-1].next == nil {
		return l.queue[n-1]
	}
	g := &group{frames: l.spare, last: l.appended, done: make(chan struct{})}
	l.spare = nil
	l.queue = append(l.queue, g)
	return g
}

func (l *Log) signal() {
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
	return await(ctx, func() (<-chan struct{}, error) { return l.pending(p) })
}

// await waits for one thing after the other, until there is none or the context ends.
func await(ctx context.Context, next func() (<-chan struct{}, error)) error {
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

// pending is what to wait for until the position is synced; nil if there is nothing
// to wait for.
func (l *Log) pending(p Position) (<-chan struct{}, error) {
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
		if p <= g.last {
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
	return await(ctx, func() (<-chan struct{}, error) { return l.crowded(most) })
}

// crowded is what to wait for until there is room; nil if there is nothing to wait
// for.
func (l *Log) crowded(most int64) (<-chan struct{}, error) {
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
	return l.bytes
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
	l.closing.Do(func() { l.closeErr = l.close() })
	return l.closeErr
}
