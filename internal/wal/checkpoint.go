package wal

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
)

// Checkpoint is a state of the owner that is being written. One goroutine at a time
// uses it, beside those that use the Log.
type Checkpoint struct {
	log      *Log
	header   header
	logBytes int64  // of log that it stands for, since the checkpoint before it
	rotation *group // goes on to the segment behind it

	finalErr   error // why nothing more is taken
	created    bool  // there is a file of this name and tmpSuffix
	file       file  // nil before the first write and after the last
	buffered   *bufio.Writer
	sum        uint32
	records    uint64
	size       int64
	syncedSize int64 // of size
}

// syncEvery is after how many bytes, in a checkpoint, the file is synced while it is
// being written. File systems that write their journal in order, as ext4 does, let a
// sync of the log wait for what a sync of the checkpoint has begun: with a large one
// synced only at its end, the log would stand still that long.
const syncEvery = 16 << 20

// Checkpoint begins a checkpoint. The owner calls it at a moment when its state is
// that of all records appended, and of no others: records appended later follow the
// checkpoint. It does not wait for the disk. There is one at a time: Checkpoint
// panics if the one before it was neither committed nor discarded.
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
	g := &group{nextHeader: &next, lastPosition: l.appended, done: make(chan struct{})}
	c := &Checkpoint{log: l, header: next, rotation: g}
	c.header.magic = checkpointMagic
	l.checkpoint = c
	if l.err != nil || l.closed {
		close(g.done) // Append and Commit say why
		return c
	}
	l.queue = append(l.queue, g)
	l.appendHeader, l.appendSum = next, next.headerSum()
	l.bytesSinceCheckpoint += frameHeader // the end frame
	c.logBytes = l.bytesSinceCheckpoint
	return c
}

// Append adds a record to the checkpoint. kind and data are as for the Log, but come
// in a slice, which Append does not keep. An error is the file system's, or ErrClosed;
// after one only Discard is left. It may be about the segment that has to be there
// behind the checkpoint. The log is not affected.
func (c *Checkpoint) Append(kind uint8, data []byte) error {
	checkRecord(kind, len(data))
	if c.finalErr == nil {
		c.finalErr = c.writeFrame(kind, data)
		c.records++
	}
	return c.finalErr
}

func (c *Checkpoint) finalName() string { return fileName(checkpointPrefix, c.header.number) }

// rotationError is why there is no segment behind the checkpoint, nil if there is one, or
// may be one yet.
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

// syncFile makes durable what was written so far.
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

// Commit makes the checkpoint the newest one, and removes what it stands for and the
// checkpoints before it. What cannot be removed is left to the next Commit or Open.
// After an error, the context's among others, only Discard is left: the log is whole,
// with or without the checkpoint. An error matches ErrFailed if the log has failed,
// or ErrClosed, or is the file system's or the context's. If the segment behind the
// checkpoint could not be made the log goes on without, and the next Checkpoint tries
// again.
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
		return err // perhaps there is no segment behind
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

// finishFile writes the end of the file and syncs it.
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

// removeOlder removes what it can. It is not wrong that more is there than needed.
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

// Discard gives the checkpoint up; the log stays whole. After Commit has succeeded it
// does nothing, so it can be deferred. An error is the file system's: what is left of
// the file is removed by the next Open.
func (c *Checkpoint) Discard() error {
	// Only then may the next one begin: it can have the same number.
	defer c.log.forgetCheckpoint(c)
	c.finalErr = ErrClosed
	if !c.created {
		return nil
	}
	err := c.closeFile()
	c.created = false
	if c.log.useFolder() != nil {
		return err // the folder may be somebody else's by now, who has removed the file
	}
	defer c.log.folderUsers.Done()
	removeErr := c.log.folder.removeFile(c.finalName() + tmpSuffix)
	if errors.Is(removeErr, fs.ErrNotExist) {
		removeErr = nil // it has its name, but that may not be on disk
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
