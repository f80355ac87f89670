package wal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
)

// Recovery is what Open found.
type Recovery struct {
	Records           int // of the log, without those of the checkpoint
	CheckpointRecords int
	Torn              *Torn // nil if nothing was cut
}

// Torn is what Open cut from the end of the log. It was being written at the time of
// a crash, and was never synced, so never answered.
type Torn struct {
	File          string // with its folder
	Offset, Bytes int64  // where it was cut, and how much was behind
}

// recovery reads a folder, and changes nothing in it before all is read.
type recovery struct {
	folder  folder
	format  Format
	restore func(Record) error
	result  Recovery

	id             [16]byte // of the folder
	idKnown        bool
	next           uint64   // the number of the next record of the log
	dropped        []string // files that nobody needs
	unsynced       []*input // segments that have ended, perhaps not on disk
	logBytes       int64    // of the frames behind the checkpoint
	checkpointSize int64
}

// run returns the segment that the log goes on in.
func (r *recovery) run() (s *segment, err error) {
	defer func() { err = errors.Join(err, r.closeUnsynced()) }()
	last, err := r.readAll()
	switch {
	case errors.Is(err, ErrNoLog):
		return r.begin()
	case err != nil:
		return nil, err
	}
	if s, err = r.goOn(last); err != nil {
		return nil, errors.Join(err, last.file.Close())
	}
	return s, nil
}

// readAll reads all that counts, and returns the last segment. The error is ErrNoLog if there
// is nothing.
func (r *recovery) readAll() (last *input, err error) {
	found, err := listFolder(r.folder)
	if err != nil {
		return nil, err
	}
	r.dropped = found.unfinished
	if len(found.segments)+len(found.checkpoints) == 0 {
		return nil, ErrNoLog
	}
	var first uint64
	if n := len(found.checkpoints); n > 0 {
		first = found.checkpoints[n-1]
		if err := r.checkpoint(first); err != nil {
			return nil, err
		}
	}
	r.dropped = append(r.dropped, found.olderThan(first)...)
	start, _ := slices.BinarySearch(found.segments, first)
	return r.log(first, found.segments[start:])
}

func (r *recovery) closeUnsynced() (err error) {
	for _, in := range r.unsynced {
		err = errors.Join(err, in.file.Close())
	}
	return err
}

// begin makes the first segment of a new folder.
func (r *recovery) begin() (*segment, error) {
	if err := r.clean(); err != nil {
		return nil, err
	}
	if _, err := rand.Read(r.id[:]); err != nil {
		return nil, err
	}
	return createSegment(r.folder, header{magic: logMagic, records: r.format.Newest - 1, folder: r.id})
}

func (r *recovery) checkpoint(number uint64) error {
	in, err := r.open(checkpointPrefix, checkpointMagic, number)
	if err != nil {
		return err
	}
	r.next, r.checkpointSize = in.header.first, in.size
	r.result.CheckpointRecords, err = r.read(in, 0)
	if errors.As(err, new(damage)) {
		err = in.corrupt(in.frames.offset, err)
	}
	return errors.Join(err, in.file.Close())
}

// log reads the segments from first on and returns the last one. present are those
// that there are.
func (r *recovery) log(first uint64, present []uint64) (*input, error) {
	for number := first; ; number++ {
		if len(present) == 0 || present[0] != number {
			name := fileName(segmentPrefix, number)
			return nil, &CorruptError{File: r.folder.path(name), Reason: "the file is missing"}
		}
		present = present[1:]
		in, ended, err := r.segment(number, present)
		if err != nil {
			return nil, err
		}
		if !ended {
			return in, nil
		}
		// The crash may have come before the sync of the end frame, and a record in
		// the next segment says that it is there.
		if in.frames.offset != in.mark {
			r.unsynced = append(r.unsynced, in)
		} else if err := in.file.Close(); err != nil {
			return nil, err
		}
	}
}

// segment reads a segment. It has ended if another one follows. later are those that
// there are behind it.
func (r *recovery) segment(number uint64, later []uint64) (in *input, ended bool, err error) {
	in, err = r.open(segmentPrefix, logMagic, number)
	if err != nil {
		return nil, false, err
	}
	err = r.readSegment(in)
	var why damage
	if errors.As(err, &why) {
		err = r.torn(in, why, later)
	} else {
		ended = err == nil
	}
	if err != nil {
		return nil, false, errors.Join(err, in.file.Close())
	}
	return in, ended, nil
}

// readSegment returns what read does.
func (r *recovery) readSegment(in *input) error {
	switch {
	case !in.markOK:
		return in.corrupt(0, damage("the mark cannot be read"))
	case in.size < in.mark:
		return in.corrupt(in.size, damage(fmt.Sprintf("%d bytes were synced, the file has fewer", in.mark)))
	case in.header.first != r.next:
		return in.corrupt(0, damage(fmt.Sprintf("the segment begins with record %d, it should be %d", in.header.first, r.next)))
	}
	records, err := r.read(in, r.next)
	r.next += uint64(records)
	r.result.Records += records
	r.logBytes += in.frames.offset - headerSize
	return err
}

// torn decides what a segment is that does not end with an end frame: the last one,
// or the last but one if the crash came while it was being ended, or damaged.
func (r *recovery) torn(in *input, why damage, later []uint64) error {
	end := in.frames.offset
	if end < in.mark {
		return in.corrupt(end, why)
	}
	if len(later) > 0 {
		unused, err := r.unused(in.header.number+1, later)
		if err != nil {
			return err
		}
		if !unused {
			return in.corrupt(end, why)
		}
		r.dropped = append(r.dropped, fileName(segmentPrefix, later[0]))
	}
	if in.size > end {
		r.result.Torn = &Torn{File: r.folder.path(in.name), Offset: end, Bytes: in.size - end}
	}
	return nil
}

// unused reports whether a segment is the only one of those later, has never had a
// frame, and was made when the log had no more records than were read. It had fewer
// if the writer gave that segment up and went on in the one before.
func (r *recovery) unused(number uint64, later []uint64) (bool, error) {
	if len(later) > 1 || later[0] != number {
		return false, nil
	}
	in, err := r.open(segmentPrefix, logMagic, number)
	if err != nil {
		return false, err
	}
	unused := in.size == headerSize && in.markOK && in.mark == headerSize && in.header.first <= r.next
	return unused, in.file.Close()
}

// goOn makes durable what was read, removes what is not needed, and readies the last
// segment for more.
func (r *recovery) goOn(last *input) (*segment, error) {
	// The crash may have come before a name was made durable. That is due before
	// what the name stands for is removed, or records are added behind it.
	if err := r.folder.sync(); err != nil {
		return nil, err
	}
	for _, in := range r.unsynced {
		if _, err := in.goOn(); err != nil {
			return nil, err
		}
	}
	s, err := last.goOn()
	if err != nil {
		return nil, err
	}
	return s, r.clean()
}

func (r *recovery) clean() error {
	for _, name := range r.dropped {
		if err := r.folder.remove(name); err != nil {
			return err
		}
	}
	if len(r.dropped) == 0 {
		return nil
	}
	return r.folder.sync()
}
