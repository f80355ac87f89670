package wal

import (
	"errors"
	"io"
)

// segment is the file that the log goes on in. It is the writer's alone.
type segment struct {
	file     file
	header   header
	sum      uint32 // of the header
	end      int64  // where the next frame goes; all before it has been synced
	markSlot int    // of the newest mark
}

// createSegment makes a segment without records. After an error there may be a file,
// with its name or not yet, which the next attempt replaces.
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

// publishFile gives a whole and synced file its name. The file is closed: Windows renames
// no open one.
func publishFile(f folder, name string) error {
	if err := f.renameFile(name+tmpSuffix, name); err != nil {
		return err
	}
	return f.syncFolder()
}

// writeFrames writes frames and syncs them, and then says so in the mark: never the other
// way round, and before anybody is told.
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

// rewriteTail writes what is behind from once more, cuts what is behind the end, and
// syncs. Writing matters: pages that a failed sync left in memory count as clean, so
// that a sync alone would succeed without them.
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
