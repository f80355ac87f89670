package wal

import (
	"errors"
	"io"
)

// segment is the file to which the log is written. Only the writer uses it.
type segment struct {
	file     file
	header   header
	sum      uint32 // of the header
	end      int64  // offset of the next frame; all bytes before it are synced
	markSlot int    // of the newest mark
}

// createSegment makes a segment without records. An error may leave a file, with its name or still
// unfinished. The next attempt replaces the file.
func createSegment(f folder, h header) (*segment, error) {
	name := fileName(segmentPrefix, h.number)
	b, sum := h.encodeHeader()
	if err := createSyncedFile(f, name+tmpSuffix, b); err != nil {
		return nil, err
	}
	if err := publishFile(f, name); err != nil {
		return nil, err
	}
	opened, err := f.openFile(name)
	if err != nil {
		return nil, err
	}
	return &segment{file: opened, header: h, sum: sum, end: headerSize}, nil
}

func createSyncedFile(f folder, name string, content []byte) error {
	created, err := replaceFile(f, name)
	if err != nil {
		return err
	}
	if _, err = created.WriteAt(content, 0); err == nil {
		err = created.Sync()
	}
	return errors.Join(err, created.Close())
}

// publishFile gives a whole and synced file its name. The file must be closed: Windows does not
// rename open files.
func publishFile(f folder, name string) error {
	if err := f.renameFile(name+tmpSuffix, name); err != nil {
		return err
	}
	return f.syncFolder()
}

// writeFrames writes frames, syncs them, and then writes the mark: never in another order, and
// before a caller of Wait learns of the frames.
func (s *segment) writeFrames(frames []byte) error {
	if _, err := s.file.WriteAt(frames, s.end); err != nil {
		return err
	}
	if err := s.file.Sync(); err != nil {
		return err
	}
	s.end += int64(len(frames))
	return s.writeMark()
}

func (s *segment) writeMark() error {
	s.markSlot = (s.markSlot + 1) % markSlots
	_, err := s.file.WriteAt(encodeMark(s.sum, s.end), int64(markOffset+s.markSlot*markSize))
	return err
}

// rewriteTail writes the bytes from an offset to the end once more, cuts the file behind the end,
// and syncs. A sync alone is not enough: pages left in memory by a failed sync count as clean, so
// it would succeed without writing them.
func (s *segment) rewriteTail(from int64) error {
	if _, err := io.Copy(io.NewOffsetWriter(s.file, from), io.NewSectionReader(s.file, from, s.end-from)); err != nil {
		return err
	}
	if err := s.file.Truncate(s.end); err != nil {
		return err
	}
	if err := s.file.Sync(); err != nil {
		return err
	}
	return s.writeMark()
}
