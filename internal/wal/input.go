package wal

import (
	"errors"
	"fmt"
	"io"
)

// input is a file being read by recovery.
type input struct {
	name   string
	path   string
	file   file
	size   int64
	header header
	frames *frameReader // at the first frame not read

	// Of a segment.
	mark      int64
	markSlot  int
	markValid bool
}

func (in *input) corruptError(offset int64, why error) error {
	return &CorruptError{File: in.path, Offset: offset, Reason: why.Error()}
}

// openInput opens a file and checks its header.
func (r *recovery) openInput(prefix, magic string, number uint64) (*input, error) {
	name := fileName(prefix, number)
	f, err := r.folder.openFile(name)
	if err != nil {
		return nil, err
	}
	in := &input{name: name, path: r.folder.fullPath(name), file: f}
	if err := r.readHeader(in, magic, number); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return in, nil
}

func (r *recovery) readHeader(in *input, magic string, number uint64) (err error) {
	if in.size, err = in.file.Size(); err != nil {
		return err
	}
	b := make([]byte, min(in.size, headerSize))
	if _, err := in.file.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	in.header, err = decodeHeader(b, magic)
	if err == nil && (in.header.recordFormat >= r.format.Newest || in.header.recordFormat+1 < r.format.Oldest) {
		err = &VersionError{Content: r.format.Name, Format: in.header.recordFormat + 1, Reads: r.format.Newest, Oldest: r.format.Oldest}
	}
	var newer *VersionError
	switch {
	case errors.As(err, new(damage)):
		return in.corruptError(0, err)
	case errors.As(err, &newer):
		newer.File = in.path
		return newer
	case in.header.number != number:
		return in.corruptError(0, damage(fmt.Sprintf("the file is number %x", in.header.number)))
	case r.folderIDKnown && in.header.folder != r.folderID:
		return in.corruptError(0, damage("the file is from another folder"))
	}
	r.folderID, r.folderIDKnown = in.header.folder, true
	sum := in.header.headerSum()
	in.mark, in.markSlot, in.markValid = decodeMark(b, sum)
	in.frames = newFrameReader(in.file, sum, in.size)
	return nil
}

// restoreRecords passes the records of a file to restore; the first record must have the number
// first. The result is nil at an end frame with nothing behind it, and a damage if the reader is at
// a broken frame or at the end of the file.
func (r *recovery) restoreRecords(in *input, first uint64) (records int, err error) {
	in.frames.nextNumber = first
	for {
		at := in.frames.offset
		record, err := in.frames.readFrame()
		switch {
		case errors.Is(err, io.EOF):
			return records, damage("the end frame is missing")
		case err != nil:
			return records, err
		case record.Kind == kindEnd && in.frames.offset < in.size:
			// Not torn: no writer writes behind an end frame.
			return records, in.corruptError(in.frames.offset, damage("there is something behind the end frame"))
		case record.Kind == kindEnd:
			return records, nil
		}
		if err := r.restore(record); err != nil {
			return records, fmt.Errorf("wal: %s: record at byte %d: %w", in.path, at, err)
		}
		records++
	}
}

// continueSegment returns the segment, open for writing behind the last whole frame, with all
// frames on disk.
func (in *input) continueSegment() (*segment, error) {
	s := &segment{file: in.file, header: in.header, sum: in.frames.sum, end: in.frames.offset, markSlot: in.markSlot}
	if s.end == in.mark && s.end == in.size {
		return s, nil
	}
	return s, s.rewriteTail(in.mark)
}
