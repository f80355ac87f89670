package settlement_test

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// stoppingLedger stops a request for transfers at a breakpoint, and accepts at most one order per round.
type stoppingLedger struct {
	ledger.Ledger

	mu          sync.Mutex
	breakpoint  *requestBreakpoint
	orderPlaced bool // no further order in this round
	onPlaced    func()
}

// requestBreakpoint stops the first matching request.
type requestBreakpoint struct {
	matches func([]ledger.Transfer) bool
	reached chan struct{} // closed when a request has arrived
	resume  chan struct{} // closed to continue the request
}

func (s *stoppingLedger) setBreakpoint(at func([]ledger.Transfer) bool) *requestBreakpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.breakpoint = &requestBreakpoint{at, make(chan struct{}), make(chan struct{})}
	return s.breakpoint
}

var errOneOrder = errors.New("there was an order in this round")

func isOrder(rows []ledger.Transfer) bool {
	return rows[0].Code == chart.CodeOrder && rows[0].Flags.Has(ledger.TransferPending)
}

func (s *stoppingLedger) CreateTransfers(ctx context.Context, rows []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	s.mu.Lock()
	breakpoint := s.breakpoint
	if breakpoint != nil && breakpoint.matches(rows) {
		s.breakpoint = nil
	} else {
		breakpoint = nil
	}
	orderPlaced := s.orderPlaced && isOrder(rows)
	s.mu.Unlock()
	if orderPlaced {
		return nil, errOneOrder
	}
	if breakpoint != nil {
		close(breakpoint.reached)
		<-breakpoint.resume
	}
	results, err := s.Ledger.CreateTransfers(ctx, rows)
	if err == nil && isOrder(rows) && results[0].Status == ledger.TransferCreated {
		s.setOrderPlaced(true)
		s.onPlaced()
	}
	return results, err
}

func (s *stoppingLedger) setOrderPlaced(spent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orderPlaced = spent
}

// scriptedRail is a rail with answers from a scenario. It pays once for a key.
type scriptedRail struct {
	mu             sync.Mutex
	answer         string // as in a step of a scenario
	scriptedAmount uint64 // paid for "part"; paid beyond the order for "over"
	paid           map[ledger.ID]uint64
	askedAmount    uint64 // in this round
	paidAmount     uint64
	withdrawn      bool
	onFirstCall    func(settlement.Order) // called at the first call for an order
	seenOrders     map[ledger.ID]bool
	onCall         func()
}

func (b *scriptedRail) noteVoided(withdrawn bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.withdrawn = b.withdrawn || withdrawn
}

func (b *scriptedRail) Settle(_ context.Context, o settlement.Order) (ledger.Amount, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.onCall()
	if b.seenOrders == nil {
		b.seenOrders = map[ledger.ID]bool{}
	}
	if !b.seenOrders[o.ID] {
		b.seenOrders[o.ID] = true
		b.onFirstCall(o)
	}
	b.askedAmount = uint64(toInt64(o.Amount))
	if _, paid := b.paid[o.ID]; !paid {
		switch b.answer {
		case "pending":
			return noAmount, settlement.ErrPending
		case "decline":
			return noAmount, settlement.ErrDeclined
		case "part":
			b.paid[o.ID] = b.scriptedAmount
		case "over":
			b.paid[o.ID] = b.askedAmount + b.scriptedAmount
		default:
			b.paid[o.ID] = b.askedAmount
		}
	}
	b.paidAmount = b.paid[o.ID]
	return units(b.paidAmount), nil
}

// roundResult is the result of a round.
type roundResult struct {
	ordered, paid uint64
	withdrawn     bool
}

// stopRoundAtOrder begins a round, and stops it at the request that places the order. The next finishRound
// continues the stopped round.
func (d *moneyFixture) stopRoundAtOrder(p *moneyPeer) {
	d.t.Helper()
	p.stoppedRound = make(chan roundResult, 1)
	breakpoint, done, ended := d.ledger.setBreakpoint(isOrder), p.stoppedRound, make(chan struct{})
	engine := d.engine
	go func() {
		defer close(ended)
		done <- d.runRound(engine, p)
	}()
	select {
	case <-breakpoint.reached:
		d.ledger.mu.Lock()
		d.ledger.breakpoint = nil
		d.ledger.mu.Unlock()
		d.t.Cleanup(func() { // if the test fails before the round continues
			select {
			case <-breakpoint.resume:
			default:
				close(breakpoint.resume)
			}
			<-ended
		})
		p.resumeRound = breakpoint.resume
	case <-ended:
	}
}

// finishRound runs a round, or continues the round of stopRoundAtOrder.
func (d *moneyFixture) finishRound(p *moneyPeer, answer string, amount uint64) roundResult {
	d.t.Helper()
	d.bank.mu.Lock()
	d.bank.answer, d.bank.scriptedAmount = answer, amount
	d.bank.mu.Unlock()
	var result roundResult
	if p.stoppedRound != nil {
		if p.resumeRound != nil {
			close(p.resumeRound)
		}
		result = <-p.stoppedRound
		p.stoppedRound, p.resumeRound = nil, nil
	} else {
		result = d.runRound(d.engine, p)
	}
	p.addPaidOut(int64(result.paid))
	return result
}

// runRound runs a round of an engine with at most one order.
func (d *moneyFixture) runRound(engine *settlement.Engine, p *moneyPeer) roundResult {
	b := d.bank
	b.mu.Lock()
	b.askedAmount, b.paidAmount, b.withdrawn = 0, 0, false
	b.onCall = func() { d.ledger.setOrderPlaced(true) }
	b.onFirstCall = func(o settlement.Order) { d.checkOrderAmount(p, o) }
	b.mu.Unlock()
	sleepVirtual(time.Millisecond) // longer than the waits of a nanosecond (OrderCooldown)
	d.ledger.setOrderPlaced(false)
	d.ledger.onPlaced = func() { p.modelAtOrder = p.unitModel }
	_, err := engine.Settle(context.Background(), p.account)
	expected := false
	for _, may := range []error{errOneOrder, settlement.ErrDeclined, settlement.ErrPending, settlement.ErrPrefundLine} {
		expected = expected || errors.Is(err, may)
	}
	if err != nil && !expected {
		d.t.Errorf("a round of %v: %v", p.account, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.askedAmount > 0 {
		p.refundRequested = false
	}
	return roundResult{b.askedAmount, b.paidAmount, b.withdrawn}
}

// checkOrderAmount checks the amount of an order at the order's own moment (docs/money.md, Orders).
func (d *moneyFixture) checkOrderAmount(p *moneyPeer, o settlement.Order) {
	allowed := p.modelAtOrder.net()
	if prefund, isPrefund := d.policy.(settlement.Prefund); isPrefund && p.modelAtOrder.prepaid == 0 {
		allowed = max(allowed, allowed-prefund.SettleTo.Int64())
	}
	if p.refundRequested {
		allowed += p.modelAtOrder.prepaid
	}
	if amount := toInt64(o.Amount); amount > allowed {
		d.t.Errorf("the rail is asked for %d, of %d that may be paid", amount, allowed)
	}
}
