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

// stopping is a ledger on which a test stops requests for transfers, and which takes at most
// one order a round.
type stopping struct {
	ledger.Ledger

	mu     sync.Mutex
	next   *stop
	spent  bool // no further order in this round
	placed func()
}

// stop is where a request is stopped, once.
type stop struct {
	at      func([]ledger.Transfer) bool
	reached chan struct{} // closed when a request has come there
	goOn    chan struct{} // closed to let it go on
}

func (s *stopping) stopAt(at func([]ledger.Transfer) bool) *stop {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = &stop{at, make(chan struct{}), make(chan struct{})}
	return s.next
}

var errOneOrder = errors.New("there was an order in this round")

func isOrder(rows []ledger.Transfer) bool {
	return rows[0].Code == chart.CodeOrder && rows[0].Flags.Has(ledger.TransferPending)
}

func (s *stopping) CreateTransfers(ctx context.Context, rows []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	s.mu.Lock()
	here := s.next
	if here != nil && here.at(rows) {
		s.next = nil
	} else {
		here = nil
	}
	spent := s.spent && isOrder(rows)
	s.mu.Unlock()
	if spent {
		return nil, errOneOrder
	}
	if here != nil {
		close(here.reached)
		<-here.goOn
	}
	results, err := s.Ledger.CreateTransfers(ctx, rows)
	if err == nil && isOrder(rows) && results[0].Status == ledger.TransferCreated {
		s.spend(true)
		s.placed()
	}
	return results, err
}

func (s *stopping) spend(spent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spent = spent
}

// bank is a rail that a test plays. It pays once for a key.
type bank struct {
	mu        sync.Mutex
	answer    string // as in a scenario's step
	amount    uint64
	paid      map[ledger.ID]uint64
	asked     uint64 // in this round
	gave      uint64
	withdrawn bool
	first     func(settlement.Order) // told of the first call for an order
	known     map[ledger.ID]bool
	called    func()
}

func (b *bank) note(withdrawn bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.withdrawn = b.withdrawn || withdrawn
}

func (b *bank) Settle(_ context.Context, o settlement.Order) (ledger.Amount, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.called()
	if b.known == nil {
		b.known = map[ledger.ID]bool{}
	}
	if !b.known[o.ID] {
		b.known[o.ID] = true
		b.first(o)
	}
	b.asked = uint64(small(o.Amount))
	if _, paid := b.paid[o.ID]; !paid {
		switch b.answer {
		case "pending":
			return none, settlement.ErrPending
		case "decline":
			return none, settlement.ErrDeclined
		case "part":
			b.paid[o.ID] = b.amount
		case "over":
			b.paid[o.ID] = b.asked + b.amount
		default:
			b.paid[o.ID] = b.asked
		}
	}
	b.gave = b.paid[o.ID]
	return units(b.gave), nil
}

// roundResult is what a round came to.
type roundResult struct {
	ordered, paid uint64
	withdrawn     bool
}

// look begins a round, and stops it at the request that places the order. It goes on with
// the next round.
func (d *desk) look(p *purse) {
	d.t.Helper()
	p.looked = make(chan roundResult, 1)
	here, done, ended := d.ledger.stopAt(isOrder), p.looked, make(chan struct{})
	engine := d.engine
	go func() {
		defer close(ended)
		done <- d.check(engine, p)
	}()
	select {
	case <-here.reached:
		d.ledger.mu.Lock()
		d.ledger.next = nil
		d.ledger.mu.Unlock()
		d.t.Cleanup(func() { // for a test that fails before the round goes on
			select {
			case <-here.goOn:
			default:
				close(here.goOn)
			}
			<-ended
		})
		p.goOn = here.goOn
	case <-ended:
	}
}

// round does a round, or goes on with the one that look began.
func (d *desk) round(p *purse, answer string, amount uint64) roundResult {
	d.t.Helper()
	d.bank.mu.Lock()
	d.bank.answer, d.bank.amount = answer, amount
	d.bank.mu.Unlock()
	var result roundResult
	if p.looked != nil {
		if p.goOn != nil {
			close(p.goOn)
		}
		result = <-p.looked
		p.looked, p.goOn = nil, nil
	} else {
		result = d.check(d.engine, p)
	}
	p.out(int64(result.paid))
	return result
}

// check is a round of an engine, with one order at most.
func (d *desk) check(engine *settlement.Engine, p *purse) roundResult {
	b := d.bank
	b.mu.Lock()
	b.asked, b.gave, b.withdrawn = 0, 0, false
	b.called = func() { d.ledger.spend(true) }
	b.first = func(o settlement.Order) { d.mayPay(p, o) }
	b.mu.Unlock()
	pause(time.Millisecond) // so that the waits of a nanosecond (OrderCooldown) are over
	d.ledger.spend(false)
	d.ledger.placed = func() { p.ordered = p.truth }
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
	if b.asked > 0 {
		p.refund = false
	}
	return roundResult{b.asked, b.gave, b.withdrawn}
}

// mayPay is the rule of section 5, step 6 of the page, at the order's own moment.
func (d *desk) mayPay(p *purse, o settlement.Order) {
	most := p.ordered.net()
	if prefund, is := d.policy.(settlement.Prefund); is && p.ordered.prepaid == 0 {
		most = max(most, most-prefund.SettleTo.Int64())
	}
	if p.refund {
		most += p.ordered.prepaid
	}
	if amount := small(o.Amount); amount > most {
		d.t.Errorf("the rail is asked for %d, of %d that may be paid", amount, most)
	}
}
