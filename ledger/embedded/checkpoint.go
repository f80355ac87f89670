package embedded

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
)

// The records of a checkpoint, in this order. Balances are as they were at the
// time; what became of the holds follows from the transfers and from the expired.
const (
	kindStoredAccounts  = 16 // accounts
	kindStoredTransfers = 17 // transfers
	kindExpired         = 18 // timestamp, place of the hold, place of the next transfer
	kindFailed          = 19 // ids
	kindClock           = 20 // the newest timestamp issued
)

// checkpointMin is how long a log, in bytes, may be without a checkpoint: a second
// of requests or two.
const checkpointMin = 64 << 20

// booksSnapshot is what a checkpoint is written from while the ledger goes on. It shares
// rows with the books: what is in these many of them does not change any more, but
// for the balances of accounts, which are copied, and for the states of holds,
// which are left out.
type booksSnapshot struct {
	accounts  rows[ledger.Account]
	transfers rows[storedTransfer]
	expired   rows[expiredHold]
	failed    rows[ledger.ID]
	clock     uint64
}

func (b *books) takeSnapshot() *booksSnapshot {
	return &booksSnapshot{b.accounts.cloneRows(), b.transfers, b.expired, b.spentIDs.ids, b.clock.newestTimestamp}
}

func (m *booksSnapshot) writeTo(ctx context.Context, c *wal.Checkpoint) error {
	transferOf := func(to []byte, t *storedTransfer) []byte { return appendTransfer(to, &t.Transfer) }
	idOf := func(to []byte, id *ledger.ID) []byte { return appendUint128(to, uint128.Uint128(*id)) }
	if err := writeRows(ctx, c, kindStoredAccounts, &m.accounts, appendAccount); err != nil {
		return err
	}
	if err := writeRows(ctx, c, kindStoredTransfers, &m.transfers, transferOf); err != nil {
		return err
	}
	if err := writeRows(ctx, c, kindExpired, &m.expired, appendExpired); err != nil {
		return err
	}
	if err := writeRows(ctx, c, kindFailed, &m.failed, idOf); err != nil {
		return err
	}
	return c.Append(kindClock, byteOrder.AppendUint64(nil, m.clock))
}

const expiredBytes = 16

func appendExpired(to []byte, e *expiredHold) []byte {
	to = byteOrder.AppendUint64(to, e.timestamp)
	return byteOrder.AppendUint32(byteOrder.AppendUint32(to, uint32(e.hold)), uint32(e.nextTransfer))
}

// writeRows writes a record for each chunk of the list.
func writeRows[T any](
	ctx context.Context, c *wal.Checkpoint, kind uint8, list *rows[T], encode func([]byte, *T) []byte,
) error {
	var record []byte
	for first := position(0); first < list.count; first += chunkRows {
		if err := ctx.Err(); err != nil {
			return err
		}
		record = record[:0]
		for pos := first; pos < min(first+chunkRows, list.count); pos++ {
			record = encode(record, list.rowAt(pos))
		}
		if err := c.Append(kind, record); err != nil {
			return err
		}
	}
	return nil
}

// checkpointer writes one checkpoint at a time behind the requests. When it fails
// the log stays what it was, so nothing is lost but time at the next opening.
type checkpointer struct {
	minBytes int64 // bytes of log below which a checkpoint is not worth it
	running  sync.WaitGroup
	cancel   context.CancelFunc // ends the one that is running; nil before the first

	active        atomic.Bool
	failedAtBytes atomic.Int64 // bytes of log when the last one failed, 0 if it did not
	failure       error        // why it failed; the running one's, while there is one
}

// startIfDue begins a checkpoint if the log has grown by as much as it would save. It is
// called with the ledger locked, between two requests, which wait while the accounts
// are copied (some 10 ms for a million).
func (p *checkpointer) startIfDue(log *wal.Log, b *books) {
	dueBytes := max(p.minBytes, log.CheckpointSize()) + p.failedAtBytes.Load()
	if log.SinceCheckpoint() < dueBytes || !p.active.CompareAndSwap(false, true) {
		return
	}
	// The context ends with close, not with the request that happens to be here.
	ctx, cancel := context.WithCancel(context.Background()) //nolint:forbidigo // see above
	p.cancel = cancel
	snapshot, checkpoint := b.takeSnapshot(), log.Checkpoint()
	p.running.Go(func() {
		defer cancel()
		p.failedAtBytes.Store(0)
		p.failure = writeCheckpoint(ctx, checkpoint, snapshot)
		if p.failure != nil {
			p.failedAtBytes.Store(log.SinceCheckpoint())
		}
		p.active.Store(false)
	})
}

func writeCheckpoint(ctx context.Context, c *wal.Checkpoint, m *booksSnapshot) error {
	err := m.writeTo(ctx, c)
	if err == nil {
		err = c.Commit(ctx)
	}
	if err != nil {
		return errors.Join(err, c.Discard())
	}
	return nil
}

// stopAndWait stops the checkpoint that is being written and waits for it. It returns why
// the last one failed, if it did otherwise than by this.
func (p *checkpointer) stopAndWait() error {
	if p.cancel != nil {
		p.cancel()
	}
	p.running.Wait()
	if p.failure == nil || errors.Is(p.failure, context.Canceled) {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrCheckpoint, p.failure)
}

// ErrCheckpoint is matched by an error of Close when all is on disk, but the newest
// checkpoint could not be written: the next Open has so much more of the log to run
// again.
var ErrCheckpoint = errors.New("embedded: no checkpoint could be written")
