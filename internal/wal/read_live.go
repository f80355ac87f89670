package wal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
)

// ReadLive passes the records of a folder to restore, like [Read], also while a [Log] has the folder
// open, in this or another process. It takes no lock and changes nothing.
//
// The records are all those up to some moment during the call: at least those that were reported as
// synced before the call. Records behind the mark are left out, so [Recovery].Torn is nil, and after a
// power failure, before the next [Open], up to one group of synced records is missing.
//
// Errors match [ErrNoLog], [ErrCorrupt] (a [CorruptError]) or [ErrVersion] (a [VersionError]), or are
// the file system's, or the error of restore.
func ReadLive(path string, format Format, restore func(Record) error) (Content, error) {
	return readLive(readOnlyFolder{osFolder(path)}, format, math.MaxUint64, restore)
}

// Number returns the number of the checkpoint. The segment behind it has the same. A checkpoint that
// was discarded, or lost in a crash, may be followed by one of the same number.
func (c *Checkpoint) Number() uint64 { return c.header.number }

// ReadLog passes the records that the checkpoint is to replace to restore: those of the checkpoint before
// it, then those of the log up to it. It waits for the segment behind the checkpoint. Call it before
// [Checkpoint.Commit]. Errors match the same as those from [ReadLive], or are the context's, or the failure to make the segment
// behind the checkpoint; an error does not affect the log.
func (c *Checkpoint) ReadLog(ctx context.Context, format Format, restore func(Record) error) error {
	select {
	case <-c.rotation.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := errors.Join(c.rotationError(), c.log.Err()); err != nil {
		return err
	}
	if err := c.log.useFolder(); err != nil {
		return err
	}
	defer c.log.folderUsers.Done()
	content, err := readLive(c.log.folder, format, c.header.number, restore)
	if err == nil && content.Records != c.header.first {
		err = fmt.Errorf("wal: read %d records of %d before checkpoint %x", content.Records, c.header.first, c.header.number)
	}
	return err
}

// readLive reads the files below a number.
func readLive(f folder, format Format, below uint64, restore func(Record) error) (c Content, err error) {
	r := &recovery{folder: f, format: format, restore: restore}
	files, err := r.openLive(below)
	defer func() { err = errors.Join(err, closeInputs(files)) }()
	if err == nil {
		err = r.restoreLive(files)
	}
	if err != nil {
		return c, fmt.Errorf("wal: read: %w", err)
	}
	return Content{r.folderID, r.nextRecord, r.result}, nil
}

// openLive opens the files that count, in order. The owner may commit a checkpoint meanwhile:
//
//  1. openLive lists checkpoint 5 and segment 5.
//  2. The owner makes segment 6, gives checkpoint 6 its name, and removes checkpoint 5 and segment 5.
//  3. openLive finds checkpoint 5 gone, or it opened checkpoint 5 before and finds segment 5 gone.
//
// Then openLive lists the folder again. Each repetition needs another checkpoint of the owner, so the
// second look at the same names is not such a race, and its error counts. Step 2 during the listing can
// show any part of the old and the new names, and is answered in the same way. Files that are open
// stay readable when their names are removed.
func (r *recovery) openLive(below uint64) ([]*input, error) {
	var before folderContents
	for first := true; ; first = false {
		found, err := listFolder(r.folder)
		if errors.Is(err, fs.ErrNotExist) || err == nil && len(found.segments)+len(found.checkpoints) == 0 {
			return nil, ErrNoLog
		}
		if err != nil {
			return nil, err
		}
		files, err := r.openFound(found, below)
		if err == nil {
			return files, nil
		}
		closeErr := closeInputs(files)
		if !first && slices.Equal(found.segments, before.segments) && slices.Equal(found.checkpoints, before.checkpoints) {
			return nil, errors.Join(err, closeErr)
		}
		before, r.folderIDKnown = found, false
	}
}

// openFound opens the newest checkpoint and the segments from its number on. It returns the files that
// it opened also with an error.
func (r *recovery) openFound(found folderContents, below uint64) (files []*input, err error) {
	var number uint64
	if n := len(found.checkpoints); n > 0 {
		number = found.checkpoints[n-1]
		in, err := r.openInput(checkpointPrefix, checkpointMagic, number)
		if err != nil {
			return nil, err
		}
		files = append(files, in)
	}
	start, _ := slices.BinarySearch(found.segments, number)
	segments := found.segments[start:]
	for ; len(segments) > 0 && segments[0] == number && number < below; number++ {
		in, err := r.openInput(segmentPrefix, logMagic, number)
		if err != nil {
			return files, err
		}
		files, segments = append(files, in), segments[1:]
		if err := in.cutAtMark(); err != nil {
			return files, err
		}
	}
	if n := len(files); n == 0 || files[n-1].header.magic != logMagic || len(segments) > 0 && segments[0] < below {
		return files, &CorruptError{File: r.folder.fullPath(fileName(segmentPrefix, number)), Reason: "the file is missing"}
	}
	return files, nil
}

// cutAtMark leaves out what is behind the mark.
func (in *input) cutAtMark() error {
	if !in.markValid {
		return in.corruptError(0, damage("the mark cannot be read"))
	}
	// The size was read before the mark, and the file may have grown in between.
	size, err := in.file.Size()
	if err != nil {
		return err
	}
	if size < in.mark {
		return in.corruptError(size, damage(fmt.Sprintf("%d bytes were synced, the file has fewer", in.mark)))
	}
	in.size = in.mark
	in.frames = newFrameReader(in.file, in.header.headerSum(), in.mark)
	return nil
}

// restoreLive passes the records of the files to restore, up to the first segment without an end frame
// below its mark: when its mark was read, no segment behind it had a record.
func (r *recovery) restoreLive(files []*input) error {
	for _, in := range files {
		if in.header.magic == checkpointMagic {
			r.nextRecord = in.header.first
			var err error
			if r.result.CheckpointRecords, err = r.restoreRecords(in, 0); err != nil {
				return in.locateDamage(err)
			}
			continue
		}
		switch err := r.readSegmentRecords(in); {
		case err == nil:
		case errors.As(err, new(damage)) && in.frames.offset == in.mark:
			return nil
		default:
			return in.locateDamage(err)
		}
	}
	return nil
}

// locateDamage turns a damage into a [CorruptError].
func (in *input) locateDamage(err error) error {
	if errors.As(err, new(damage)) {
		return in.corruptError(in.frames.offset, err)
	}
	return err
}

func closeInputs(files []*input) (err error) {
	for _, in := range files {
		err = errors.Join(err, in.file.Close())
	}
	return err
}
