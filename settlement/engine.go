package settlement

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/retryledger"
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
	rails    map[uint32]*railState // by the tag of their orders
	pauses   *knownPauses
	tallies  map[uint32]*payoutTally // by the ledger number of the asset
	spare    chan struct{}           // the slot of accounts that have no rail any more
	wake     chan struct{}           // tells the loop that there is something to do
	started  time.Time               // by Config.Clock

	// Close ends the Engine in three steps: nothing new begins (closed), the
	// work under way begins no further order (stop), its contexts end (life).
	mu     sync.Mutex // makes closed and work.Add one step
	closed bool
	stop   chan struct{}
	life   context.Context
	kill   context.CancelFunc
	work   sync.WaitGroup // the loop, visits and calls under way
	done   chan struct{}  // closed when work has ended after stop
	keeper sync.WaitGroup // renews claims until life ends
}

// closeGrace is how long Close waits for Settlers whose context it has ended.
const closeGrace = 5 * time.Second

// NewEngine makes an Engine on the ledger that the book is kept in, and starts
// its loop unless cfg.Manual is set. The caller closes the Engine before the
// ledger. It looks at no account until Touch, Look or Check names it: have it look at
// all accounts at the start, so that open orders are resumed. The errors are those of
// Config.Validate, two rails of one name, or accounts.ErrUnknownAsset if a rule names
// an asset that the book does not have.
func NewEngine(l ledger.Ledger, book *accounts.Book, cfg Config) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := cfg.checkRuleAssets(book); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	ns := chart.Namespace(book.Namespace())
	rails, err := railStates(ns, cfg.Rails, cfg.Events)
	if err != nil {
		return nil, err
	}
	e := &Engine{
		ledger: retryledger.Ledger{Ledger: l}, book: book, cfg: cfg, ns: ns, rails: rails,
		instance: uint128.Uint128(ns.Derive("instance", []byte(cfg.Instance))),
		register: newRegister(func() *backoff.ExponentialBackOff {
			b := backoff.NewExponentialBackOff()
			b.InitialInterval, b.MaxInterval = cfg.RetryInitialInterval, cfg.RetryMaxInterval
			return b
		}),
		pauses:  newKnownPauses(),
		tallies: make(map[uint32]*payoutTally),
		spare:   make(chan struct{}, 1),
		wake:    make(chan struct{}, 1),
		stop:    make(chan struct{}),
		done:    make(chan struct{}),
		started: cfg.Clock(),
	}
	for _, asset := range book.Assets() {
		e.tallies[asset.Ledger] = e.newPayoutTally(asset.Ledger)
	}
	e.life, e.kill = context.WithCancel(context.Background()) //nolint:forbidigo // the loop has no caller; Close ends it
	if !cfg.Manual && (e.settles() || cfg.hasPositionThresholds()) {
		e.work.Go(e.loop)
	}
	if e.settles() && !cfg.NoTakeover {
		e.keeper.Go(e.keep)
	}
	return e, nil
}

// settles reports whether there is anybody who pays.
func (e *Engine) settles() bool { return len(e.rails) > 0 }

// railOf is the rail of an account; nil if it has none.
func (e *Engine) railOf(a accounts.PeerAccount) *railState {
	asset, _ := e.book.Asset(a.Ledger())
	if r := e.cfg.Rails.For(a.Peer(), asset); r != nil {
		return e.rails[railTag(e.ns, r.Name)]
	}
	return nil
}

// NotifyBalances says that packets of these accounts were booked: the loop looks at their
// balances soon, in one look-up with all others touched by then. It never waits for the
// ledger, does not keep the slice, and remembers each account once. Our own accounts are
// passed over.
func (e *Engine) NotifyBalances(list []accounts.PeerAccount) {
	e.register.touch(list, e.cfg.Clock())
	e.wakeLoop()
}

// Enqueue has the loop look at accounts although no packet of theirs was booked: at the
// start, so that open orders are resumed and what is due is paid.
func (e *Engine) Enqueue(list []accounts.PeerAccount) {
	e.register.look(list)
	e.wakeLoop()
}

// NotifyRefused says that a peer answered a packet with T04 (insufficient liquidity): what we
// owe it has reached the most that it lets us owe, and it takes no packets until we pay.
// Its policy is asked again as pressed (Standing.Urgent): those of this package then
// wait neither for a threshold nor for a time. So that a peer cannot have itself paid
// for every packet, that leads to an order only Config.OrderCooldown after the one before.
// It does not wait.
func (e *Engine) NotifyRefused(a accounts.PeerAccount) {
	if a.IsOwn() || a.IsZero() {
		return
	}
	e.register.press(a, pressedByPeer)
	e.Enqueue([]accounts.PeerAccount{a})
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
// next Engine of the same Instance resumes them, or another one takes them over when
// Config.Lease has passed.
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
	e.keeper.Wait()
	return e.openOrders()
}

func (e *Engine) openOrders() error {
	var open []OpenOrder
	for _, o := range e.register.orders() {
		open = append(open, o.OpenOrder)
	}
	if len(open) == 0 {
		return nil
	}
	slices.SortFunc(open, func(a, b OpenOrder) int { return a.PlacedAt.Compare(b.PlacedAt) })
	return &OpenOrdersError{Orders: open}
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
