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

// The records of a checkpoint, in this order. Balances are stored as they were at the time. The
// states of the holds follow from the transfers and the expired holds.
const (
	kindStoredAccounts  = 16 // accounts
	kindStoredTransfers = 17 // transfers
	kindExpired         = 18 // timestamp, position of the hold, position of the next transfer
	kindFailed          = 19 // ids
	kindClock           = 20 // the newest timestamp issued
)

// checkpointMin is the least size of a log, in bytes, for a checkpoint: one or two seconds of
// requests.
const checkpointMin = 64 << 20

// booksSnapshot is the content of a checkpoint, written while the ledger goes on. It shares rows
// with the books: the first rows of each list no longer change, except for the balances of
// accounts, which are copied, and the states of holds, which are left out.
type booksSnapshot struct {
	accounts  rows[ledger.Account]
	transfers rows[storedTransfer]
	expired   rows[expiredHold]
	failed    rows[ledger.ID]
	clock     uint64
}

func (b *books) takeSnapshot() *booksSnapshot {
	return &booksSnapshot{b.accounts.cloneRows(), b.transfers, b.expired, b.burntIDs.ids, b.clock.newestTimestamp}
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

// checkpointer writes one checkpoint at a time in the background. After a failure the log is
// unchanged: the only loss is time at the next opening.
type checkpointer struct {
	minBytes int64 // size of the log below which no checkpoint is written
	running  sync.WaitGroup
	cancel   context.CancelFunc // ends the running checkpoint; nil before the first

	active        atomic.Bool
	failedAtBytes atomic.Int64 // size of the log at the last failure, 0 after a success
	failure       error        // of the last checkpoint; owned by the running one
}

// startIfDue begins a checkpoint if the log has outgrown the last one. The ledger is locked:
// requests wait while the accounts are copied, some 10 ms for a million.
func (p *checkpointer) startIfDue(log *wal.Log, b *books) {
	dueBytes := max(p.minBytes, log.CheckpointSize()) + p.failedAtBytes.Load()
	if log.SinceCheckpoint() < dueBytes || !p.active.CompareAndSwap(false, true) {
		return
	}
	// The context ends with stopAndWait and not with the present request.
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

// stopAndWait stops a running checkpoint and waits for it. It returns the failure of the last
// checkpoint, unless stopping was the cause.
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

// ErrCheckpoint is matched by an error of [Ledger.Close] when all is on disk except for the newest
// checkpoint. The next [Open] has to repeat more of the log.
var ErrCheckpoint = errors.New("embedded: no checkpoint could be written")
