package wal

import (
	"errors"
	"fmt"
	"slices"
)

// runWriter writes the groups in order until the log is closed and every group is written, or until
// a write fails.
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

// takeGroup returns the next group, or nil. No group is added to a closed log.
func (l *Log) takeGroup() (g *group, closed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		return nil, l.closed
	}
	l.queue[0].taken = true
	return l.queue[0], l.closed
}

// writeGroup does the work of the group. An error ends the log.
func (l *Log) writeGroup(g *group) error {
	switch {
	case g.nextHeader == nil:
		return l.segment.writeFrames(g.frames)
	case g.rotationErr != nil:
		return nil // canceled together with the rotation before it
	}
	s, err := createSegment(l.folder, *g.nextHeader)
	if err != nil {
		l.cancelRotation(*g.nextHeader, err)
		return nil
	}
	return l.rotateSegment(s)
}

// rotateSegment goes on to the next segment, after all records before it are synced. The order is
// invariant 4 of doc.go: a segment ends when its successor is there, and the successor has no
// record before then.
func (l *Log) rotateSegment(next *segment) error {
	old := l.segment
	l.segment = next
	err := old.writeFrames(endFrame(old.sum, next.header.first))
	return errors.Join(err, old.file.Close())
}

// cancelRotation goes on in the present segment, since the next segment could not be made. The
// present segment is untouched and its records are synced, so nothing is in doubt.
func (l *Log) cancelRotation(next header, cause error) {
	// Both files may stay without harm: invariant 4 of doc.go.
	name := fileName(segmentPrefix, next.number)
	_ = l.folder.removeFile(name + tmpSuffix)
	_ = l.folder.removeFile(name)

	l.mu.Lock()
	defer l.mu.Unlock()
	l.appendHeader, l.appendSum = l.segment.header, l.segment.sum
	// The groups behind the rotation were encoded for the next segment, or for a segment behind
	// that one. They are not written yet.
	for _, g := range l.queue {
		if g.nextHeader == nil {
			resumFrames(g.frames, l.appendSum)
			continue
		}
		g.rotationErr = fmt.Errorf("wal: next segment: %w", cause)
		l.bytesSinceCheckpoint -= frameHeader // no end frame
	}
}

// finishGroup wakes the callers that wait for the group.
func (l *Log) finishGroup(g *group) {
	l.mu.Lock()
	l.queue = slices.Delete(l.queue, 0, 1)
	l.synced = g.lastPosition
	if size := cap(g.frames); size > cap(l.spareBuffer) && size <= maxSpareBuffer {
		l.spareBuffer = g.frames[:0]
	}
	l.mu.Unlock()
	close(g.done)
}

// failLog ends the log for good: after a failed sync the state of the disk is unknown, and a second
// sync would not show it.
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

// useFolder keeps Close from unlocking the folder until folderUsers.Done.
func (l *Log) useFolder() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	l.folderUsers.Add(1)
	return nil
}
