package embedded

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
)

// Ledger is a ledger in the process with TigerBeetle's semantics, in memory ([New]) or in a folder
// ([Open]). It implements [ledger.Ledger] and [ledger.ChangeFeed], where the methods are
// documented. All methods may be called concurrently: requests run one at a time, each whole.
//
// In memory a request never returns [ledger.ErrOutcomeUnknown], and the context only counts until
// the request starts. For a folder see [Open].
type Ledger struct {
	batchMax      int
	checkpointMin int64
	recovery      Recovery
	space         spaceGuard
	progress      openProgress

	mu      sync.Mutex
	closed  bool
	books   books
	journal *journal // nil in memory

	// reading are the readers of cold rows that do not hold mu. None is added once closed is set, and
	// the files stay open until they are done.
	reading sync.WaitGroup

	closeOnce sync.Once
	closeErr  error
}

var (
	_ ledger.Ledger     = (*Ledger)(nil)
	_ ledger.ChangeFeed = (*Ledger)(nil)
)

// Option changes a default of [New], [Open] and [Read].
type Option func(*Ledger)

// WithClock makes the ledger read the time from now, for example from a virtual clock in a test.
// The time may jump or go back; timestamps still only grow, see the package documentation. now is
// called with the ledger locked and must not call the ledger. Default time.Now.
func WithClock(now func() time.Time) Option {
	return func(l *Ledger) { l.books.clock.now = now }
}

// WithBatchMax limits create requests to n events, like a server with smaller requests: 253 is the
// limit of a server started with --development. The limits of look-ups and change events shrink in
// the same proportion as there. Default [ledger.BatchMax], also for every n outside 1 to
// [ledger.BatchMax].
func WithBatchMax(n int) Option {
	return func(l *Ledger) {
		if n >= 1 && n <= ledger.BatchMax {
			l.batchMax = n
		}
	}
}

// New returns an empty ledger in memory.
func New(opts ...Option) *Ledger {
	l := &Ledger{
		batchMax: ledger.BatchMax, checkpointMin: checkpointMinOf(defaultCacheSize), books: newBooks(),
		space: spaceGuard{reserve: defaultDiskReserve, free: freeBytes},
	}
	for _, opt := range opts {
		opt(l)
	}
	return l
}

// CreateAccounts implements [ledger.Ledger].
func (l *Ledger) CreateAccounts(
	ctx context.Context, accounts []ledger.Account,
) ([]ledger.CreateAccountResult, error) {
	size := requestSize{"accounts", len(accounts), l.batchMax}
	return runCreate(ctx, l, size, func(b *books) ([]ledger.CreateAccountResult, error) {
		last := b.clock.issueTimestamps(len(accounts))
		results, err := b.createAccounts(accounts, last)
		if err == nil {
			l.journal.appendAccounts(accounts, last, results)
		}
		return results, err
	})
}

// CreateTransfers implements [ledger.Ledger].
func (l *Ledger) CreateTransfers(
	ctx context.Context, transfers []ledger.Transfer,
) ([]ledger.CreateTransferResult, error) {
	size := requestSize{"transfers", len(transfers), l.batchMax}
	return runCreate(ctx, l, size, func(b *books) ([]ledger.CreateTransferResult, error) {
		last := b.clock.issueTimestamps(len(transfers))
		results, err := b.createTransfers(transfers, last)
		if err == nil {
			l.journal.appendTransfers(transfers, last, results)
		}
		return results, err
	})
}

// LookupAccounts implements [ledger.Ledger].
func (l *Ledger) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	size := requestSize{"ids", len(ids), l.lookupMax()}
	return runRead(ctx, l, size, func(b *books) ([]ledger.Account, error) { return b.lookupAccounts(ids), nil })
}

// LookupTransfers implements [ledger.Ledger].
func (l *Ledger) LookupTransfers(ctx context.Context, ids []ledger.ID) ([]ledger.Transfer, error) {
	return l.lookupTransfers(ctx, ids, requestSize{"ids", len(ids), l.lookupMax()})
}

// GetAccountTransfers implements [ledger.Ledger].
func (l *Ledger) GetAccountTransfers(
	ctx context.Context, filter ledger.AccountFilter,
) ([]ledger.Transfer, error) {
	size := rowLimit(filter.Limit, ledger.QueryMax)
	if !filter.Valid() {
		return runRead(ctx, l, size, emptyAnswer[ledger.Transfer])
	}
	return runSelection(ctx, l, size, selectionOfAccount(&filter), transferQuery{})
}

// GetAccountBalances implements [ledger.Ledger].
func (l *Ledger) GetAccountBalances(
	ctx context.Context, filter ledger.AccountFilter,
) ([]ledger.AccountBalance, error) {
	size := rowLimit(filter.Limit, ledger.QueryMax)
	if !filter.Valid() {
		return runRead(ctx, l, size, emptyAnswer[ledger.AccountBalance])
	}
	return runSelection(ctx, l, size, selectionOfAccount(&filter), &balanceQuery{})
}

// QueryAccounts implements [ledger.Ledger].
func (l *Ledger) QueryAccounts(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Account, error) {
	size := rowLimit(filter.Limit, ledger.QueryMax)
	return runRead(ctx, l, size, func(b *books) ([]ledger.Account, error) { return b.queryAccounts(&filter), nil })
}

// QueryTransfers implements [ledger.Ledger].
func (l *Ledger) QueryTransfers(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Transfer, error) {
	size := rowLimit(filter.Limit, ledger.QueryMax)
	if !filter.Valid() {
		return runRead(ctx, l, size, emptyAnswer[ledger.Transfer])
	}
	return runSelection(ctx, l, size, selectionOf(&filter), transferQuery{})
}

// GetChangeEvents implements [ledger.ChangeFeed]. With a smaller batch limit ([WithBatchMax]) the
// answer may have fewer events than the filter's limit, as on a server. A second call from the last
// timestamp on returns the rest.
func (l *Ledger) GetChangeEvents(
	ctx context.Context, filter ledger.ChangeEventsFilter,
) ([]ledger.ChangeEvent, error) {
	size := rowLimit(filter.Limit, ledger.ChangeEventsMax)
	if !filter.Valid() {
		return runRead(ctx, l, size, emptyAnswer[ledger.ChangeEvent])
	}
	return l.changeEvents(ctx, size, eventQuery{
		low: filter.TimestampMin, end: timestampAfter(filter.TimestampMax),
		limit: min(int(filter.Limit), l.changeEventsMax()),
	})
}

// Pulse releases the holds that have expired by the clock, at once. Requests do so by themselves
// (see the package documentation); a test that has moved its clock by less than 100 ms past an
// expiry calls Pulse. It does nothing on a closed or ended ledger, and does not wait for the disk:
// the next request does.
func (l *Ledger) Pulse() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed && l.journal.logError() == nil {
		l.pulseUntil(l.books.clock.readTime())
	}
}

// Close ends the use of the ledger. Books in memory are lost. In a folder every answered request is
// safe, even if Close returns an error: the error of the disk, or one matching [ErrCheckpoint]. A
// second call waits and returns the same error.
func (l *Ledger) Close() error {
	l.closeOnce.Do(func() {
		l.mu.Lock()
		l.closed = true
		l.mu.Unlock()
		l.reading.Wait()
		l.closeErr = errors.Join(l.journal.closeLog(), l.closeBooks())
	})
	return l.closeErr
}

// closeBooks frees the memory of the books and closes their files. No checkpoint is being written.
func (l *Ledger) closeBooks() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.books.closeFiles()
	l.books = books{}
	return err
}

// runRead runs a request that creates nothing. It takes a timestamp too, because on a server reads
// go through the same log as writes.
func runRead[R any](ctx context.Context, l *Ledger, size requestSize, do func(*books) ([]R, error)) ([]R, error) {
	return runRequest(ctx, l, size, func(b *books) ([]R, error) {
		b.clock.issueTimestamps(0)
		return do(b)
	})
}

// runCreate runs a request that may create something. Without room on the disk it is refused, after all
// checks of the request and of the ledger: one that is closed or has ended says so.
func runCreate[R any](ctx context.Context, l *Ledger, size requestSize, do func(*books) ([]R, error)) ([]R, error) {
	if err := l.space.checkRoom(0); err != nil { // not with the ledger locked
		do = func(*books) ([]R, error) { return nil, err }
	}
	return runRequest(ctx, l, size, do)
}

// runRequest runs do alone on the books. It answers when all requests seen by do are on disk: a
// read may have seen a request that is still being synced.
func runRequest[R any](ctx context.Context, l *Ledger, size requestSize, do func(*books) ([]R, error)) ([]R, error) {
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

// runLocked runs do between the two moments at which a server looks for expired holds: after an
// idle time, and right after a request.
func runLocked[R any](l *Ledger, do func(*books) ([]R, error)) ([]R, wal.Position, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, 0, ledger.ErrClosed
	}
	if err := l.journal.logError(); err != nil {
		return nil, 0, err
	}
	before := l.journal.endPosition()
	if l.books.expiries.entryCount() > 0 { // else there is no need to read the clock
		l.pulseUntil(l.books.clock.idleSince())
	}
	answer, err := do(&l.books)
	if err != nil {
		return nil, 0, translateReadError(err)
	}
	l.pulseUntil(l.books.clock.newestTimestamp)
	after := l.journal.endPosition()
	if after != before {
		l.journal.startCheckpoint()
	}
	return answer, after, nil
}

// pulseUntil runs pulses until no pending hold has expired by the moment.
func (l *Ledger) pulseUntil(nanos uint64) {
	for l.books.isPulseDue(nanos) {
		timestamp := l.books.clock.issueTimestamps(pulseSlots)
		released := l.books.releaseExpired(timestamp, l.pulseMax())
		l.journal.appendPulse(timestamp, l.pulseMax(), released)
	}
}

// requestSize is the size of a request or of its answer, with the limit.
type requestSize struct {
	unit     string
	n, limit int
}

func rowLimit(n uint32, limit int) requestSize {
	return requestSize{"rows", int(min(n, math.MaxInt32)), limit}
}

func (s requestSize) checkLimit() error {
	if s.n > s.limit {
		return fmt.Errorf("%w: %d %s, at most %d", ledger.ErrTooMuchData, s.n, s.unit, s.limit)
	}
	return nil
}

// lookupMax is the limit of look-ups, derived from the size of a server's request: the request has
// room for one more element than the batch limit (the packing uses it), an id is an eighth of an
// event, and the whole answer must fit one reply.
func (l *Ledger) lookupMax() int { return min(ledger.BatchMax, (l.batchMax+1)*8-1) }

// changeEventsMax was measured at both ends only: 2730 events by default, 1016 with --development.
func (l *Ledger) changeEventsMax() int { return min(ledger.ChangeEventsMax, (l.batchMax+1)*4) }

// pulseMax is the largest number of holds released by one pulse.
func (l *Ledger) pulseMax() int { return l.batchMax + 1 }
