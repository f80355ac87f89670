package aggregate

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/peerledger/peerledger/internal/packetlog"
	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/transfers"
)

// checkpoint is a state of the machine that replaces the journal's log. The packets of that log go
// into a file of the archive first, so that they are in one of the two at any moment.
type checkpoint struct {
	state   *wal.Checkpoint
	entries []checkpointEntry
	now     int64 // the horizon's clock
}

type checkpointEntry struct {
	kind uint8
	data []byte
}

// isCheckpointDue reports whether the log has outgrown its newest checkpoint.
func (j *journal) isCheckpointDue() bool {
	return j.log != nil && j.log.SinceCheckpoint() > max(j.checkpointInterval, 2*j.log.CheckpointSize(), j.retryAt.Load())
}

// startCheckpoint begins a checkpoint if one is due, and writes it in a goroutine of its own: rounds
// go on. The recorder's loop calls it, and waits for the goroutine at its end.
func (r *Recorder) startCheckpoint() {
	if !r.journal.isCheckpointDue() {
		return
	}
	select {
	case r.checkpointing <- struct{}{}:
	default:
		return // the last one is still being written
	}
	c := r.beginCheckpoint()
	go func() {
		defer func() { <-r.checkpointing }()
		if err := r.journal.writeCheckpoint(r.ctx, c); err != nil && r.ctx.Err() == nil {
			r.journal.retryAt.Store(r.journal.log.SinceCheckpoint() + r.journal.checkpointInterval)
			r.reportJournal(r.journal.wrapError(err))
		}
	}()
}

// beginCheckpoint takes the machine's state, which replaces the log up to here.
func (r *Recorder) beginCheckpoint() *checkpoint {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := &checkpoint{state: r.journal.log.Checkpoint(), now: r.machine.clock}
	r.machine.checkpoint(func(kind uint8, data []byte) { c.entries = append(c.entries, checkpointEntry{kind, data}) })
	return c
}

// waitForCheckpoint waits until no checkpoint is being written.
func (r *Recorder) waitForCheckpoint() { r.checkpointing <- struct{}{} }

// writeCheckpoint archives the log's packets and then replaces the log. After an error the log is as
// it was; a file of the archive may be there, and is written again by the next.
func (j *journal) writeCheckpoint(ctx context.Context, c *checkpoint) (err error) {
	defer func() { err = errors.Join(err, c.state.Discard()) }()
	for _, e := range c.entries {
		if err := c.state.Append(e.kind, e.data); err != nil {
			return err
		}
	}
	own, err := j.archiveLog(ctx, c.state)
	if err != nil {
		return fmt.Errorf("archive packets: %w", err)
	}
	j.needed = append(j.stillNeeded(c.now, own.number), own)
	if err := c.state.Append(packetlog.KindArchives, appendNeeded(nil, j.needed)); err != nil {
		return err
	}
	if err := c.state.Commit(ctx); err != nil {
		return err
	}
	j.retryAt.Store(0)
	removed, err := packetlog.RemoveArchives(j.archiveFolder(), c.now-int64(j.retention))
	j.archive.remove(removed)
	if err != nil {
		return fmt.Errorf("remove old packets of the archive: %w", err)
	}
	return nil
}

// stillNeeded returns the files of the last list with packets within their horizon, without one that a
// failed checkpoint has left.
func (j *journal) stillNeeded(now int64, except uint64) (needed []neededArchive) {
	for _, a := range j.needed {
		if a.number != except && a.newestExpiry >= now-int64(j.memory) {
			needed = append(needed, a)
		}
	}
	return needed
}

func appendNeeded(b []byte, needed []neededArchive) []byte {
	for _, a := range needed {
		b = binary.BigEndian.AppendUint64(b, a.number)
		b = binary.BigEndian.AppendUint64(b, uint64(a.newestExpiry))
	}
	return b
}

func (j *journal) archiveFolder() string { return filepath.Join(j.folder, packetlog.ArchiveFolder) }

// archiveLog writes the packets and rounds of the log that a checkpoint replaces.
func (j *journal) archiveLog(ctx context.Context, state *wal.Checkpoint) (own neededArchive, err error) {
	w, err := packetlog.CreateArchive(j.archiveFolder(), j.number, state.Number())
	if err != nil {
		return own, err
	}
	defer func() { err = errors.Join(err, w.Discard()) }()
	if err := state.ReadLog(ctx, journalFormat, func(record wal.Record) error { return w.AddRecord(record.Kind, record.Data) }); err != nil {
		return own, err
	}
	if err := w.Commit(); err != nil {
		return own, err
	}
	j.archive.add(state.Number(), w.Size())
	return neededArchive{state.Number(), w.NewestExpiry()}, nil
}

// neededArchive is an archive file whose packets a start needs up to a time.
type neededArchive struct {
	number       uint64
	newestExpiry int64 // ns since the Unix epoch
}

// checkArchives reports a file that was removed, with packets that expire at a time or later.
func (j *journal) checkArchives(needed []neededArchive, list []packetlog.Archive, expiry int64) error {
	for _, a := range needed {
		isThere := slices.ContainsFunc(list, func(found packetlog.Archive) bool { return found.Number == a.number })
		if !isThere && a.newestExpiry >= expiry {
			return fmt.Errorf("%w: %s is missing", transfers.ErrJournalCorrupt, packetlog.ArchivePath(j.archiveFolder(), a.number))
		}
	}
	return nil
}

// restoreRecent gives r the packets of the archive that are within their horizon, and counts the files.
func (j *journal) restoreRecent(r *replayer) error {
	if j.log == nil {
		return nil
	}
	j.needed = r.archives
	expiry := r.machine.clock - int64(j.memory)
	list, err := packetlog.ReadRecent(j.archiveFolder(), expiry, r.addArchived)
	if err == nil {
		err = j.checkArchives(r.archives, list, expiry)
	}
	for i := range list {
		j.archive.add(list[i].Number, list[i].Size)
	}
	if errors.Is(err, packetlog.ErrArchiveCorrupt) {
		err = fmt.Errorf("%w: %w", transfers.ErrJournalCorrupt, err)
	}
	if errors.Is(err, packetlog.ErrArchiveVersion) {
		err = fmt.Errorf("%w: %w", transfers.ErrJournalForeign, err)
	}
	if err != nil {
		return j.wrapError(err)
	}
	return nil
}
