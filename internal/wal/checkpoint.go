package wal

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
)

// Checkpoint is a state of the owner being written. One goroutine at a time uses it, beside the
// users of the [Log].
type Checkpoint struct {
	log      *Log
	header   header
	logBytes int64  // of the log between the previous checkpoint and this one
	rotation *group // the group that makes the segment behind the checkpoint

	finalErr   error // the first error; ErrClosed at the end
	created    bool  // a file named finalName and tmpSuffix exists
	file       file  // nil before the first write and after the last
	buffered   *bufio.Writer
	sum        uint32
	records    uint64
	size       int64
	syncedSize int64 // the synced part of size
}

// syncEvery is the number of bytes of a checkpoint after which the file is synced while it is being
// written. File systems with an ordered journal, such as ext4, make a sync of the log wait for a
// sync of the checkpoint: with a large checkpoint synced only at its end, the log would stand still
// for all of that time.
const syncEvery = 16 << 20

// Checkpoint begins a checkpoint. The owner calls it at a moment when its state includes all
// records appended, and no others: records appended later follow the checkpoint. It does not wait
// for the disk. There is one checkpoint at a time: Checkpoint panics if the previous one was
// neither committed nor discarded.
func (l *Log) Checkpoint() *Checkpoint {
	c := l.beginCheckpoint()
	l.wakeWriter()
	return c
}

func (l *Log) beginCheckpoint() *Checkpoint {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.checkpoint != nil {
		panic("wal: a checkpoint while another one is being written")
	}
	next := l.appendHeader
	next.number++
	next.first = uint64(l.appended)
	if l.upgradeTo > 0 {
		next.recordFormat = l.upgradeTo - 1
	}
	g := &group{nextHeader: &next, lastPosition: l.appended, done: make(chan struct{})}
	c := &Checkpoint{log: l, header: next, rotation: g}
	c.header.magic = checkpointMagic
	l.checkpoint = c
	if l.err != nil || l.closed {
		close(g.done) // Append and Commit return the reason
		return c
	}
	l.queue = append(l.queue, g)
	l.appendHeader, l.appendSum = next, next.headerSum()
	l.bytesSinceCheckpoint += frameHeader // the end frame
	c.logBytes = l.bytesSinceCheckpoint
	return c
}

// Append adds a record to the checkpoint. kind and data are as in [Log.Append], but data is a
// slice, which Append does not keep. An error is the file system's, or [ErrClosed], or the failure
// to make the segment behind the checkpoint. After an error only [Checkpoint.Discard] is useful.
// The log is not affected.
func (c *Checkpoint) Append(kind uint8, data []byte) error {
	checkRecord(kind, len(data))
	if c.finalErr == nil {
		c.finalErr = c.writeFrame(kind, data)
		c.records++
	}
	return c.finalErr
}

func (c *Checkpoint) finalName() string { return fileName(checkpointPrefix, c.header.number) }

// rotationError returns the reason why the segment behind the checkpoint was given up; nil if the
// segment was made, or is still to be made.
func (c *Checkpoint) rotationError() error {
	select {
	case <-c.rotation.done:
		return c.rotation.rotationErr
	default:
		return nil
	}
}

func (c *Checkpoint) writeFrame(kind uint8, data []byte) error {
	if err := c.rotationError(); err != nil {
		return err
	}
	if c.file == nil {
		if err := c.createFile(); err != nil {
			return err
		}
	}
	var head [frameHeader]byte
	putFrameHeader(head[:], c.sum, c.records, kind, data)
	if _, err := c.buffered.Write(head[:]); err != nil {
		return err
	}
	if _, err := c.buffered.Write(data); err != nil {
		return err
	}
	c.size += frameHeader + int64(len(data))
	if c.size-c.syncedSize < syncEvery {
		return nil
	}
	return c.syncFile()
}

// syncFile makes the bytes written so far durable.
func (c *Checkpoint) syncFile() error {
	if err := c.buffered.Flush(); err != nil {
		return err
	}
	c.syncedSize = c.size
	return c.file.Sync()
}

func (c *Checkpoint) createFile() error {
	if err := c.log.useFolder(); err != nil {
		return err
	}
	defer c.log.folderUsers.Done()
	f, err := replaceFile(c.log.folder, c.finalName()+tmpSuffix)
	if err != nil {
		return err
	}
	c.file, c.created = f, true
	c.buffered = bufio.NewWriterSize(io.NewOffsetWriter(f, 0), 256<<10)
	b, sum := c.header.encodeHeader()
	c.sum, c.size = sum, int64(len(b))
	_, err = c.buffered.Write(b)
	return err
}

// Commit makes the checkpoint the newest one, and removes the log and the checkpoints before it.
// Files that cannot be removed are left to the next Commit or [Open].
//
// After an error, also the context's, only [Checkpoint.Discard] is useful: the log is whole, with
// or without the checkpoint. An error matches [ErrFailed] if the log has failed, or [ErrClosed], or
// is the file system's or the context's. If the segment behind the checkpoint could not be made,
// the log goes on without, and the next checkpoint tries again.
func (c *Checkpoint) Commit(ctx context.Context) error {
	if c.finalErr != nil {
		return c.finalErr
	}
	if c.finalErr = c.commitFile(ctx); c.finalErr != nil {
		return c.finalErr
	}
	c.finalErr = ErrClosed
	c.created = false
	return nil
}

func (c *Checkpoint) commitFile(ctx context.Context) error {
	if err := c.finishFile(); err != nil {
		return err
	}
	select {
	case <-c.rotation.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := c.rotationError(); err != nil {
		return err
	}
	if err := c.log.Err(); err != nil {
		return err // there may be no segment behind
	}
	if err := c.log.useFolder(); err != nil {
		return err
	}
	defer c.log.folderUsers.Done()
	if err := publishFile(c.log.folder, c.finalName()); err != nil {
		return err
	}
	c.log.recordCommit(c)
	c.removeOlder()
	return nil
}

// finishFile writes the end frame and syncs the file.
func (c *Checkpoint) finishFile() error {
	if err := c.writeFrame(kindEnd, nil); err != nil {
		return err
	}
	if err := c.syncFile(); err != nil {
		return err
	}
	return c.closeFile()
}

func (c *Checkpoint) closeFile() error {
	if c.file == nil {
		return nil
	}
	f := c.file
	c.file = nil
	return f.Close()
}

func (l *Log) recordCommit(c *Checkpoint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.checkpoint = nil
	l.bytesSinceCheckpoint -= c.logBytes
	l.checkpointSize = c.size
}

// removeOlder removes the files before the checkpoint, as far as it can. Extra files do no harm.
func (c *Checkpoint) removeOlder() {
	found, err := listFolder(c.log.folder)
	if err != nil {
		return
	}
	for _, name := range found.namesBelow(c.header.number) {
		if c.log.folder.removeFile(name) != nil {
			return
		}
	}
}

// Discard gives the checkpoint up; the log stays whole. After a successful [Checkpoint.Commit] it
// does nothing, so it can be deferred. An error is the file system's: the next [Open] removes the
// rest of the file.
func (c *Checkpoint) Discard() error {
	// The next checkpoint may begin only at the end: it can have the same number.
	defer c.log.forgetCheckpoint(c)
	c.finalErr = ErrClosed
	if !c.created {
		return nil
	}
	err := c.closeFile()
	c.created = false
	if c.log.useFolder() != nil {
		return err // another Log may have opened the folder by now, and removed the file
	}
	defer c.log.folderUsers.Done()
	removeErr := c.log.folder.removeFile(c.finalName() + tmpSuffix)
	if errors.Is(removeErr, fs.ErrNotExist) {
		removeErr = nil // renamed already, but the new name may not be on disk
	}
	return errors.Join(err, removeErr)
}

func (l *Log) forgetCheckpoint(c *Checkpoint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.checkpoint == c {
		l.checkpoint = nil
	}
}
