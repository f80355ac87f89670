package embedded

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
)

// Ledger is a ledger in the process with TigerBeetle's semantics, in memory (New)
// or in a folder (Open). It implements ledger.Ledger and ledger.ChangeFeed; their
// comments say what the methods do. It is safe for concurrent use: requests run one
// at a time, each whole.
//
// In memory a request never ends with ledger.ErrOutcomeUnknown, and a context counts
// only up to the moment when the request starts. For a folder see Open.
type Ledger struct {
	batchMax      int
	checkpointMin int64
	recovery      Recovery

	mu      sync.Mutex
	closed  bool
	books   books
	journal *journal // nil in memory

	closeOnce sync.Once
	closeErr  error
}

var (
	_ ledger.Ledger     = (*Ledger)(nil)
	_ ledger.ChangeFeed = (*Ledger)(nil)
)

// Option changes a default of New and Open.
type Option func(*Ledger)

// WithClock makes the ledger read the time from now, e.g. from a virtual clock
// that a test moves. The time may jump or go back; timestamps still only grow: see the
// package comment.
// now is called with the ledger locked and must not call the ledger. The default
// is time.Now.
func WithClock(now func() time.Time) Option {
	return func(l *Ledger) { l.books.clock.now = now }
}

// WithBatchMax makes the ledger take at most n events per create request, as a
// server with smaller requests does: 253 is a server started with --development.
// The limits of look-ups and of change events shrink in the same proportion as
// there. Default ledger.BatchMax, which also stands for any n outside 1 to
// ledger.BatchMax.
func WithBatchMax(n int) Option {
	return func(l *Ledger) {
		if n >= 1 && n <= ledger.BatchMax {
			l.batchMax = n
		}
	}
}

// New is an empty ledger in memory.
func New(opts ...Option) *Ledger {
	l := &Ledger{batchMax: ledger.BatchMax, checkpointMin: checkpointMin, books: newBooks()}
	for _, opt := range opts {
		opt(l)
	}
	return l
}

// CreateAccounts implements ledger.Ledger.
func (l *Ledger) CreateAccounts(
	ctx context.Context, accounts []ledger.Account,
) ([]ledger.CreateAccountResult, error) {
	size := requestSize{"accounts", len(accounts), l.batchMax}
	return runRequest(ctx, l, size, func(b *books) []ledger.CreateAccountResult {
		last := b.clock.issueTimestamps(len(accounts))
		results := b.createAccounts(accounts, last)
		l.journal.appendAccounts(accounts, last, results)
		return results
	})
}

// CreateTransfers implements ledger.Ledger.
func (l *Ledger) CreateTransfers(
	ctx context.Context, transfers []ledger.Transfer,
) ([]ledger.CreateTransferResult, error) {
	size := requestSize{"transfers", len(transfers), l.batchMax}
	return runRequest(ctx, l, size, func(b *books) []ledger.CreateTransferResult {
		last := b.clock.issueTimestamps(len(transfers))
		results := b.createTransfers(transfers, last)
		l.journal.appendTransfers(transfers, last, results)
		return results
	})
}

// LookupAccounts implements ledger.Ledger.
func (l *Ledger) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	size := requestSize{"ids", len(ids), l.lookupMax()}
	return runRead(ctx, l, size, func(b *books) []ledger.Account { return b.lookupAccounts(ids) })
}

// LookupTransfers implements ledger.Ledger.
func (l *Ledger) LookupTransfers(ctx context.Context, ids []ledger.ID) ([]ledger.Transfer, error) {
	size := requestSize{"ids", len(ids), l.lookupMax()}
	return runRead(ctx, l, size, func(b *books) []ledger.Transfer { return b.lookupTransfers(ids) })
}

// GetAccountTransfers implements ledger.Ledger.
func (l *Ledger) GetAccountTransfers(
	ctx context.Context, filter ledger.AccountFilter,
) ([]ledger.Transfer, error) {
	size := rowLimit(filter.Limit, ledger.QueryMax)
	return runRead(ctx, l, size, func(b *books) []ledger.Transfer { return b.accountTransfers(&filter) })
}

// GetAccountBalances implements ledger.Ledger.
func (l *Ledger) GetAccountBalances(
	ctx context.Context, filter ledger.AccountFilter,
) ([]ledger.AccountBalance, error) {
	size := rowLimit(filter.Limit, ledger.QueryMax)
	return runRead(ctx, l, size, func(b *books) []ledger.AccountBalance { return b.accountBalances(&filter) })
}

// QueryAccounts implements ledger.Ledger.
func (l *Ledger) QueryAccounts(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Account, error) {
	size := rowLimit(filter.Limit, ledger.QueryMax)
	return runRead(ctx, l, size, func(b *books) []ledger.Account { return b.queryAccounts(&filter) })
}

// QueryTransfers implements ledger.Ledger.
func (l *Ledger) QueryTransfers(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Transfer, error) {
	size := rowLimit(filter.Limit, ledger.QueryMax)
	return runRead(ctx, l, size, func(b *books) []ledger.Transfer { return b.queryTransfers(&filter) })
}

// GetChangeEvents implements ledger.ChangeFeed. A ledger with a smaller batch
// limit (WithBatchMax) answers with fewer events than asked, as a server does;
// what is left out is found by asking again from the last timestamp on.
func (l *Ledger) GetChangeEvents(
	ctx context.Context, filter ledger.ChangeEventsFilter,
) ([]ledger.ChangeEvent, error) {
	size := rowLimit(filter.Limit, ledger.ChangeEventsMax)
	return runRead(ctx, l, size, func(b *books) []ledger.ChangeEvent {
		return b.changeEvents(&filter, l.changeEventsMax())
	})
}

// Pulse releases the holds that have expired by the clock, at once. Requests do
// so by themselves (see the package comment); a test that has moved its clock by
// less than 100 ms past an expiry can make sure with it. Nothing happens on a
// ledger that is closed or has come to its end. Pulse does not wait for the disk: the
// next request does.
func (l *Ledger) Pulse() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed && l.journal.logError() == nil {
		l.pulseUntil(l.books.clock.readTime())
	}
}

// Close ends the ledger's use. What was in memory is gone; in a folder everything
// that was answered is safe, whatever Close returns. For a folder its error is
// that of the disk, or matches ErrCheckpoint. Calling it again waits and returns the
// same.
func (l *Ledger) Close() error {
	l.closeOnce.Do(func() {
		l.mu.Lock()
		l.closed = true
		l.books = books{}
		l.mu.Unlock()
		l.closeErr = l.journal.closeLog()
	})
	return l.closeErr
}

// runRead runs a request that creates nothing. It takes a timestamp all the same,
// since on a server it goes through the same log as the writes.
func runRead[R any](ctx context.Context, l *Ledger, size requestSize, do func(*books) []R) ([]R, error) {
	return runRequest(ctx, l, size, func(b *books) []R {
		b.clock.issueTimestamps(0)
		return do(b)
	})
}

// runRequest runs do alone on the books, and gives the answer when all is on disk that
// it was drawn from: a read may have seen a request that is still being synced.
func runRequest[R any](ctx context.Context, l *Ledger, size requestSize, do func(*books) []R) ([]R, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := size.checkLimit(); err != nil {
		return nil, err
	}
	if err := l.journal.waitForSpace(ctx); err != nil {
		return nil, err
	}
	answer, position, err := runLocked(l, do)
	if err == nil {
		err = l.journal.waitForSync(ctx, position)
	}
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// runLocked runs do between the two moments at which a server looks for expired holds:
// when it has been idle, and right behind a request.
func runLocked[R any](l *Ledger, do func(*books) []R) ([]R, wal.Position, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, 0, ledger.ErrClosed
	}
	if err := l.journal.logError(); err != nil {
		return nil, 0, err
	}
	before := l.journal.endPosition()
	l.pulseUntil(l.books.clock.idleSince())
	answer := do(&l.books)
	l.pulseUntil(l.books.clock.newestTimestamp)
	after := l.journal.endPosition()
	if after != before {
		l.journal.startCheckpoint(&l.books)
	}
	return answer, after, nil
}

// pulseUntil runs pulses as long as a hold is due that expired at the moment or
// before.
func (l *Ledger) pulseUntil(nanos uint64) {
	for l.books.isPulseDue(nanos) {
		timestamp := l.books.clock.issueTimestamps(pulseSlots)
		released := l.books.releaseExpired(timestamp, l.pulseMax())
		l.journal.appendPulse(timestamp, l.pulseMax(), released)
	}
}

// requestSize is how much a request carries or asks for, and how much it may.
type requestSize struct {
	what     string
	n, limit int
}

func rowLimit(n uint32, most int) requestSize {
	return requestSize{"rows", int(min(n, math.MaxInt32)), most}
}

func (s requestSize) checkLimit() error {
	if s.n > s.limit {
		return fmt.Errorf("%w: %d %s, at most %d", ledger.ErrTooMuchData, s.n, s.what, s.limit)
	}
	return nil
}

// The other limits follow from the size of a server's request: it holds one more
// element than the batch limit (that one carries the packing), an id is an eighth
// of an event, and all of a look-up's answer has to fit one reply.
func (l *Ledger) lookupMax() int { return min(ledger.BatchMax, (l.batchMax+1)*8-1) }

// changeEventsMax was measured at both ends only: 2730 events by default, 1016
// with --development.
func (l *Ledger) changeEventsMax() int { return min(ledger.ChangeEventsMax, (l.batchMax+1)*4) }

// pulseMax is how many holds one pulse releases.
func (l *Ledger) pulseMax() int { return l.batchMax + 1 }
