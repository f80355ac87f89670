package settlement_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/migrate"
	"github.com/peerledger/peerledger/internal/prepayment"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
)

// programHold is a packet in flight.
type programHold struct {
	packet   transfers.Packet
	from, to *subject // nil: ourselves
}

// step does something at random.
func (p *program) step() {
	p.count.steps++
	pause(time.Microsecond)
	if p.count.steps%16 == 0 {
		p.look("every 16 steps")
	}
	ready := p.ready()
	switch x := p.random.IntN(100); {
	case x < 30:
		p.trade()
	case x < 68 && len(ready) > 0:
		t := pick(p, ready)
		if p.isOrdering(t) && p.chance(50) {
			t = pick(p, ready) // much is to come between a look and the order
		}
		for range 1 + p.random.IntN(6) {
			p.resume(t, p.verdict(t))
			if !p.isWaiting(t) || p.isOrdering(t) || p.failed() {
				break
			}
		}
	case x < 84:
		p.begin()
	case x < 88:
		p.note("time passes")
		pause(time.Duration(p.random.IntN(2500)) * time.Millisecond)
	case x < 92:
		p.look("a look")
	case x < 95:
		w := pick(p, p.workers)
		p.note("%s crashes", w.instance)
		p.count.crashes++
		p.crash(w)
		p.hire()
	case x < 97:
		p.orderAsBefore()
	case x < 98 && p.chance(30):
		p.migrate()
	default:
		w := pick(p, p.workers)
		w.skew = pick(p, []time.Duration{time.Second, time.Hour})
	}
}

// verdict is how a request ends.
func (p *program) verdict(t *task) verdict {
	if p.quiet || t.lost > 1 || !p.chance(8) {
		return goAhead
	}
	return pick(p, []verdict{loseBefore, loseAfter})
}

// look compares what books say with the truth.
func (p *program) look(why string) {
	p.note("%s", why)
	for _, book := range []*accounts.Book{p.observer, p.newBook(p.ledger, 1)} {
		for _, s := range p.peers {
			b, err := book.Balance(context.Background(), s.account)
			if err != nil {
				p.fail("look at %s: %v", s.name, err)
				return
			}
			p.mu.Lock()
			p.check("nothing")
			p.mu.Unlock()
			p.compare(s, b)
		}
	}
}

// trade has a packet go from a peer or from us to a peer or to us, or ends one that is held.
func (p *program) trade() {
	if len(p.holds) > 0 && p.chance(50) {
		p.end(pick(p, p.holds))
		return
	}
	from, to := pick(p, []*subject{nil, p.peers[0], p.peers[1]}), pick(p, p.peers)
	if p.chance(40) {
		from, to = to, from
	}
	n := uint64(1 + p.random.IntN(60))
	h := &programHold{from: from, to: to, packet: transfers.Packet{
		From: p.handle(from), To: p.handle(to), In: n, Out: n, Hold: time.Duration(1+p.random.IntN(2)) * time.Second,
	}}
	if p.chance(15) {
		result, err := p.recorder.Forward(context.Background(), h.packet)
		p.note("%s forwards %d to %s: %v", h.from.title(), n, h.to.title(), err)
		p.packetEnds(h, result, err)
		return
	}
	result, err := p.recorder.Prepare(context.Background(), h.packet)
	p.note("%s prepares %d to %s: %v", h.from.title(), n, h.to.title(), err)
	p.mu.Lock()
	p.check("nothing")
	p.mu.Unlock()
	if err != nil {
		if !errors.Is(err, transfers.ErrCreditLine) && !errors.Is(err, accounts.ErrPeerClosed) && !errors.Is(err, accounts.ErrSuspended) {
			p.fail("prepare: %v", err)
		}
		return
	}
	h.packet = result.Packet
	p.holds = append(p.holds, h)
	if p.chance(60) {
		p.end(h)
	}
}

func (s *subject) title() string {
	if s == nil {
		return "ourselves"
	}
	return s.name
}

func (p *program) handle(s *subject) accounts.PeerAccount {
	if s == nil {
		return p.own
	}
	return s.account
}

// end fulfills or rejects what is held, perhaps too late.
func (p *program) end(h *programHold) {
	p.holds = slices.DeleteFunc(p.holds, func(other *programHold) bool { return other == h })
	ctx := context.Background()
	if p.chance(25) {
		_, err := p.recorder.Reject(ctx, h.packet)
		p.note("%s is rejected %d: %v", h.from.title(), h.packet.In, err)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.check("nothing")
		return
	}
	result, err := p.recorder.Fulfill(ctx, h.packet)
	p.note("%s fulfills %d to %s: %v, late %v", h.from.title(), h.packet.In, h.to.title(), err, result.Late)
	if errors.Is(err, accounts.ErrPeerClosed) {
		p.holds = append(p.holds, h) // it is taken when the account is open again
	}
	p.packetEnds(h, result, err)
}

// packetEnds tells the truth of a packet that was fulfilled.
func (p *program) packetEnds(h *programHold, result transfers.Result, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	cause, n := "nothing", int64(h.packet.In)
	if err == nil && result.Outcome == ledger.OutcomeApplied {
		if result.Late {
			cause = "late"
		}
		if h.from != nil {
			h.from.send(n)
		}
		switch {
		case h.to == nil:
		case h.to.closed: // before this request, since nothing came in between
			p.parkEarned(h, result)
		default:
			h.to.earn(n)
		}
	}
	p.check(cause)
}

// parkEarned notes that what a closed receiver earned waits in suspense for it.
func (p *program) parkEarned(h *programHold, result transfers.Result) {
	p.suspense += int64(h.packet.In)
	leg := uint64(0)
	if h.from == h.to {
		leg = 1 // through our liquidity
	}
	for _, phase := range []uint64{14, 15} {
		id := result.Packet.ID
		id.Lo |= leg<<4 | phase
		found, err := p.ledger.LookupTransfers(context.Background(), []ledger.ID{id})
		p.must(err)
		if len(found) == 1 {
			h.to.parked[id] = &parked{amount: int64(h.packet.In), earned: true}
			return
		}
	}
	p.fail("a late fulfill for a closed receiver is not in phase 14 or 15")
}

// crash ends a worker. What its tasks had asked for may still be done.
func (p *program) crash(w *worker) {
	p.mu.Lock()
	w.dead = true
	p.mu.Unlock()
	p.workers = slices.DeleteFunc(p.workers, func(other *worker) bool { return other == w })
	for again := true; again; {
		again = false
		for _, t := range p.ready() {
			if t.engine == w {
				p.resume(t, pick(p, []verdict{die, dieAfter}))
				again = true
				break
			}
		}
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	_ = w.engine.Close(gone)
	p.settle(0)
}

// orderAsBefore places an order as an engine did before orders were checked. Its instance is one
// that no worker has now, and that one may have later: an engine of the same instance is stopped
// before the next one starts.
func (p *program) orderAsBefore() {
	s := pick(p, p.peers)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range p.orders {
		if o.subject == s && o.open { // even if it is of nothing
			return
		}
	}
	if s.closed || s.headroom == 0 {
		return
	}
	b, err := p.observer.LookUpBalances(context.Background(), s.account)
	p.must(err)
	ns, number := chart.Namespace("programs"), s.orders+1
	row := ledger.Transfer{
		ID:             ns.Derive("order", chart.U64(uint64(b[0].Opened.UnixNano())), chart.ID(s.ids.Settlement), chart.U64(number)),
		DebitAccountID: s.ids.Peer, CreditAccountID: s.ids.Settlement, Amount: units(uint64(1 + p.random.Int64N(s.headroom))),
		UserData64: number, UserData128: ledgerValue(ns.Derive("instance", []byte(p.freeInstance()))),
		Ledger: usd.Ledger, Code: chart.CodeOrder, Flags: ledger.TransferPending | ledger.TransferBalancingDebit,
	}
	results, err := p.ledger.CreateTransfers(context.Background(), []ledger.Transfer{row})
	p.must(err)
	p.note("an older engine orders %v of %s: %v", row.Amount, s.name, results[0].Status)
	if results[0].Status == ledger.TransferCreated {
		p.placed(nil, nil, &row)
	}
	p.check("nothing")
}

// migrate copies the books to another ledger, as an operator would: everything is stopped.
func (p *program) migrate() {
	p.note("the books are copied")
	p.count.migrations++
	for len(p.workers) > 0 {
		p.crash(p.workers[0])
	}
	p.must(p.recorder.Close(context.Background()))
	pause(10 * time.Second) // until all that is held has expired, long enough ago
	to := embedded.New()
	_, err := migrate.Run(context.Background(), p.ledger, to, 2000, nil)
	p.must(err)
	p.must(p.ledger.Close())
	p.ledger = to
	p.observer = p.newBook(to, 1)
	p.holds = nil // those that had expired are voided by rows of their own
	p.record()
	for range p.kind.engines {
		p.hire()
	}
	p.look("after the copy")
}

// mayFail is told of errors of engines. Most are what the program has done to them.
func (p *program) mayFail(err error) {
	for _, never := range []error{
		settlement.ErrOrderConflict, settlement.ErrOrderVersion, prepayment.ErrRows, prepayment.ErrRestless,
	} {
		if errors.Is(err, never) {
			p.fail("an engine fails: %v", err)
		}
	}
	p.note("  an engine: %v", err)
}

func (p *program) key() string {
	p.number++
	return fmt.Sprint("key ", p.number)
}
