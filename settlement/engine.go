package settlement

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/resend"
	"github.com/peerledger/peerledger/ledger"
)

// Engine settles with peers. Its methods may be called concurrently.
type Engine struct {
	ledger   ledger.Ledger // sends again what got lost
	book     *accounts.Book
	cfg      Config
	ns       chart.Namespace
	instance uint128.Uint128 // marks our orders
	register *register
	slots    chan struct{} // one for each account that may be settled at once
	wake     chan struct{} // tells the loop that there is something to do

	// Close ends the Engine in three steps: nothing new begins (closed), the
	// work under way begins no further order (stop), its contexts end (life).
	mu     sync.Mutex // makes closed and work.Add one step
	closed bool
	stop   chan struct{}
	life   context.Context
	kill   context.CancelFunc
	work   sync.WaitGroup // the loop, visits and calls under way
	done   chan struct{}  // closed when work has ended after stop
}

// closeGrace is how long Close waits for Settlers whose context it has ended.
const closeGrace = 5 * time.Second

// NewEngine makes an Engine on the ledger that the book is kept in, and starts
// its loop unless cfg.Manual is set. The caller closes the Engine before the
// ledger. It looks at no account until Touch or Check names it: Touch all
// accounts at the start, so that open orders are resumed. The errors are those of
// Config.Validate.
func NewEngine(l ledger.Ledger, book *accounts.Book, cfg Config) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	ns := chart.Namespace(book.Namespace())
	e := &Engine{
		ledger: resend.Ledger{Ledger: l}, book: book, cfg: cfg, ns: ns,
		instance: uint128.Uint128(ns.Derive("instance", []byte(cfg.Instance))),
		register: newRegister(func() *backoff.ExponentialBackOff {
			b := backoff.NewExponentialBackOff()
			b.InitialInterval, b.MaxInterval = cfg.RetryAfter, cfg.RetryAtMost
			return b
		}),
		slots: make(chan struct{}, cfg.Concurrency),
		wake:  make(chan struct{}, 1),
		stop:  make(chan struct{}),
		done:  make(chan struct{}),
	}
	e.life, e.kill = context.WithCancel(context.Background()) //nolint:forbidigo // the loop has no caller; Close ends it
	if !cfg.Manual && cfg.Settler != nil {
		e.work.Go(e.loop)
	}
	return e, nil
}

// Touch says that balances of these accounts may have changed: the loop looks at
// them soon, in one look-up with all others touched by then. It never waits for
// the ledger, does not keep the slice, and remembers each account once. Our own
// accounts are passed over.
func (e *Engine) Touch(list []accounts.Account) {
	e.register.touch(list)
	e.wakeLoop()
}

func (e *Engine) wakeLoop() {
	select {
	case e.wake <- struct{}{}:
	default: // the loop has been told and not listened yet
	}
}

// Close stops the Engine: no order is placed any more, and orders that are being
// paid are waited for. When ctx ends first, the contexts of the Settlers end too,
// and a Settler that does not heed that within 5 s is left behind. A second Close
// waits in the same way.
//
// Orders that stay open are reported as an *OpenOrdersError (ErrOrdersOpen): the
// next Engine of the same Instance resumes them.
func (e *Engine) Close(ctx context.Context) error {
	e.mu.Lock()
	first := !e.closed
	e.closed = true
	e.mu.Unlock()
	if first {
		close(e.stop)
		go func() {
			e.work.Wait()
			close(e.done)
		}()
	}
	select {
	case <-e.done:
	case <-ctx.Done():
		e.kill()
		grace := time.NewTimer(closeGrace)
		defer grace.Stop()
		select {
		case <-e.done:
		case <-grace.C:
		}
	}
	e.kill()
	return e.openOrders()
}

func (e *Engine) openOrders() error {
	known := e.register.orders()
	if len(known) == 0 {
		return nil
	}
	oldestFirst := func(a, b OpenOrder) int { return a.Placed.Compare(b.Placed) }
	return &OpenOrdersError{Orders: slices.SortedFunc(maps.Values(known), oldestFirst)}
}

// begin counts a call as work under way; false if the Engine is closed.
func (e *Engine) begin() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.work.Add(1)
	}
	return !e.closed
}

func (e *Engine) stopping() bool {
	select {
	case <-e.stop:
		return true
	default:
		return false
	}
}
