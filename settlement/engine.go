package settlement

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
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
	ledger     ledger.Ledger // resends requests of unknown outcome
	book       *accounts.Book
	cfg        Config
	payments   PaymentTracer
	ns         chart.Namespace
	instance   uint128.Uint128 // marks our orders and claims
	tracker    *tracker
	rails      map[uint32]*railState // by the tag of their orders
	railStates map[*Rail]*railState  // by the rail of Config.Rails
	pauses     *knownPauses
	tallies    map[uint32]*payoutTally // by the ledger number of the asset
	remainders *remainderTurns
	// openAccounts has the accounts that were open at their look-up or last payment (isClosed).
	openAccounts sync.Map      // accounts.PeerAccount to struct{}
	noRailSlots  chan struct{} // the slot of accounts without a rail
	wakeCh       chan struct{} // wakes the loop
	started      time.Time     // by Config.Clock

	reservations atomic.Pointer[Reservations] // nil: none

	// Close ends the Engine in three steps: no call begins (closed), visits place no further
	// order (stopCh), and the contexts of Settlers end (ctx).
	mu      sync.Mutex // makes a look at closed and wg.Add one step
	closed  bool
	stopCh  chan struct{}
	ctx     context.Context
	cancel  context.CancelFunc
	wg      sync.WaitGroup // the loop, visits and calls
	doneCh  chan struct{}  // closed when wg is done after stopCh
	leaseWG sync.WaitGroup // the lease renewal, which runs until ctx ends
}

// closeGrace is how long Close waits for Settlers whose context has ended.
const closeGrace = 5 * time.Second

// NewEngine makes an Engine on the ledger of the book, and starts the loop unless cfg.Manual is set.
// The caller closes the Engine before the ledger.
//
// The Engine checks only accounts named by [Engine.NotifyBalances], [Engine.Enqueue] or
// [Engine.Settle]: enqueue all accounts at the start, so that open orders are resumed.
// NewEngine returns the errors of [Config.Validate], an [accounts.FieldError] for two rails of one
// name, and [accounts.ErrUnknownAsset] if a rule names an asset that the book does not have.
func NewEngine(l ledger.Ledger, book *accounts.Book, cfg Config) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := cfg.checkRuleAssets(book); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	ns := chart.Namespace(book.Namespace())
	rails, states, err := newRailStates(ns, cfg.Rails, cfg.Events)
	if err != nil {
		return nil, err
	}
	e := &Engine{
		ledger: retryledger.Ledger{Ledger: l}, book: book, cfg: cfg, payments: cfg.paymentTracer(), ns: ns, rails: rails, railStates: states,
		instance: uint128.Uint128(InstanceID(book, cfg.Instance)),
		tracker: newTracker(func() *backoff.ExponentialBackOff {
			b := backoff.NewExponentialBackOff()
			b.InitialInterval, b.MaxInterval = cfg.RetryInitialInterval, cfg.RetryMaxInterval
			return b
		}),
		pauses:      newKnownPauses(),
		tallies:     make(map[uint32]*payoutTally),
		remainders:  newRemainderTurns(),
		noRailSlots: make(chan struct{}, 1),
		wakeCh:      make(chan struct{}, 1),
		stopCh:      make(chan struct{}),
		doneCh:      make(chan struct{}),
		started:     cfg.Clock(),
	}
	for _, asset := range book.Assets() {
		e.tallies[asset.Ledger] = e.newPayoutTally(asset.Ledger)
	}
	e.ctx, e.cancel = context.WithCancel(context.Background()) //nolint:forbidigo // the loop has no caller; Close ends it
	if !cfg.Manual && (e.hasRails() || cfg.hasPositionThresholds()) {
		e.wg.Go(e.runLoop)
	}
	if e.hasRails() && !cfg.NoTakeover {
		e.leaseWG.Go(e.runLeaseRenewal)
	}
	return e, nil
}

// hasRails reports whether any rail can pay.
func (e *Engine) hasRails() bool { return len(e.rails) > 0 }

// railOf returns the rail of an account; nil if it has none.
func (e *Engine) railOf(a accounts.PeerAccount) *railState {
	asset, _ := e.book.Asset(a.Ledger())
	return e.railStates[e.cfg.Rails.For(a.Peer(), asset)]
}

// NotifyBalances tells the Engine that packets of these accounts were booked. The loop checks the
// balances soon, in one look-up with all accounts touched by then. NotifyBalances never waits for the
// ledger, does not keep the slice, and remembers each account once. Our own accounts are skipped.
func (e *Engine) NotifyBalances(list []accounts.PeerAccount) {
	e.tracker.addPending(list, e.cfg.Clock())
	e.wakeLoop()
}

// Enqueue has the loop check accounts although no packet of theirs was booked: at the start, so
// that open orders are resumed and debts from before are paid.
func (e *Engine) Enqueue(list []accounts.PeerAccount) {
	e.tracker.markTouched(list)
	e.wakeLoop()
}

// NotifyRefused tells the Engine that a peer answered a packet with T04 (insufficient
// liquidity): we owe the peer as much as the peer allows, and it takes no packets until we pay. The
// policy is evaluated as urgent ([PolicyInput.Urgent]); the policies of this package then wait
// neither for a threshold nor for a time. At most one order per [Config.OrderCooldown] results, so
// a peer cannot force a payment for every packet. NotifyRefused returns at once.
func (e *Engine) NotifyRefused(a accounts.PeerAccount) {
	if a.IsOwn() || a.IsZero() {
		return
	}
	e.tracker.setUrgent(a, urgencyByPeer)
	e.Enqueue([]accounts.PeerAccount{a})
}

func (e *Engine) wakeLoop() {
	select {
	case e.wakeCh <- struct{}{}:
	default: // a wake-up is waiting for the loop already
	}
}

// Close stops the Engine: the Engine places no more orders, and Close waits for payments under way.
// When ctx ends first, the contexts of the Settlers end too, and a Settler still running 5 s later is
// left behind. A second Close waits in the same way.
//
// Open orders are reported as an [*OpenOrdersError] ([ErrOrdersOpen]). The next Engine of the same
// Instance resumes them, or another engine takes them over once [Config.Lease] has passed.
func (e *Engine) Close(ctx context.Context) error {
	e.mu.Lock()
	first := !e.closed
	e.closed = true
	e.mu.Unlock()
	if first {
		close(e.stopCh)
		go func() {
			e.wg.Wait()
			close(e.doneCh)
		}()
	}
	select {
	case <-e.doneCh:
	case <-ctx.Done():
		e.cancel()
		grace := time.NewTimer(closeGrace)
		defer grace.Stop()
		select {
		case <-e.doneCh:
		case <-grace.C:
		}
	}
	e.cancel()
	e.leaseWG.Wait()
	return e.openOrdersError()
}

func (e *Engine) openOrdersError() error {
	var open []OpenOrder
	for _, o := range e.tracker.openOrders() {
		open = append(open, o.OpenOrder)
	}
	if len(open) == 0 {
		return nil
	}
	slices.SortFunc(open, func(a, b OpenOrder) int { return a.PlacedAt.Compare(b.PlacedAt) })
	return &OpenOrdersError{Orders: open}
}

// acquireCall counts a call in wg, for the caller's wg.Done; false if the Engine is closed.
func (e *Engine) acquireCall() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.wg.Add(1)
	}
	return !e.closed
}

func (e *Engine) isStopping() bool {
	select {
	case <-e.stopCh:
		return true
	default:
		return false
	}
}
