package wal

import (
	"errors"
	"fmt"
	"slices"
)

// runWriter writes one group after the other until the log is closed and all is written, or
// until it fails.
func (l *Log) runWriter() {
	defer close(l.stopped)
	for {
		g, closed := l.takeGroup()
		switch {
		case g != nil:
			if err := l.writeGroup(g); err != nil {
				l.failLog(err)
				return
			}
			l.finishGroup(g)
		case closed:
			return
		default:
			<-l.wake
		}
	}
}

// takeGroup returns the next group, if there is one. If the log is closed none is added
// any more.
func (l *Log) takeGroup() (g *group, closed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		return nil, l.closed
	}
	l.queue[0].taken = true
	return l.queue[0], l.closed
}

// writeGroup does what the group asks for. An error ends the log.
func (l *Log) writeGroup(g *group) error {
	switch {
	case g.nextHeader == nil:
		return l.segment.writeFrames(g.frames)
	case g.rotationErr != nil:
		return nil // given up together with one before it
	}
	s, err := createSegment(l.folder, *g.nextHeader)
	if err != nil {
		l.cancelRotation(*g.nextHeader, err)
		return nil
	}
	return l.rotateSegment(s)
}

// rotateSegment goes on to the next segment. All records before it are synced by now. The
// order is that of doc.go, 4: a segment ends when its successor is there, and the
// successor has no record before that.
func (l *Log) rotateSegment(next *segment) error {
	old := l.segment
	l.segment = next
	err := old.writeFrames(endFrame(old.sum, next.header.first))
	return errors.Join(err, old.file.Close())
}

// cancelRotation goes on in the segment that there is, since the next one could not be made.
// All its records are synced, and nothing was done to it, so nothing is in doubt.
func (l *Log) cancelRotation(next header, cause error) {
	// It is not wrong that they are there: doc.go, 4.
	name := fileName(segmentPrefix, next.number)
	_ = l.folder.removeFile(name + tmpSuffix)
	_ = l.folder.removeFile(name)

	l.mu.Lock()
	defer l.mu.Unlock()
	l.appendHeader, l.appendSum = l.segment.header, l.segment.sum
	// What was appended behind the cut is for the next segment, or for one that was
	// to follow that, and has not been taken yet.
	for _, g := range l.queue {
		if g.nextHeader == nil {
			resumFrames(g.frames, l.appendSum)
			continue
		}
		g.rotationErr = fmt.Errorf("wal: next segment: %w", cause)
		l.bytesSinceCheckpoint -= frameHeader // no end frame
	}
}

// finishGroup tells who waits for the group.
func (l *Log) finishGroup(g *group) {
	l.mu.Lock()
	l.queue = slices.Delete(l.queue, 0, 1)
	l.synced = g.lastPosition
	if room := cap(g.frames); room > cap(l.spareBuffer) && room <= maxSpareBuffer {
		l.spareBuffer = g.frames[:0]
	}
	l.mu.Unlock()
	close(g.done)
}

// failLog ends the log for good: after a failed sync nobody knows what is on disk, and
// trying again would not tell.
func (l *Log) failLog(cause error) {
	l.mu.Lock()
	l.err = fmt.Errorf("%w: %w", ErrFailed, cause)
	queue := l.queue
	l.queue = nil
	l.mu.Unlock()
	for _, g := range queue {
		close(g.done)
	}
}

func (l *Log) closeLog() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.wakeWriter()
	<-l.stopped
	if l.Err() == nil {
		// The last mark is not on disk yet.
		if err := l.segment.file.Sync(); err != nil {
			l.failLog(err)
		}
	}
	l.folderUsers.Wait()
	return errors.Join(l.Err(), l.segment.file.Close(), l.unlockFolder())
}

// useFolder keeps Close from giving the folder back until users.Done.
func (l *Log) useFolder() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	l.folderUsers.Add(1)
	return nil
}
