package embedded

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/peerledger/peerledger/internal/segment"
	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
)

// The records of a checkpoint, in this order. Balances are stored as they were at the time.
// Transfers are in the segments that the checkpoint names.
const (
	kindStoredAccounts = 16 // accounts
	kindSegments       = 21 // segments: their number, their expiry spans, and their manifest
	kindIDIndex        = 22 // the manifest of the id index
	kindHolds          = 23 // pending holds, each with its position and the positions of its accounts
	kindClock          = 20 // the newest timestamp issued
)

// The cache of the newest transfers, in bytes of memory.
const (
	defaultCacheSize = 64 << 20
	leastCacheSize   = 4 << 20
)

// WithCacheSize sets how many bytes of memory the newest transfers of a folder may take: 64 MiB by
// default, which suits a machine with 1 GiB, and 4 MiB at least. Accounts and open holds come on top.
// Half of the cache fills while the other half is written to the disk, as one file. So a greater cache
// makes fewer files: each has a transfer or more for 512 bytes of the cache, 8,192 with 4 MiB, 131,072 with
// the default, 2.1 million with 1 GiB. [Open] opens each file, and a query without a time span looks into
// each. The ledger keeps the files of late queries open: up to a quarter of the files that the process
// may have, and 1024 at most. The size may change with every opening; files that are there stay. The newest transfers, as many as in one file, are repeated by the
// next [Open]. Older transfers are cached by the operating system only.
func WithCacheSize(bytes int64) Option {
	return func(l *Ledger) { l.checkpointMin = checkpointMinOf(max(leastCacheSize, bytes)) }
}

// leastMergeRate keeps merges from falling behind the slowest ledger for ever.
const leastMergeRate = 1 << 20

// WithMergeRate bounds the bytes that merges of the index of ids read and write in a second: 256 MiB by
// default, 1 MiB at least. Merges run in the background. At the highest rate of writing they need some
// 50 MB a second; a ledger with 1,000 transfers a second needs 0.1 MB. With a rate that is too low for the
// ledger the number of files of the index grows, and look-ups of ids get slower until the merges have caught up.
func WithMergeRate(bytesPerSecond int64) Option {
	return func(l *Ledger) { l.books.cold.mergeRate = max(leastMergeRate, bytesPerSecond) }
}

// checkpointMinOf returns the least size of a log, in bytes, for a checkpoint. A transfer takes 128
// bytes in the log, and twice as many in memory, with its id and what Go has not collected yet. There
// are two such logs in memory while a checkpoint is written.
func checkpointMinOf(cacheSize int64) int64 { return cacheSize / 4 }

// writeTo writes the records of the checkpoint. The files of the seal are written.
func (s *seal) writeTo(ctx context.Context, c *wal.Checkpoint) error {
	if err := writeRows(ctx, c, kindStoredAccounts, &s.accounts, appendAccount); err != nil {
		return err
	}
	if err := s.writeSegments(ctx, c); err != nil {
		return err
	}
	if err := c.Append(kindIDIndex, s.ids.Manifest()); err != nil {
		return err
	}
	var record []byte
	for first := 0; first < len(s.holds); first += chunkRows {
		record = record[:0]
		for _, h := range s.holds[first:min(first+chunkRows, len(s.holds))] {
			record = appendHold(record, h, &s.accounts)
		}
		if err := c.Append(kindHolds, record); err != nil {
			return err
		}
	}
	return c.Append(kindClock, byteOrder.AppendUint64(nil, s.clock))
}

// writeSegments writes a record for each chunk of the list of segments, and one for an empty list.
func (s *seal) writeSegments(ctx context.Context, c *wal.Checkpoint) error {
	for first := 0; first == 0 || first < len(s.cold.segments); first += chunkRows {
		if err := ctx.Err(); err != nil {
			return err
		}
		chunk := s.cold.segments[first:min(first+chunkRows, len(s.cold.segments))]
		if err := c.Append(kindSegments, appendSegments(nil, chunk)); err != nil {
			return err
		}
	}
	return nil
}

// appendSegments encodes segments that follow each other.
func appendSegments(to []byte, segments []coldSegment) []byte {
	entries := make([]segment.Entry, len(segments))
	to = byteOrder.AppendUint32(to, uint32(len(segments)))
	for i, s := range segments {
		entries[i] = s.Entry
		to = byteOrder.AppendUint64(byteOrder.AppendUint64(to, s.expiries.first), s.expiries.last)
	}
	return segment.AppendManifest(to, entries)
}

// holdBytes is the size of a hold in a checkpoint.
const holdBytes = 16 + rowBytes

func appendHold(to []byte, h *lateHold, accounts *rows[ledger.Account]) []byte {
	to = byteOrder.AppendUint64(to, uint64(h.position))
	to = byteOrder.AppendUint32(byteOrder.AppendUint32(to, uint32(h.debit)), uint32(h.credit))
	whole := h.wholeTransfer(accounts)
	return appendTransfer(to, &whole)
}

// writeRows writes a record for each chunk of the list.
func writeRows[T any](
	ctx context.Context, c *wal.Checkpoint, kind uint8, list *rows[T], encode func([]byte, *T) []byte,
) error {
	var record []byte
	for first := place(0); first < list.count; first += chunkRows {
		if err := ctx.Err(); err != nil {
			return err
		}
		record = record[:0]
		for p := first; p < min(first+chunkRows, list.count); p++ {
			record = encode(record, list.rowAt(p))
		}
		if err := c.Append(kind, record); err != nil {
			return err
		}
	}
	return nil
}

// checkpointer writes one checkpoint at a time in the background. After a failure the log is
// unchanged: the losses are time at the next opening, and the memory of the frozen rows.
type checkpointer struct {
	ledger   *Ledger
	minBytes int64 // size of the log below which no checkpoint is written
	running  sync.WaitGroup
	cancel   context.CancelFunc // ends the running checkpoint; nil before the first

	active        atomic.Bool
	failedAtBytes atomic.Int64 // size of the log at the last failure, 0 after a success

	mu      sync.Mutex
	failure error // of the last checkpoint
}

// startIfDue begins a checkpoint if the log has outgrown the last one. The ledger is locked.
func (p *checkpointer) startIfDue(log *wal.Log) {
	dueBytes := max(p.minBytes, log.CheckpointSize()) + p.failedAtBytes.Load()
	if log.SinceCheckpoint() < dueBytes || !p.active.CompareAndSwap(false, true) {
		return
	}
	// The context ends with stopAndWait and not with the present request.
	ctx, cancel := context.WithCancel(context.Background()) //nolint:forbidigo // see above
	p.cancel = cancel
	s, checkpoint := p.ledger.books.beginSeal(), log.Checkpoint()
	p.running.Go(func() {
		defer cancel()
		p.failedAtBytes.Store(0)
		err := p.writeSeal(ctx, checkpoint, s)
		p.noteFailure(err)
		if err != nil {
			p.failedAtBytes.Store(log.SinceCheckpoint())
		}
		p.active.Store(false)
	})
}

func (p *checkpointer) noteFailure(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failure = err
}

// lastFailure returns the failure of the last checkpoint, unless stopping was the cause.
func (p *checkpointer) lastFailure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failure == nil || errors.Is(p.failure, context.Canceled) {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrCheckpoint, p.failure)
}

// writeSeal writes a seal and its checkpoint, and makes the books read from them.
func (p *checkpointer) writeSeal(ctx context.Context, c *wal.Checkpoint, s *seal) error {
	if err := p.ledger.space.checkRoom(s.estimateBytes()); err != nil {
		return errors.Join(err, c.Discard())
	}
	if err := commitSeal(ctx, c, s); err != nil {
		return err
	}
	p.ledger.mu.Lock()
	defer p.ledger.mu.Unlock()
	p.ledger.books.finishSeal(s)
	return nil
}

// commitSeal writes a seal and its checkpoint.
func commitSeal(ctx context.Context, c *wal.Checkpoint, s *seal) error {
	err := s.writeFiles(ctx)
	if err == nil {
		err = s.writeTo(ctx, c)
	}
	if err != nil {
		s.giveUp()
		return errors.Join(err, c.Discard())
	}
	if err := c.Commit(ctx); err != nil {
		// The checkpoint may be there all the same, so the files that it names stay until the next
		// opening.
		s.ids.Abandon()
		return errors.Join(err, c.Discard())
	}
	s.ids.Commit()
	return nil
}

// stopAndWait stops a running checkpoint and waits for it. It returns the failure of the last
// checkpoint, unless stopping was the cause.
func (p *checkpointer) stopAndWait() error {
	if p.cancel != nil {
		p.cancel()
	}
	p.running.Wait()
	return p.lastFailure()
}

// ErrCheckpoint is matched by an error of [Ledger.Close] and [Ledger.CheckBackground] when all is on disk
// except for the newest checkpoint. The next [Open] has to repeat more of the log, and until the next
// checkpoint the transfers since the last one stay in memory.
var ErrCheckpoint = errors.New("embedded: no checkpoint could be written")

// ErrMerge is matched by an error of [Ledger.Close] and [Ledger.CheckBackground] when all is on disk, and
// files of ids could not be merged: look-ups have to read more files. The merge is tried again. Close does
// not report a merge that waits for room on the disk.
var ErrMerge = errors.New("embedded: files of ids could not be merged")

// CheckBackground returns the failures of the last checkpoint and of the last merge of files of ids, which
// run in the background: errors that match [ErrCheckpoint] and [ErrMerge]. It returns nil if both
// succeeded, in memory, and after [Ledger.Close], which returns them. Monitoring calls it now and then.
func (l *Ledger) CheckBackground() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.journal == nil {
		return nil
	}
	return errors.Join(l.journal.checkpoints.lastFailure(), l.books.cold.mergeError())
}
