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

// image is what a checkpoint is written from while the ledger goes on. It shares
// rows with the books: what is in these many of them does not change any more, but
// for the balances of accounts, which are copied, and for the states of holds,
// which are left out.
type image struct {
	accounts  rows[ledger.Account]
	transfers rows[transfer]
	expired   rows[expired]
	failed    rows[ledger.ID]
	clock     uint64
}

func (b *books) image() *image {
	return &image{b.accounts.clone(), b.transfers, b.expired, b.failed.ids, b.clock.last}
}

func (m *image) writeTo(ctx context.Context, c *wal.Checkpoint) error {
	transferOf := func(to []byte, t *transfer) []byte { return appendTransfer(to, &t.Transfer) }
	idOf := func(to []byte, id *ledger.ID) []byte { return append128(to, uint128.Uint128(*id)) }
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
	return c.Append(kindClock, order.AppendUint64(nil, m.clock))
}

const expiredBytes = 16

func appendExpired(to []byte, e *expired) []byte {
	to = order.AppendUint64(to, e.timestamp)
	return order.AppendUint32(order.AppendUint32(to, uint32(e.hold)), uint32(e.next))
}

// writeRows writes a record for each chunk of the list.
func writeRows[T any](
	ctx context.Context, c *wal.Checkpoint, kind uint8, list *rows[T], encode func([]byte, *T) []byte,
) error {
	var record []byte
	for first := position(0); first < list.len; first += chunkRows {
		if err := ctx.Err(); err != nil {
			return err
		}
		record = record[:0]
		for at := first; at < min(first+chunkRows, list.len); at++ {
			record = encode(record, list.at(at))
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
	min     int64 // bytes of log below which a checkpoint is not worth it
	running sync.WaitGroup
	stop    context.CancelFunc // ends the one that is running; nil before the first

	busy     atomic.Bool
	failedAt atomic.Int64 // bytes of log when the last one failed, 0 if it did not
	failure  error        // why it failed; the running one's, while there is one
}

// start begins a checkpoint if the log has grown by as much as it would save. It is
// called with the ledger locked, between two requests, which wait while the accounts
// are copied (some 10 ms for a million).
func (p *checkpointer) start(log *wal.Log, b *books) {
	least := max(p.min, log.CheckpointSize()) + p.failedAt.Load()
	if log.SinceCheckpoint() < least || !p.busy.CompareAndSwap(false, true) {
		return
	}
	// The context ends with close, not with the request that happens to be here.
	ctx, stop := context.WithCancel(context.Background()) //nolint:forbidigo // see above
	p.stop = stop
	image, checkpoint := b.image(), log.Checkpoint()
	p.running.Go(func() {
		defer stop()
		p.failedAt.Store(0)
		p.failure = writeCheckpoint(ctx, checkpoint, image)
		if p.failure != nil {
			p.failedAt.Store(log.SinceCheckpoint())
		}
		p.busy.Store(false)
	})
}

func writeCheckpoint(ctx context.Context, c *wal.Checkpoint, m *image) error {
	err := m.writeTo(ctx, c)
	if err == nil {
		err = c.Commit(ctx)
	}
	if err != nil {
		return errors.Join(err, c.Discard())
	}
	return nil
}

// close stops the checkpoint that is being written and waits for it. It returns why
// the last one failed, if it did otherwise than by this.
func (p *checkpointer) close() error {
	if p.stop != nil {
		p.stop()
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
