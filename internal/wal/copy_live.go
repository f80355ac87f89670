package wal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"math"
	"slices"
)

// LiveCopy is a copy of a folder at one moment, while a [Log] may have the folder open, in this or
// another process. Its files are open, and stay readable when the owner removes them.
type LiveCopy struct {
	Files  []LiveFile
	folder folder
	inputs []*input
	others []file
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
// the file system's.
func OpenLiveCopy(path string, others func() ([]string, error)) (*LiveCopy, error) {
	return openLiveCopy(readOnlyFolder{osFolder(path)}, others)
}

func openLiveCopy(f folder, others func() ([]string, error)) (*LiveCopy, error) {
	for {
		c := &LiveCopy{folder: f}
		whole, err := c.openFiles(others)
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
		if whole {
			return c, nil
		}
		if err := c.Close(); err != nil {
			return nil, err
		}
	}
}

// openFiles opens the files of the log and then the others. whole is false if the owner began a segment
// or committed a checkpoint meanwhile: then the last segment may have ended, which needs its successor,
// or some of the others may be removed. Each repetition needs another checkpoint of the owner.
func (c *LiveCopy) openFiles(others func() ([]string, error)) (whole bool, err error) {
	r := &recovery{folder: c.folder, format: AnyFormat}
	if c.inputs, err = r.openLive(math.MaxUint64); err != nil {
		return false, err
	}
	for _, in := range c.inputs {
		c.Files = append(c.Files, LiveFile{in.name, in.size, in.readCopy()})
	}
	if others == nil {
		return c.isNewest()
	}
	return c.OpenOthers(others)
}

// OpenOthers opens further files of the owner, for a copy of [OpenLiveCopy] without others: so the moments
// of two folders can be taken close together, and their files opened afterwards. whole is false if the
// owner began a segment or committed a checkpoint since the moment of the copy. Then close the copy, and
// open another.
func (c *LiveCopy) OpenOthers(others func() ([]string, error)) (whole bool, err error) {
	if err := c.openOthers(others); err != nil {
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

// openOthers opens the files of the owner. A file that is gone was not named by the newest checkpoint,
// or the copy is not whole.
func (c *LiveCopy) openOthers(others func() ([]string, error)) error {
	names, err := others()
	if err != nil {
		return err
	}
	for _, name := range names {
		opened, err := c.folder.openFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		c.others = append(c.others, opened)
		size, err := opened.Size()
		if err != nil {
			return err
		}
		c.Files = append(c.Files, LiveFile{name, size, io.NewSectionReader(opened, 0, size)})
	}
	return nil
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
	for _, f := range c.others {
		err = errors.Join(err, f.Close())
	}
	return err
}
