package wal

import (
	"errors"
	"fmt"
	"slices"
)

// run writes one group after the other until the log is closed and all is written, or
// until it fails.
func (l *Log) run() {
	defer close(l.stopped)
	for {
		g, closed := l.take()
		switch {
		case g != nil:
			if err := l.write(g); err != nil {
				l.fail(err)
				return
			}
			l.finish(g)
		case closed:
			return
		default:
			<-l.wake
		}
	}
}

// take returns the next group, if there is one. If the log is closed none is added
// any more.
func (l *Log) take() (g *group, closed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		return nil, l.closed
	}
	l.queue[0].taken = true
	return l.queue[0], l.closed
}

// write does what the group asks for. An error ends the log.
func (l *Log) write(g *group) error {
	switch {
	case g.next == nil:
		return l.segment.write(g.frames)
	case g.err != nil:
		return nil // given up together with one before it
	}
	s, err := createSegment(l.folder, *g.next)
	if err != nil {
		l.giveUp(*g.next, err)
		return nil
	}
	return l.rotate(s)
}

// rotate goes on to the next segment. All records before it are synced by now. The
// order is that of doc.go, 4: a segment ends when its successor is there, and the
// successor has no record before that.
func (l *Log) rotate(next *segment) error {
	old := l.segment
	l.segment = next
	err := old.write(endFrame(old.sum, next.header.first))
	return errors.Join(err, old.file.Close())
}

// giveUp goes on in the segment that there is, since the next one could not be made.
// All its records are synced, and nothing was done to it, so nothing is in doubt.
func (l *Log) giveUp(next header, cause error) {
	// It is not wrong that they are there: doc.go, 4.
	name := fileName(segmentPrefix, next.number)
	_ = l.folder.remove(name + tmpSuffix)
	_ = l.folder.remove(name)

	l.mu.Lock()
	defer l.mu.Unlock()
	l.header, l.sum = l.segment.header, l.segment.sum
	// What was appended behind the cut is for the next segment, or for one that was
	// to follow that, and has not been taken yet.
	for _, g := range l.queue {
		if g.next == nil {
			resum(g.frames, l.sum)
			continue
		}
		g.err = fmt.Errorf("wal: next segment: %w", cause)
		l.bytes -= frameHeader // no end frame
	}
}

// finish tells who waits for the group.
func (l *Log) finish(g *group) {
	l.mu.Lock()
	l.queue = slices.Delete(l.queue, 0, 1)
	l.synced = g.last
	if room := cap(g.frames); room > cap(l.spare) && room <= spareMax {
		l.spare = g.frames[:0]
	}
	l.mu.Unlock()
	close(g.done)
}

// fail ends the log for good: after a failed sync nobody knows what is on disk, and
// trying again would not tell.
func (l *Log) fail(cause error) {
	l.mu.Lock()
	l.err = fmt.Errorf("%w: %w", ErrFailed, cause)
	queue := l.queue
	l.queue = nil
	l.mu.Unlock()
	for _, g := range queue {
		close(g.done)
	}
}

func (l *Log) close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.signal()
	<-l.stopped
	if l.Err() == nil {
		// The last mark is not on disk yet.
		if err := l.segment.file.Sync(); err != nil {
			l.fail(err)
		}
	}
	l.users.Wait()
	return errors.Join(l.Err(), l.segment.file.Close(), l.unlock())
}

// use keeps Close from giving the folder back until users.Done.
func (l *Log) use() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	l.users.Add(1)
	return nil
}
