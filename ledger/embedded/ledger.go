package embedded

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// Ledger is an in-memory ledger with TigerBeetle's semantics. It implements
// ledger.Ledger and ledger.ChangeFeed; their comments say what the methods do.
// It is safe for concurrent use: requests run one at a time, each whole.
//
// A request never ends with ledger.ErrOutcomeUnknown here, and a context counts
// only up to the moment when the request starts.
type Ledger struct {
	batchMax int

	mu     sync.Mutex
	closed bool
	books  books
}

var (
	_ ledger.Ledger     = (*Ledger)(nil)
	_ ledger.ChangeFeed = (*Ledger)(nil)
)

// Option changes a default of New.
type Option func(*Ledger)

// WithClock makes the ledger read the time from now, e.g. from a virtual clock
// that a test moves. The time may jump or go back; timestamps still only grow.
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

// New is an empty ledger.
func New(opts ...Option) *Ledger {
	l := &Ledger{batchMax: ledger.BatchMax, books: newBooks()}
	for _, opt := range opts {
		opt(l)
	}
	return l
}

// CreateAccounts implements ledger.Ledger.
func (l *Ledger) CreateAccounts(
	ctx context.Context, accounts []ledger.Account,
) (results []ledger.CreateAccountResult, err error) {
	err = l.request(ctx, size{"accounts", len(accounts), l.batchMax}, func(b *books) {
		results = b.createAccounts(accounts)
	})
	return results, err
}

// CreateTransfers implements ledger.Ledger.
func (l *Ledger) CreateTransfers(
	ctx context.Context, transfers []ledger.Transfer,
) (results []ledger.CreateTransferResult, err error) {
	err = l.request(ctx, size{"transfers", len(transfers), l.batchMax}, func(b *books) {
		results = b.createTransfers(transfers)
	})
	return results, err
}

// LookupAccounts implements ledger.Ledger.
func (l *Ledger) LookupAccounts(ctx context.Context, ids []ledger.ID) (found []ledger.Account, err error) {
	err = l.read(ctx, size{"ids", len(ids), l.lookupMax()}, func(b *books) { found = b.lookupAccounts(ids) })
	return found, err
}

// LookupTransfers implements ledger.Ledger.
func (l *Ledger) LookupTransfers(ctx context.Context, ids []ledger.ID) (found []ledger.Transfer, err error) {
	err = l.read(ctx, size{"ids", len(ids), l.lookupMax()}, func(b *books) { found = b.lookupTransfers(ids) })
	return found, err
}

// GetAccountTransfers implements ledger.Ledger.
func (l *Ledger) GetAccountTransfers(
	ctx context.Context, filter ledger.AccountFilter,
) (found []ledger.Transfer, err error) {
	err = l.read(ctx, limit(filter.Limit, ledger.QueryMax), func(b *books) { found = b.accountTransfers(&filter) })
	return found, err
}

// GetAccountBalances implements ledger.Ledger.
func (l *Ledger) GetAccountBalances(
	ctx context.Context, filter ledger.AccountFilter,
) (found []ledger.AccountBalance, err error) {
	err = l.read(ctx, limit(filter.Limit, ledger.QueryMax), func(b *books) { found = b.accountBalances(&filter) })
	return found, err
}

// QueryAccounts implements ledger.Ledger.
func (l *Ledger) QueryAccounts(
	ctx context.Context, filter ledger.QueryFilter,
) (found []ledger.Account, err error) {
	err = l.read(ctx, limit(filter.Limit, ledger.QueryMax), func(b *books) { found = b.queryAccounts(&filter) })
	return found, err
}

// QueryTransfers implements ledger.Ledger.
func (l *Ledger) QueryTransfers(
	ctx context.Context, filter ledger.QueryFilter,
) (found []ledger.Transfer, err error) {
	err = l.read(ctx, limit(filter.Limit, ledger.QueryMax), func(b *books) { found = b.queryTransfers(&filter) })
	return found, err
}

// GetChangeEvents implements ledger.ChangeFeed. A ledger with a smaller batch
// limit (WithBatchMax) answers with fewer events than asked, as a server does;
// what is left out is found by asking again from the last timestamp on.
func (l *Ledger) GetChangeEvents(
	ctx context.Context, filter ledger.ChangeEventsFilter,
) (found []ledger.ChangeEvent, err error) {
	err = l.read(ctx, limit(filter.Limit, ledger.ChangeEventsMax), func(b *books) {
		found = b.changeEvents(&filter, l.changeEventsMax())
	})
	return found, err
}

// Pulse releases the holds that have expired by the clock, at once. Requests do
// so by themselves (see the package comment); a test that has moved its clock by
// less than 100 ms past an expiry can make sure with it. Nothing happens on a
// closed ledger.
func (l *Ledger) Pulse() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.books.pulseUntil(l.books.clock.wall(), l.pulseMax())
	}
}

// Close ends the ledger's use; what it held is gone. It always returns nil.
func (l *Ledger) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.books = books{}
	return nil
}

// read runs a request that creates nothing. It takes a timestamp all the same,
// since on a server it goes through the same log as the writes.
func (l *Ledger) read(ctx context.Context, size size, do func(*books)) error {
	return l.request(ctx, size, func(b *books) {
		b.clock.take(0)
		do(b)
	})
}

// request runs do alone on the books, between the two moments at which a server
// looks for expired holds: when it has been idle, and right behind a request.
func (l *Ledger) request(ctx context.Context, size size, do func(*books)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ledger.ErrClosed
	}
	if err := size.check(); err != nil {
		return err
	}
	l.books.pulseUntil(l.books.clock.idleSince(), l.pulseMax())
	do(&l.books)
	l.books.pulseUntil(l.books.clock.last, l.pulseMax())
	return nil
}

// size is how much a request carries or asks for, and how much it may.
type size struct {
	what   string
	n, max int
}

func limit(n uint32, most int) size { return size{"rows", int(min(n, math.MaxInt32)), most} }

func (s size) check() error {
	if s.n > s.max {
		return fmt.Errorf("%w: %d %s, at most %d", ledger.ErrTooMuchData, s.n, s.what, s.max)
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
