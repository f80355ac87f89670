package wal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
)

// LiveCopy is a copy of a folder at one moment, while a [Log] may have the folder open, in this or
// another process. Its files are open, and stay readable when the owner removes them. One goroutine at a
// time uses it.
type LiveCopy struct {
	Files  []LiveFile
	folder readOnlyFolder
	inputs []*input
	others map[string]osFile // by name; they stay open from one moment to the next
}

// LiveFile is a file of a copy.
type LiveFile struct {
	Name    string
	Size    int64 // in bytes; the file in the folder may have more by now
	Content io.Reader
}

// OpenLiveCopy opens the files of a copy: those of the log, with all records that were reported as
// synced before the call, and the files listed by others, which the newest checkpoint names. They are
// written once, before their checkpoint, and removed after a later one. others may be nil, and may list
// more files than are named. The caller calls Close.
//
// Errors match [ErrNoLog], [ErrCorrupt] (a [CorruptError]) or [ErrVersion] (a [VersionError]), or are
// the file system's, or the cause of ctx.
func OpenLiveCopy(ctx context.Context, path string, others func() ([]string, error)) (*LiveCopy, error) {
	c := &LiveCopy{folder: readOnlyFolder{osFolder(path)}, others: map[string]osFile{}}
	for {
		whole, err := c.openFiles(ctx, others)
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
		if whole {
			return c, nil
		}
	}
}

// openFiles opens the files of the log and then the others. whole is false if the owner began a segment
// or committed a checkpoint meanwhile: then the last segment may have ended, which needs its successor,
// or some of the others may be removed. Each repetition needs another checkpoint of the owner, and opens
// only those of the others that are new, so it is short.
func (c *LiveCopy) openFiles(ctx context.Context, others func() ([]string, error)) (whole bool, err error) {
	if err := c.Reopen(ctx); err != nil {
		return false, err
	}
	if others == nil {
		return c.isNewest()
	}
	return c.OpenOthers(ctx, others)
}

// Reopen takes the copy again, of a later moment: it opens the files of the log again. [LiveCopy.OpenOthers]
// then opens only files that it has not opened before. Errors are as of [OpenLiveCopy]. After an error the
// caller can only call Close.
func (c *LiveCopy) Reopen(ctx context.Context) error {
	err := closeInputs(c.inputs)
	c.inputs, c.Files = nil, nil
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	r := &recovery{folder: c.folder, format: AnyFormat}
	if c.inputs, err = r.openLive(math.MaxUint64); err != nil {
		return err
	}
	for _, in := range c.inputs {
		c.Files = append(c.Files, LiveFile{in.name, in.size, in.readCopy()})
	}
	return nil
}

// OpenOthers opens further files of the owner, for a copy of [OpenLiveCopy] without others: so the moments
// of two folders can be taken close together, and their files opened afterwards. whole is false if the
// owner began a segment or committed a checkpoint since the moment of the copy. Then call Reopen and
// OpenOthers again. Errors are the file system's, or the cause of ctx.
func (c *LiveCopy) OpenOthers(ctx context.Context, others func() ([]string, error)) (whole bool, err error) {
	if err := c.openOthers(ctx, others); err != nil {
		return false, err
	}
	return c.isNewest()
}

// lastSegment returns the last segment of the copy.
func (c *LiveCopy) lastSegment() *input { return c.inputs[len(c.inputs)-1] }

// Segment returns the number of the last segment of the copy.
func (c *LiveCopy) Segment() uint64 { return c.lastSegment().header.number }

// Format returns the format of the owner's records, as [Format].Newest.
func (c *LiveCopy) Format() uint32 { return c.lastSegment().header.recordFormat + 1 }

// isNewest reports whether the folder has no later segment and no later checkpoint.
func (c *LiveCopy) isNewest() (bool, error) {
	now, err := listFolder(c.folder)
	if err != nil {
		return false, err
	}
	lastSegment := len(now.segments) > 0 && slices.Max(now.segments) == c.Segment()
	newerCheckpoint := len(now.checkpoints) > 0 && fileName(checkpointPrefix, slices.Max(now.checkpoints)) != c.Files[0].Name
	return lastSegment && !newerCheckpoint, nil
}

// ReadSince passes the records behind the copy to visit: at least those that were reported as synced before
// the call. The copy stays as it is. whole is false if the owner began a segment since the moment of the
// copy, or the mark cannot be read: then visit has not got all.
//
// Errors match [ErrCorrupt] (a [CorruptError]), or are the file system's, or the error of visit.
func (c *LiveCopy) ReadSince(visit func(Record) error) (whole bool, err error) {
	last := c.lastSegment()
	head := make([]byte, headerSize)
	if _, err := last.file.ReadAt(head, 0); err != nil {
		return false, err
	}
	mark, _, ok := decodeMark(head, last.header.headerSum())
	if !ok {
		return false, nil
	}
	// The mark is read before the folder: a record that is synced by now is below the mark, or in a later segment.
	if whole, err = c.isNewest(); err != nil || !whole {
		return false, err
	}
	return true, last.readBehind(mark, visit)
}

// readBehind passes the records between the end of the input and a later mark to visit.
func (in *input) readBehind(mark int64, visit func(Record) error) error {
	if mark <= in.size {
		return nil
	}
	frames := newFrameReaderAt(in.file, in.header.headerSum(), in.size, mark)
	number := make([]byte, 8)
	if _, err := in.file.ReadAt(number, in.size+numberOffset); err != nil {
		return err
	}
	frames.nextNumber = binary.LittleEndian.Uint64(number)
	for {
		record, err := frames.readFrame()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, new(damage)):
			return in.corruptError(frames.offset, err)
		case err != nil:
			return err
		}
		if err := visit(record); err != nil {
			return err
		}
	}
}

// openOthers opens the files of the owner, and closes those that are no longer listed. A file that is gone
// was not named by the newest checkpoint, or the copy is not whole.
func (c *LiveCopy) openOthers(ctx context.Context, others func() ([]string, error)) error {
	names, err := others()
	if err != nil {
		return err
	}
	c.Files = c.Files[:len(c.inputs)]
	listed := make(map[string]bool, len(names))
	for _, name := range names {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		listed[name] = true
		opened, err := c.openOther(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		// A file that was opened for an earlier moment may have been written to its end since.
		size, err := opened.Size()
		if err != nil {
			return err
		}
		c.Files = append(c.Files, LiveFile{name, size, io.NewSectionReader(opened, 0, size)})
	}
	for name := range c.others {
		if !listed[name] {
			err = errors.Join(err, c.closeOther(name))
		}
	}
	return err
}

// openOther opens a file, unless it is open. An owner that failed to write a checkpoint may write the file
// of this name again.
func (c *LiveCopy) openOther(name string) (osFile, error) {
	path := c.folder.fullPath(name)
	if opened, isOpen := c.others[name]; isOpen {
		before, err := opened.Stat()
		if err != nil {
			return osFile{}, err
		}
		now, err := os.Stat(path)
		if err != nil || os.SameFile(before, now) {
			return opened, err
		}
		if err := c.closeOther(name); err != nil {
			return osFile{}, err
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return osFile{}, err
	}
	c.others[name] = osFile{f}
	return osFile{f}, nil
}

func (c *LiveCopy) closeOther(name string) error {
	err := c.others[name].Close()
	delete(c.others, name)
	return err
}

// readCopy reads a file up to its size, with the mark that was read: the owner goes on to write marks.
func (in *input) readCopy() io.Reader {
	if in.header.magic != logMagic {
		return io.NewSectionReader(in.file, 0, in.size)
	}
	head, sum := in.header.encodeHeader()
	copy(head[markOffset:], encodeMark(sum, in.mark))
	return io.MultiReader(bytes.NewReader(head), io.NewSectionReader(in.file, headerSize, in.size-headerSize))
}

// Close closes the files.
func (c *LiveCopy) Close() error {
	err := closeInputs(c.inputs)
	for name := range c.others {
		err = errors.Join(err, c.closeOther(name))
	}
	return err
}
