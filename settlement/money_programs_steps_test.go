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
	from, to *programPeer // nil: ourselves
}

// runStep does a random step.
func (p *program) runStep() {
	p.counts.steps++
	sleepVirtual(time.Microsecond)
	if p.counts.steps%16 == 0 {
		p.compareBalances("every 16 steps")
	}
	ready := p.waitingTasks()
	switch x := p.random.IntN(100); {
	case x < 30:
		p.tradePacket()
	case x < 68 && len(ready) > 0:
		t := pickRandom(p, ready)
		if p.isOrdering(t) && p.rollChance(50) {
			t = pickRandom(p, ready) // let much happen between the decision and the order
		}
		for range 1 + p.random.IntN(6) {
			p.resumeTask(t, p.pickVerdict(t))
			if !p.isWaiting(t) || p.isOrdering(t) || p.hasFailed() {
				break
			}
		}
	case x < 84:
		p.beginRandom()
	case x < 88:
		p.logLine("time passes")
		sleepVirtual(time.Duration(p.random.IntN(2500)) * time.Millisecond)
	case x < 92:
		p.compareBalances("a look")
	case x < 95:
		w := pickRandom(p, p.workers)
		p.logLine("%s crashes", w.instance)
		p.counts.crashes++
		p.crashWorker(w)
		p.startWorker()
	case x < 97:
		p.placeUncheckedOrder()
	case x < 98 && p.rollChance(30):
		p.migrateBooks()
	default:
		w := pickRandom(p, p.workers)
		w.skew = pickRandom(p, []time.Duration{time.Second, time.Hour})
	}
}

// pickVerdict picks the end of a request.
func (p *program) pickVerdict(t *task) verdict {
	if p.quiet || t.lostAnswers > 1 || !p.rollChance(8) {
		return goAhead
	}
	return pickRandom(p, []verdict{loseBefore, loseAfter})
}

// compareBalances compares the balances of books with the model.
func (p *program) compareBalances(moment string) {
	p.logLine("%s", moment)
	for _, book := range []*accounts.Book{p.observer, p.newBook(p.ledger, 1)} {
		for _, s := range p.peers {
			b, err := book.Balance(context.Background(), s.account)
			if err != nil {
				p.reportFault("look at %s: %v", s.name, err)
				return
			}
			p.mu.Lock()
			p.checkInvariants("nothing")
			p.mu.Unlock()
			p.compareBalance(s, b)
		}
	}
}

// tradePacket prepares or forwards a packet between peers and us, or ends a hold.
func (p *program) tradePacket() {
	if len(p.holds) > 0 && p.rollChance(50) {
		p.endHold(pickRandom(p, p.holds))
		return
	}
	if p.rollChance(15) {
		p.tradeInRound()
		return
	}
	from, to := pickRandom(p, []*programPeer{nil, p.peers[0], p.peers[1]}), pickRandom(p, p.peers)
	if p.rollChance(40) {
		from, to = to, from
	}
	n := uint64(1 + p.random.IntN(60))
	h := &programHold{from: from, to: to, packet: transfers.Packet{
		From: p.accountOf(from), To: p.accountOf(to), In: n, Out: n, Hold: time.Duration(1+p.random.IntN(2)) * time.Second,
	}}
	if p.rollChance(15) {
		result, err := p.recorder.Forward(context.Background(), h.packet)
		p.logLine("%s forwards %d to %s: %v", h.from.displayName(), n, h.to.displayName(), err)
		p.applyPacket(h, result, err)
		return
	}
	result, err := p.recorder.Prepare(context.Background(), h.packet)
	p.logLine("%s prepares %d to %s: %v", h.from.displayName(), n, h.to.displayName(), err)
	p.mu.Lock()
	p.checkInvariants("nothing")
	p.mu.Unlock()
	if err != nil {
		if !errors.Is(err, transfers.ErrCreditLine) && !errors.Is(err, accounts.ErrPeerClosed) && !errors.Is(err, accounts.ErrSuspended) {
			p.reportFault("prepare: %v", err)
		}
		return
	}
	h.packet = result.Packet
	p.holds = append(p.holds, h)
	if p.rollChance(60) {
		p.endHold(h)
	}
}

func (s *programPeer) displayName() string {
	if s == nil {
		return "ourselves"
	}
	return s.name
}

func (p *program) accountOf(s *programPeer) accounts.PeerAccount {
	if s == nil {
		return p.ownAccount
	}
	return s.account
}

// endHold fulfills or rejects a hold, perhaps too late.
func (p *program) endHold(h *programHold) {
	p.holds = slices.DeleteFunc(p.holds, func(other *programHold) bool { return other == h })
	ctx := context.Background()
	if p.rollChance(25) {
		_, err := p.recorder.Reject(ctx, h.packet)
		p.logLine("%s is rejected %d: %v", h.from.displayName(), h.packet.In, err)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.checkInvariants("nothing")
		return
	}
	result, err := p.recorder.Fulfill(ctx, h.packet)
	p.logLine("%s fulfills %d to %s: %v, late %v", h.from.displayName(), h.packet.In, h.to.displayName(), err, result.Late)
	if errors.Is(err, accounts.ErrPeerClosed) {
		p.holds = append(p.holds, h) // the fulfill succeeds when the account is open again
	}
	p.applyPacket(h, result, err)
}

// applyPacket adds a fulfilled packet to the model.
func (p *program) applyPacket(h *programHold, result transfers.Result, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	cause, n := "nothing", int64(h.packet.In)
	if err == nil && result.Outcome == ledger.OutcomeApplied {
		if result.Late {
			cause = "late"
		}
		if h.from != nil {
			h.from.addSent(n)
		}
		switch {
		case h.to == nil:
		case h.to.closed: // closed before this request, because no other request ran in between
			p.addLateEarning(h, result)
		default:
			h.to.addEarned(n)
		}
	}
	p.checkInvariants(cause)
}

// addLateEarning adds the earnings of a closed receiver, which are in suspense.
func (p *program) addLateEarning(h *programHold, result transfers.Result) {
	p.suspense += int64(h.packet.In)
	leg := uint64(0)
	if h.from == h.to {
		leg = 1 // through our liquidity
	}
	for _, phase := range []uint64{14, 15} {
		id := result.Packet.ID
		id.Lo |= leg<<4 | phase
		found, err := p.ledger.LookupTransfers(context.Background(), []ledger.ID{id})
		p.checkError(err)
		if len(found) == 1 {
			h.to.suspenseRows[id] = &suspenseRow{amount: int64(h.packet.In), earned: true}
			return
		}
	}
	p.reportFault("a late fulfill for a closed receiver is not in phase 14 or 15")
}

// crashWorker ends a worker. Requests in flight may still be applied.
func (p *program) crashWorker(w *worker) {
	p.mu.Lock()
	w.dead = true
	p.mu.Unlock()
	p.workers = slices.DeleteFunc(p.workers, func(other *worker) bool { return other == w })
	for again := true; again; {
		again = false
		for _, t := range p.waitingTasks() {
			if t.worker == w {
				p.resumeTask(t, pickRandom(p, []verdict{dieBefore, dieAfter}))
				again = true
				break
			}
		}
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	_ = w.engine.Close(gone)
	p.waitForTasks(0)
}

// placeUncheckedOrder places an order of an engine of a version without the check of orders. The order has an
// instance without a worker; a later worker may have that instance, as the next engine of a stopped one.
func (p *program) placeUncheckedOrder() {
	s := pickRandom(p, p.peers)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range p.orders {
		if o.peer == s && o.open { // also an order of amount 0
			return
		}
	}
	if s.closed || s.headroom == 0 {
		return
	}
	b, err := p.observer.LookUpBalances(context.Background(), s.account)
	p.checkError(err)
	ns, number := chart.Namespace("programs"), s.newestOrder+1
	row := ledger.Transfer{
		ID:             ns.Derive("order", chart.U64(uint64(b[0].Opened.UnixNano())), chart.ID(s.ids.Settlement), chart.U64(number)),
		DebitAccountID: s.ids.Peer, CreditAccountID: s.ids.Settlement, Amount: units(uint64(1 + p.random.Int64N(s.headroom))),
		UserData64: number, UserData128: ledgerValue(ns.Derive("instance", []byte(p.pickFreeInstance()))),
		Ledger: usd.Ledger, Code: chart.CodeOrder, Flags: ledger.TransferPending | ledger.TransferBalancingDebit,
	}
	results, err := p.ledger.CreateTransfers(context.Background(), []ledger.Transfer{row})
	p.checkError(err)
	p.logLine("an older engine orders %v of %s: %v", row.Amount, s.name, results[0].Status)
	if results[0].Status == ledger.TransferCreated {
		p.notePlaced(nil, nil, &row)
	}
	p.checkInvariants("nothing")
}

// migrateBooks copies the books to another ledger while everything is stopped, as an operator does.
func (p *program) migrateBooks() {
	p.logLine("the books are copied")
	p.counts.migrations++
	for len(p.workers) > 0 {
		p.crashWorker(p.workers[0])
	}
	p.checkError(p.recorder.Close(context.Background()))
	sleepVirtual(10 * time.Second) // long enough after the expiry of all holds
	to := embedded.New()
	_, err := migrate.Run(context.Background(), p.ledger, to, 2000, nil)
	p.checkError(err)
	p.checkError(p.ledger.Close())
	p.ledger = to
	p.observer = p.newBook(to, 1)
	p.holds = nil // the copy has voids of the expired holds
	p.startRecorder()
	for range p.kind.engines {
		p.startWorker()
	}
	p.compareBalances("after the copy")
}

// checkEngineError reports errors that the faults of a program do not explain.
func (p *program) checkEngineError(err error) {
	for _, never := range []error{
		settlement.ErrOrderConflict, settlement.ErrOrderVersion, prepayment.ErrRows, prepayment.ErrTooBusy,
	} {
		if errors.Is(err, never) {
			p.reportFault("an engine fails: %v", err)
		}
	}
	p.logLine("  an engine: %v", err)
}

func (p *program) nextKey() string {
	p.lastKey++
	return fmt.Sprint("key ", p.lastKey)
}
