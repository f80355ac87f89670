package settlement_test

import (
	"context"
	"errors"
	"fmt"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// op is something that is booked once under a key, however often it is asked for.
type op struct {
	subject *subject
	kind    string
	name    string
	do      func(context.Context, *worker) error
	book    func(*seen) // tells the truth
	undo    func()      // it was refused for good
	done    bool        // it is in the books
	over    bool        // somebody was told what became of it
	nothing bool        // it is in the books with an amount of 0
	idle    func() bool // reports whether it may be told as done without being booked; may be nil
}

// begin starts a task at random.
func (p *program) begin() {
	if len(p.tasks) > 8 {
		return
	}
	s, w := pick(p, p.peers), pick(p, p.workers)
	n := int64(1 + p.random.IntN(60))
	switch x := p.random.IntN(100); {
	case x < 40:
		p.beginRound(w, s)
	case x < 45:
		p.beginReceive(w, s, n)
	case x < 52:
		p.beginAnnounced(w, s, n)
	case x < 57:
		p.beginVoucher(w, s, n)
	case x < 64:
		p.beginReturned(w, s)
	case x < 68:
		p.beginAdjust(w, s, n, p.chance(50))
	case x < 72:
		p.beginPaid(w, s, n)
	case x < 75:
		p.beginWriteOff(w, s, n)
	case x < 79:
		p.beginLine(w, s)
	case x < 83:
		p.beginClose(w, s, p.chance(30))
	case x < 88:
		p.beginReopen(s)
	case x < 91:
		p.beginRelease(s)
	case x < 94:
		p.beginRefund(w, s)
	case len(p.ops) > 0:
		p.again(pick(p, p.ops))
	}
}

// ask asks for something once more, or for the first time.
func (p *program) ask(o *op, w *worker) {
	t := &task{name: o.name + " by " + w.instance, engine: w, kind: o.kind}
	t.saw = func(s *seen) {
		if o.done {
			p.fail("%s is booked twice", o.name)
			return
		}
		o.done = true
		p.note("%s is in the books", o.name)
		o.book(s)
	}
	t.ended = func(err error) { p.told(o, err) }
	p.note("%s begins", t.name)
	p.start(t, func(ctx context.Context) error { return o.do(ctx, w) })
}

func (p *program) again(o *op) { p.ask(o, pick(p, p.workers)) }

// refusals are the errors that say that nothing is booked under a key, and nothing will be
// unless somebody asks again.
var refusals = []error{
	accounts.ErrPeerClosed, accounts.ErrNotCovered, accounts.ErrNoArrears,
}

// told holds an answer against what is in the books.
func (p *program) told(o *op, err error) {
	refused := false
	for _, r := range refusals {
		refused = refused || errors.Is(err, r)
	}
	switch {
	case errors.Is(err, errDead), errors.Is(err, errUnread), errors.Is(err, ledger.ErrOutcomeUnknown):
		return // it is asked for again
	case errors.Is(err, settlement.ErrAlreadyReceived):
		if o.idle == nil || !o.idle() {
			p.fail("%s: %v", o.name, err)
		}
	case errors.Is(err, settlement.ErrVoucherLower):
		if o.subject.voucher == 0 {
			p.fail("%s: %v", o.name, err)
		}
	case refused && o.done && !o.nothing:
		p.fail("%s is refused (%v), and it is in the books", o.name, err)
	case refused && o.undo != nil && !o.over:
		o.undo()
	case refused:
	case err != nil:
		p.fail("%s: %v", o.name, err)
	case !o.done && (o.idle == nil || !o.idle()):
		p.fail("%s is said to be booked, and it is not", o.name)
	}
	o.over = true
}

func (p *program) newOp(s *subject, kind string, n int64) *op {
	o := &op{subject: s, kind: kind, name: fmt.Sprintf("%s of %d for %s", kind, n, s.name)}
	p.ops = append(p.ops, o)
	return o
}

func (p *program) beginReceive(w *worker, s *subject, n int64) {
	p.ask(p.receiveOp(s, &payment{key: p.key()}, n), w)
}

// receiveOp is that n of a payment come in.
func (p *program) receiveOp(s *subject, pay *payment, n int64) *op {
	if pay.announced == 0 {
		s.payments = append(s.payments, pay)
	}
	pay.left = n
	o := p.newOp(s, "received", n)
	pay.receive = o
	o.do = func(ctx context.Context, w *worker) error {
		_, err := w.engine.RecordIncoming(ctx, settlement.IncomingPayment{Account: s.account, Key: pay.key, Amount: units(uint64(n))})
		return err
	}
	o.book = func(seen *seen) {
		pay.booked = true
		pay.parked = p.comes(s, n, seen)
		p.ends(s, pay)
	}
	return o
}

// ends ends the announcement of a payment, if it is open.
func (p *program) ends(s *subject, pay *payment) {
	if pay.open {
		s.coming -= pay.announced
		pay.open = false
	}
}

// beginAnnounced announces a payment, or tells what became of one, in whatever order.
func (p *program) beginAnnounced(w *worker, s *subject, n int64) {
	pay := &payment{key: p.key(), announced: n}
	if len(s.payments) > 0 && p.chance(60) {
		pay = pick(p, s.payments)
	} else {
		s.payments = append(s.payments, pay)
	}
	switch x := p.random.IntN(3); {
	case x == 0:
		p.ask(p.announceOp(s, pay, n), w)
	case x == 1:
		p.ask(p.failOp(s, pay), w)
	case pay.receive != nil:
		p.ask(pay.receive, w)
	default:
		if p.chance(50) {
			n = pay.announced
		}
		p.ask(p.receiveOp(s, pay, n), w)
	}
}

// announceOp announces a payment, if nothing is known of it yet.
func (p *program) announceOp(s *subject, pay *payment, n int64) *op {
	if pay.announced == 0 { // it was received, or at least asked for, without that
		pay.announced = n
	}
	o := p.newOp(s, "announced", pay.announced)
	o.idle = func() bool { return pay.booked || pay.failed || pay.open }
	o.do = func(ctx context.Context, w *worker) error {
		got, err := w.engine.Announce(ctx, settlement.IncomingPayment{Account: s.account, Key: pay.key, Amount: units(uint64(pay.announced))})
		if err == nil && got.State == settlement.AnnouncementOpen && got.Amount != units(uint64(pay.announced)) {
			err = errAnnounced
		}
		return err
	}
	o.book = func(*seen) {
		if pay.open || pay.failed || pay.booked {
			p.fail("a payment of %s is announced that is known: %+v", s.name, *pay)
		}
		pay.open = true
		s.coming += pay.announced
	}
	return o
}

// failOp says that a payment will not come.
func (p *program) failOp(s *subject, pay *payment) *op {
	o := p.newOp(s, "failed", pay.announced)
	o.idle = func() bool { return pay.booked || pay.failed }
	o.do = func(ctx context.Context, w *worker) error {
		_, err := w.engine.Fail(ctx, s.account, pay.key)
		return err
	}
	o.book = func(*seen) {
		if pay.failed || pay.booked {
			p.fail("a payment of %s fails that is known: %+v", s.name, *pay)
		}
		p.ends(s, pay)
		pay.failed = true
	}
	return o
}

var errAnnounced = errors.New("another amount is announced")

// comes is money of a peer that came in, to suspense if its account was found closed; it may
// be open again by now.
func (p *program) comes(s *subject, n int64, seen *seen) *parked {
	if seen.rows[0].CreditAccountID == s.ids.Peer {
		s.in(n)
		return nil
	}
	p.suspense += n
	waiting := &parked{amount: n}
	s.parked[seen.rows[0].ID] = waiting
	return waiting
}

func (p *program) beginVoucher(w *worker, s *subject, n int64) {
	s.vouchers += n
	cumulative := s.vouchers
	o := p.newOp(s, "voucher", n)
	o.do = func(ctx context.Context, w *worker) error {
		_, err := w.engine.RecordVoucher(ctx, settlement.Voucher{Account: s.account, Channel: "channel", Cumulative: units(uint64(cumulative))})
		return err
	}
	o.book = func(seen *seen) {
		p.comes(s, cumulative-s.voucher, seen)
		s.voucher = cumulative
	}
	p.ask(o, w)
}

// beginReturned has a payment come back, or a part of one that is not in suspense.
func (p *program) beginReturned(w *worker, s *subject) {
	if len(s.payments) == 0 {
		return
	}
	pay := pick(p, s.payments)
	if !pay.booked || pay.left == 0 {
		return
	}
	n := pay.left
	if pay.parked == nil && p.chance(40) {
		n = 1 + p.random.Int64N(n)
	}
	pay.left -= n
	key, o := p.key(), p.newOp(s, "returned", n)
	o.undo = func() { pay.left += n }
	o.do = func(ctx context.Context, w *worker) error {
		_, err := w.engine.RecordReturned(ctx, settlement.ReturnedPayment{Account: s.account, Key: key, Payment: pay.key, Amount: units(uint64(n))})
		return err
	}
	o.book = func(*seen) {
		for id, waiting := range s.parked {
			if waiting == pay.parked {
				delete(s.parked, id)
				p.suspense -= n
				return
			}
		}
		s.send(n)
	}
	p.ask(o, w)
}

func (p *program) beginAdjust(w *worker, s *subject, n int64, credit bool) {
	kind := "debit"
	if credit {
		kind = "credit"
	}
	o := p.newOp(s, kind, n)
	a := accounts.Adjustment{Account: s.account, Key: p.key(), Debit: units(uint64(n)), ReasonCode: 1, BeyondHeadroom: p.chance(60)}
	if credit {
		a.Credit, a.Debit, a.BeyondHeadroom = a.Debit, a.Credit, false
	}
	o.do = func(ctx context.Context, w *worker) error {
		_, err := w.book.Adjust(ctx, a)
		return err
	}
	o.book = func(*seen) {
		if credit {
			s.in(n)
			p.suspense -= n
		} else {
			s.send(n)
			p.suspense += n
		}
	}
	p.ask(o, w)
}

func (p *program) beginPaid(w *worker, s *subject, n int64) {
	out := settlement.OutgoingPayment{Account: s.account, Key: p.key(), Amount: units(uint64(n)), BeyondHeadroom: p.chance(60)}
	o := p.newOp(s, "paid", n)
	o.do = func(ctx context.Context, w *worker) error {
		_, err := w.engine.RecordOutgoing(ctx, out)
		return err
	}
	o.book = func(*seen) { s.out(n) }
	p.ask(o, w)
}

// beginWriteOff gives arrears up. How much that is follows from the accounts: what the arrears
// account was credited and the peer account was not debited.
func (p *program) beginWriteOff(w *worker, s *subject, n int64) {
	what := accounts.WriteOff{Account: s.account, Key: p.key(), Amount: units(uint64(n)), ReasonCode: 1}
	o := p.newOp(s, "write-off", n)
	o.do = func(ctx context.Context, w *worker) error {
		_, err := w.book.WriteOff(ctx, what)
		return err
	}
	o.book = func(*seen) {
		before := s.figures
		found, err := p.ledger.LookupAccounts(context.Background(), []ledger.ID{s.ids.Peer, s.ids.Line, s.ids.Settlement, s.ids.Arrears})
		p.must(err)
		s.read(found)
		given := s.collected - before.collected - (s.debits - before.debits)
		if given < 0 || given > n || given < n && s.arrears > 0 {
			p.fail("%d of %d are written off, %d are left", given, n, s.arrears)
		}
		s.in(given)
		p.suspense -= given
		o.nothing = given == 0
	}
	p.ask(o, w)
}

// beginRound has an engine settle with a peer.
func (p *program) beginRound(w *worker, s *subject) {
	t := &task{name: fmt.Sprintf("round of %s for %s", w.instance, s.name), engine: w, kind: "round"}
	t.ended = func(err error) {
		if err != nil {
			p.mayFail(err)
		}
	}
	round := w.engine.Settle
	if !p.quiet && p.chance(10) {
		round = w.engine.SettleNow
	}
	p.note("%s begins", t.name)
	p.start(t, func(ctx context.Context) error {
		_, err := round(ctx, s.account)
		return err
	})
}

func ledgerValue(id ledger.ID) uint128.Uint128 { return uint128.Uint128(id) }
