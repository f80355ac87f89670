package wal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
)

// Recovery is the result of [Open].
type Recovery struct {
	Records           int // of the log, without the records of the checkpoint
	CheckpointRecords int
	Torn              *Torn // nil if nothing was cut
}

// Torn is the part cut by [Open] from the end of the log. It was being written at the time of a
// crash, and was never synced, so never acknowledged.
type Torn struct {
	File          string // the path
	Offset, Bytes int64  // the place of the cut, and the number of bytes cut
}

// recovery reads a folder, and changes nothing in it before every file was read.
type recovery struct {
	folder  folder
	format  Format
	restore func(Record) error
	result  Recovery

	folderID         [16]byte // of the folder
	folderIDKnown    bool
	nextRecord       uint64   // number of the next record of the log
	obsolete         []string // files not needed any more
	unsyncedSegments []*input // segments with an end frame that may not be on disk
	logBytes         int64    // of the frames behind the checkpoint
	checkpointSize   int64
}

// recoverSegment returns the segment in which the log goes on.
func (r *recovery) recoverSegment() (s *segment, err error) {
	defer func() { err = errors.Join(err, r.closeUnsynced()) }()
	last, err := r.readAll()
	switch {
	case errors.Is(err, ErrNoLog):
		return r.createFirstSegment()
	case err != nil:
		return nil, err
	}
	if s, err = r.continueLog(last); err != nil {
		return nil, errors.Join(err, last.file.Close())
	}
	return s, nil
}

// readAll reads all files that count, and returns the last segment. The error is [ErrNoLog] if
// there are none.
func (r *recovery) readAll() (last *input, err error) {
	found, err := listFolder(r.folder)
	if err != nil {
		return nil, err
	}
	r.obsolete = found.unfinished
	if len(found.segments)+len(found.checkpoints) == 0 {
		return nil, ErrNoLog
	}
	var first uint64
	if n := len(found.checkpoints); n > 0 {
		first = found.checkpoints[n-1]
		if err := r.readCheckpoint(first); err != nil {
			return nil, err
		}
	}
	r.obsolete = append(r.obsolete, found.namesBelow(first)...)
	start, _ := slices.BinarySearch(found.segments, first)
	return r.readSegments(first, found.segments[start:])
}

func (r *recovery) closeUnsynced() (err error) {
	for _, in := range r.unsyncedSegments {
		err = errors.Join(err, in.file.Close())
	}
	return err
}

// createFirstSegment makes the first segment of a new folder.
func (r *recovery) createFirstSegment() (*segment, error) {
	if err := r.removeObsolete(); err != nil {
		return nil, err
	}
	if _, err := rand.Read(r.folderID[:]); err != nil {
		return nil, err
	}
	return createSegment(r.folder, header{magic: logMagic, recordFormat: r.format.Newest - 1, folder: r.folderID})
}

func (r *recovery) readCheckpoint(number uint64) error {
	in, err := r.openInput(checkpointPrefix, checkpointMagic, number)
	if err != nil {
		return err
	}
	r.nextRecord, r.checkpointSize = in.header.first, in.size
	r.result.CheckpointRecords, err = r.restoreRecords(in, 0)
	if errors.As(err, new(damage)) {
		err = in.corruptError(in.frames.offset, err)
	}
	return errors.Join(err, in.file.Close())
}

// readSegments reads the segments from first on and returns the last one. present are the numbers
// of the existing segments.
func (r *recovery) readSegments(first uint64, present []uint64) (*input, error) {
	for number := first; ; number++ {
		if len(present) == 0 || present[0] != number {
			name := fileName(segmentPrefix, number)
			return nil, &CorruptError{File: r.folder.fullPath(name), Reason: "the file is missing"}
		}
		present = present[1:]
		in, ended, err := r.readSegment(number, present)
		if err != nil {
			return nil, err
		}
		if !ended {
			return in, nil
		}
		// The crash may have come before the sync of the end frame. A record in the next segment
		// implies that the end frame is on disk.
		if in.frames.offset != in.mark {
			r.unsyncedSegments = append(r.unsyncedSegments, in)
		} else if err := in.file.Close(); err != nil {
			return nil, err
		}
	}
}

// readSegment reads a segment. ended is true if the segment has an end frame. later are the numbers
// of the existing segments behind it.
func (r *recovery) readSegment(number uint64, later []uint64) (in *input, ended bool, err error) {
	in, err = r.openInput(segmentPrefix, logMagic, number)
	if err != nil {
		return nil, false, err
	}
	err = r.readSegmentRecords(in)
	var why damage
	if errors.As(err, &why) {
		err = r.checkTornEnd(in, why, later)
	} else {
		ended = err == nil
	}
	if err != nil {
		return nil, false, errors.Join(err, in.file.Close())
	}
	return in, ended, nil
}

// readSegmentRecords returns the error of restoreRecords, after checks of mark and header.
func (r *recovery) readSegmentRecords(in *input) error {
	switch {
	case !in.markValid:
		return in.corruptError(0, damage("the mark cannot be read"))
	case in.size < in.mark:
		return in.corruptError(in.size, damage(fmt.Sprintf("%d bytes were synced, the file has fewer", in.mark)))
	case in.header.first != r.nextRecord:
		return in.corruptError(0, damage(fmt.Sprintf("the segment begins with record %d, it should be %d", in.header.first, r.nextRecord)))
	}
	records, err := r.restoreRecords(in, r.nextRecord)
	r.nextRecord += uint64(records)
	r.result.Records += records
	r.logBytes += in.frames.offset - headerSize
	return err
}

// checkTornEnd handles a segment without an end frame: the last one, the last but one if the crash
// came while it was being ended, or a damaged one.
func (r *recovery) checkTornEnd(in *input, why damage, later []uint64) error {
	end := in.frames.offset
	if end < in.mark {
		return in.corruptError(end, why)
	}
	if len(later) > 0 {
		unused, err := r.isUnused(in.header.number+1, later)
		if err != nil {
			return err
		}
		if !unused {
			return in.corruptError(end, why)
		}
		r.obsolete = append(r.obsolete, fileName(segmentPrefix, later[0]))
	}
	if in.size > end {
		r.result.Torn = &Torn{File: r.folder.fullPath(in.name), Offset: end, Bytes: in.size - end}
	}
	return nil
}

// isUnused reports whether segment number is the only later segment, never had a frame, and was
// made when the log had no more records than were read. It was made with fewer records if the
// writer gave the segment up and went on in the one before.
func (r *recovery) isUnused(number uint64, later []uint64) (bool, error) {
	if len(later) > 1 || later[0] != number {
		return false, nil
	}
	in, err := r.openInput(segmentPrefix, logMagic, number)
	if err != nil {
		return false, err
	}
	unused := in.size == headerSize && in.markValid && in.mark == headerSize && in.header.first <= r.nextRecord
	return unused, in.file.Close()
}

// continueLog makes the records read durable, removes obsolete files, and opens the last segment
// for writing.
func (r *recovery) continueLog(last *input) (*segment, error) {
	// The crash may have come before a name was made durable. The name must be durable before older
	// files are removed, or records are added behind it.
	if err := r.folder.syncFolder(); err != nil {
		return nil, err
	}
	for _, in := range r.unsyncedSegments {
		if _, err := in.continueSegment(); err != nil {
			return nil, err
		}
	}
	s, err := last.continueSegment()
	if err != nil {
		return nil, err
	}
	return s, r.removeObsolete()
}

func (r *recovery) removeObsolete() error {
	for _, name := range r.obsolete {
		if err := r.folder.removeFile(name); err != nil {
			return err
		}
	}
	if len(r.obsolete) == 0 {
		return nil
	}
	return r.folder.syncFolder()
}
