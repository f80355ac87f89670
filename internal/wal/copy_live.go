package wal

import (
	"bytes"
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
		c := &LiveCopy{}
		whole, err := c.openFiles(f, others)
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
func (c *LiveCopy) openFiles(f folder, others func() ([]string, error)) (whole bool, err error) {
	r := &recovery{folder: f, format: AnyFormat}
	if c.inputs, err = r.openLive(math.MaxUint64); err != nil {
		return false, err
	}
	for _, in := range c.inputs {
		c.Files = append(c.Files, LiveFile{in.name, in.size, in.readCopy()})
	}
	if others != nil {
		if err := c.openOthers(f, others); err != nil {
			return false, err
		}
	}
	now, err := listFolder(f)
	if err != nil {
		return false, err
	}
	last := c.inputs[len(c.inputs)-1].header.number
	newerSegment := len(now.segments) > 0 && slices.Max(now.segments) > last
	newerCheckpoint := len(now.checkpoints) > 0 && fileName(checkpointPrefix, slices.Max(now.checkpoints)) != c.Files[0].Name
	return !newerSegment && !newerCheckpoint, nil
}

// openOthers opens the files of the owner. A file that is gone was not named by the newest checkpoint,
// or the copy is not whole.
func (c *LiveCopy) openOthers(f folder, others func() ([]string, error)) error {
	names, err := others()
	if err != nil {
		return err
	}
	for _, name := range names {
		opened, err := f.openFile(name)
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
