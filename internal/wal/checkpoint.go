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
	log    *Log
	header header
	bytes  int64         // of log that it stands for, since the checkpoint before it
	behind chan struct{} // closed when the segment behind it is there, or the log has failed

	err     error // why nothing more is taken
	created bool  // there is a file of this name and tmpSuffix
	file    file  // nil before the first write and after the last
	out     *bufio.Writer
	sum     uint32
	count   uint64
	size    int64
}

// Checkpoint begins a checkpoint. The owner calls it at a moment when its state is
// that of all records appended, and of no others: records appended later follow the
// checkpoint. It does not wait for the disk. There is one at a time: Checkpoint
// panics if the one before it was neither committed nor discarded.
func (l *Log) Checkpoint() *Checkpoint {
	c := l.cut()
	l.signal()
	return c
}

func (l *Log) cut() *Checkpoint {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.checkpoint != nil {
		panic("wal: a checkpoint while another one is being written")
	}
	next := l.header
	next.number++
	next.first = uint64(l.appended)
	done := make(chan struct{})
	c := &Checkpoint{log: l, header: next, behind: done}
	c.header.magic = checkpointMagic
	l.checkpoint = c
	if l.err != nil || l.closed {
		close(done) // Append and Commit say why
		return c
	}
	l.queue = append(l.queue, &group{next: &next, last: l.appended, done: done})
	l.header, l.sum = next, next.sum()
	l.bytes += frameHeader // the end frame
	c.bytes = l.bytes
	return c
}

// Append adds a record to the checkpoint. kind and data are as for the Log, but come
// in a slice, which Append does not keep. An error is the file system's, or ErrClosed;
// after one only Discard is left. The log is not affected.
func (c *Checkpoint) Append(kind uint8, data []byte) error {
	checkRecord(kind, len(data))
	if c.err == nil {
		c.err = c.write(kind, data)
		c.count++
	}
	return c.err
}

func (c *Checkpoint) name() string { return fileName(checkpointPrefix, c.header.number) }

func (c *Checkpoint) write(kind uint8, data []byte) error {
	if c.file == nil {
		if err := c.create(); err != nil {
			return err
		}
	}
	var head [frameHeader]byte
	putFrameHeader(head[:], c.sum, c.count, kind, data)
	if _, err := c.out.Write(head[:]); err != nil {
		return err
	}
	_, err := c.out.Write(data)
	c.size += frameHeader + int64(len(data))
	return err
}

func (c *Checkpoint) create() error {
	if err := c.log.use(); err != nil {
		return err
	}
	defer c.log.users.Done()
	f, err := c.log.folder.create(c.name() + tmpSuffix)
	if err != nil {
		return err
	}
	c.file, c.created = f, true
	c.out = bufio.NewWriterSize(io.NewOffsetWriter(f, 0), 256<<10)
	b, sum := c.header.encode()
	c.sum, c.size = sum, int64(len(b))
	_, err = c.out.Write(b)
	return err
}

// Commit makes the checkpoint the newest one, and removes what it stands for and the
// checkpoints before it. What cannot be removed is left to the next Commit or Open.
// After an error, the context's among others, only Discard is left: the log is whole,
// with or without the checkpoint. An error matches ErrFailed if the log has failed,
// or ErrClosed, or is the file system's or the context's.
func (c *Checkpoint) Commit(ctx context.Context) error {
	if c.err != nil {
		return c.err
	}
	if c.err = c.commit(ctx); c.err != nil {
		return c.err
	}
	c.err = ErrClosed
	c.created = false
	return nil
}

func (c *Checkpoint) commit(ctx context.Context) error {
	if err := c.finish(); err != nil {
		return err
	}
	select {
	case <-c.behind:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := c.log.Err(); err != nil {
		return err // perhaps there is no segment behind
	}
	if err := c.log.use(); err != nil {
		return err
	}
	defer c.log.users.Done()
	if err := publish(c.log.folder, c.name()); err != nil {
		return err
	}
	c.log.committed(c)
	c.removeOlder()
	return nil
}

// finish writes the end of the file and syncs it.
func (c *Checkpoint) finish() error {
	if err := c.write(kindEnd, nil); err != nil {
		return err
	}
	if err := c.out.Flush(); err != nil {
		return err
	}
	if err := c.file.Sync(); err != nil {
		return err
	}
	return c.close()
}

func (c *Checkpoint) close() error {
	if c.file == nil {
		return nil
	}
	f := c.file
	c.file = nil
	return f.Close()
}

func (l *Log) committed(c *Checkpoint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.checkpoint = nil
	l.bytes -= c.bytes
	l.checkpointSize = c.size
}

// removeOlder removes what it can. It is not wrong that more is there than needed.
func (c *Checkpoint) removeOlder() {
	found, err := listFolder(c.log.folder)
	if err != nil {
		return
	}
	for _, name := range found.olderThan(c.header.number) {
		if c.log.folder.remove(name) != nil {
			return
		}
	}
}

// Discard gives the checkpoint up; the log stays whole. After Commit has succeeded it
// does nothing, so it can be deferred. An error is the file system's: what is left of
// the file is removed by the next Open.
func (c *Checkpoint) Discard() error {
	c.log.discarded(c)
	c.err = ErrClosed
	err := c.close()
	if !c.created {
		return err
	}
	c.created = false
	if c.log.use() != nil {
		return err // the folder may be somebody else's by now, who has removed the file
	}
	defer c.log.users.Done()
	removeErr := c.log.folder.remove(c.name() + tmpSuffix)
	if errors.Is(removeErr, fs.ErrNotExist) {
		removeErr = nil // it has its name, but that may not be on disk
	}
	return errors.Join(err, removeErr)
}

func (l *Log) discarded(c *Checkpoint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.checkpoint == c {
		l.checkpoint = nil
	}
}
