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

// bookingOp is a booking that happens once under its key, however often it is called.
type bookingOp struct {
	subject      *programPeer
	kind         string
	name         string
	call         func(context.Context, *worker) error
	applyToModel func(*ledgerAnswer)
	revert       func()      // called if the booking was refused for good
	booked       bool        // in the ledger
	answered     bool        // a caller got a final answer
	zeroAmount   bool        // booked with amount 0
	mayBeIdle    func() bool // reports whether a call may succeed without a booking; may be nil
}

// beginRandom starts a random task.
func (p *program) beginRandom() {
	if len(p.tasks) > 8 {
		return
	}
	s, w := pickRandom(p, p.peers), pickRandom(p, p.workers)
	n := int64(1 + p.random.IntN(60))
	switch x := p.random.IntN(100); {
	case x < 40:
		p.beginRound(w, s)
	case x < 45:
		p.beginIncoming(w, s, n)
	case x < 52:
		p.beginAnnouncement(w, s, n)
	case x < 57:
		p.beginVoucher(w, s, n)
	case x < 64:
		p.beginReturn(w, s)
	case x < 68:
		p.beginAdjust(w, s, n, p.rollChance(50))
	case x < 72:
		p.beginOutgoing(w, s, n)
	case x < 75:
		p.beginWriteOff(w, s, n)
	case x < 79:
		p.beginLine(w, s)
	case x < 83:
		p.beginClose(w, s, p.rollChance(30))
	case x < 88:
		p.beginReopen(s)
	case x < 91:
		p.beginRelease(s)
	case x < 94:
		p.beginRefund(w, s)
	case len(p.ops) > 0:
		p.repeatOp(pickRandom(p, p.ops))
	}
}

// runOp calls a booking, for the first time or again.
func (p *program) runOp(o *bookingOp, w *worker) {
	t := &task{name: o.name + " by " + w.instance, worker: w, kind: o.kind}
	t.onApplied = func(s *ledgerAnswer) {
		if o.booked {
			p.reportFault("%s is booked twice", o.name)
			return
		}
		o.booked = true
		p.logLine("%s is in the books", o.name)
		o.applyToModel(s)
	}
	t.onEnd = func(err error) { p.checkAnswer(o, err) }
	p.logLine("%s begins", t.name)
	p.startTask(t, func(ctx context.Context) error { return o.call(ctx, w) })
}

func (p *program) repeatOp(o *bookingOp) { p.runOp(o, pickRandom(p, p.workers)) }

// refusals are errors of a booking that did not happen, and will not happen without another call.
var refusals = []error{
	accounts.ErrPeerClosed, accounts.ErrNotCovered, accounts.ErrNoArrears,
}

// checkAnswer compares an answer with the books.
func (p *program) checkAnswer(o *bookingOp, err error) {
	refused := false
	for _, r := range refusals {
		refused = refused || errors.Is(err, r)
	}
	switch {
	case errors.Is(err, errDead), errors.Is(err, errUnread), errors.Is(err, ledger.ErrOutcomeUnknown):
		return // runToRest repeats the call
	case errors.Is(err, settlement.ErrAlreadyReceived):
		if o.mayBeIdle == nil || !o.mayBeIdle() {
			p.reportFault("%s: %v", o.name, err)
		}
	case errors.Is(err, settlement.ErrVoucherLower):
		if o.subject.bookedVoucher == 0 {
			p.reportFault("%s: %v", o.name, err)
		}
	case refused && o.booked && !o.zeroAmount:
		p.reportFault("%s is refused (%v), and it is in the books", o.name, err)
	case refused && o.revert != nil && !o.answered:
		o.revert()
	case refused:
	case err != nil:
		p.reportFault("%s: %v", o.name, err)
	case !o.booked && (o.mayBeIdle == nil || !o.mayBeIdle()):
		p.reportFault("%s is said to be booked, and it is not", o.name)
	}
	o.answered = true
}

func (p *program) newOp(s *programPeer, kind string, n int64) *bookingOp {
	o := &bookingOp{subject: s, kind: kind, name: fmt.Sprintf("%s of %d for %s", kind, n, s.name)}
	p.ops = append(p.ops, o)
	return o
}

func (p *program) beginIncoming(w *worker, s *programPeer, n int64) {
	p.runOp(p.incomingOp(s, &programPayment{key: p.nextKey()}, n), w)
}

// incomingOp books n units of a payment.
func (p *program) incomingOp(s *programPeer, pay *programPayment, n int64) *bookingOp {
	if pay.announced == 0 {
		s.payments = append(s.payments, pay)
	}
	pay.remaining = n
	o := p.newOp(s, "received", n)
	pay.receive = o
	o.call = func(ctx context.Context, w *worker) error {
		_, err := w.engine.RecordIncoming(ctx, settlement.IncomingPayment{Account: s.account, Key: pay.key, Amount: units(uint64(n))})
		return err
	}
	o.applyToModel = func(seen *ledgerAnswer) {
		pay.booked = true
		pay.suspenseRow = p.addIncoming(s, n, seen)
		p.endAnnouncement(s, pay)
	}
	return o
}

// endAnnouncement ends the announcement of a payment, if it is open.
func (p *program) endAnnouncement(s *programPeer, pay *programPayment) {
	if pay.open {
		s.openAnnounced -= pay.announced
		pay.open = false
	}
}

// beginAnnouncement announces a payment, or fails or books one, in any order.
func (p *program) beginAnnouncement(w *worker, s *programPeer, n int64) {
	pay := &programPayment{key: p.nextKey(), announced: n}
	if len(s.payments) > 0 && p.rollChance(60) {
		pay = pickRandom(p, s.payments)
	} else {
		s.payments = append(s.payments, pay)
	}
	switch x := p.random.IntN(3); {
	case x == 0:
		p.runOp(p.announceOp(s, pay, n), w)
	case x == 1:
		p.runOp(p.failOp(s, pay), w)
	case pay.receive != nil:
		p.runOp(pay.receive, w)
	default:
		if p.rollChance(50) {
			n = pay.announced
		}
		p.runOp(p.incomingOp(s, pay, n), w)
	}
}

// announceOp announces a payment if its key is free.
func (p *program) announceOp(s *programPeer, pay *programPayment, n int64) *bookingOp {
	if pay.announced == 0 { // it was received, or a call was made, without an announcement
		pay.announced = n
	}
	o := p.newOp(s, "announced", pay.announced)
	o.mayBeIdle = func() bool { return pay.booked || pay.failed || pay.open }
	o.call = func(ctx context.Context, w *worker) error {
		got, err := w.engine.Announce(ctx, settlement.IncomingPayment{Account: s.account, Key: pay.key, Amount: units(uint64(pay.announced))})
		if err == nil && got.State == settlement.AnnouncementOpen && got.Amount != units(uint64(pay.announced)) {
			err = errAnnounced
		}
		return err
	}
	o.applyToModel = func(*ledgerAnswer) {
		if pay.open || pay.failed || pay.booked {
			p.reportFault("a payment of %s is announced that is known: %+v", s.name, *pay)
		}
		pay.open = true
		s.openAnnounced += pay.announced
	}
	return o
}

// failOp fails a payment.
func (p *program) failOp(s *programPeer, pay *programPayment) *bookingOp {
	o := p.newOp(s, "failed", pay.announced)
	o.mayBeIdle = func() bool { return pay.booked || pay.failed }
	o.call = func(ctx context.Context, w *worker) error {
		_, err := w.engine.Fail(ctx, s.account, pay.key)
		return err
	}
	o.applyToModel = func(*ledgerAnswer) {
		if pay.failed || pay.booked {
			p.reportFault("a payment of %s fails that is known: %+v", s.name, *pay)
		}
		p.endAnnouncement(s, pay)
		pay.failed = true
	}
	return o
}

var errAnnounced = errors.New("another amount is announced")

// addIncoming adds money of a peer to the model, or to suspense if its account was closed in the booking. The account
// may be open again by now.
func (p *program) addIncoming(s *programPeer, n int64, seen *ledgerAnswer) *suspenseRow {
	if seen.rows[0].CreditAccountID == s.ids.Peer {
		s.addPaidIn(n)
		return nil
	}
	p.suspense += n
	waiting := &suspenseRow{amount: n}
	s.suspenseRows[seen.rows[0].ID] = waiting
	return waiting
}

func (p *program) beginVoucher(w *worker, s *programPeer, n int64) {
	s.highestVoucher += n
	cumulative := s.highestVoucher
	o := p.newOp(s, "voucher", n)
	o.call = func(ctx context.Context, w *worker) error {
		_, err := w.engine.RecordVoucher(ctx, settlement.Voucher{Account: s.account, Channel: "channel", Cumulative: units(uint64(cumulative))})
		return err
	}
	o.applyToModel = func(seen *ledgerAnswer) {
		p.addIncoming(s, cumulative-s.bookedVoucher, seen)
		s.bookedVoucher = cumulative
	}
	p.runOp(o, w)
}

// beginReturn returns a payment, or a part of a payment that is not in suspense.
func (p *program) beginReturn(w *worker, s *programPeer) {
	if len(s.payments) == 0 {
		return
	}
	pay := pickRandom(p, s.payments)
	if !pay.booked || pay.remaining == 0 {
		return
	}
	n := pay.remaining
	if pay.suspenseRow == nil && p.rollChance(40) {
		n = 1 + p.random.Int64N(n)
	}
	pay.remaining -= n
	key, o := p.nextKey(), p.newOp(s, "returned", n)
	o.revert = func() { pay.remaining += n }
	o.call = func(ctx context.Context, w *worker) error {
		_, err := w.engine.RecordReturned(ctx, settlement.ReturnedPayment{Account: s.account, Key: key, Payment: pay.key, Amount: units(uint64(n))})
		return err
	}
	o.applyToModel = func(*ledgerAnswer) {
		for id, waiting := range s.suspenseRows {
			if waiting == pay.suspenseRow {
				delete(s.suspenseRows, id)
				p.suspense -= n
				return
			}
		}
		s.addSent(n)
	}
	p.runOp(o, w)
}

func (p *program) beginAdjust(w *worker, s *programPeer, n int64, credit bool) {
	kind := "debit"
	if credit {
		kind = "credit"
	}
	o := p.newOp(s, kind, n)
	a := accounts.Adjustment{Account: s.account, Key: p.nextKey(), Debit: units(uint64(n)), ReasonCode: 1, BeyondHeadroom: p.rollChance(60)}
	if credit {
		a.Credit, a.Debit, a.BeyondHeadroom = a.Debit, a.Credit, false
	}
	o.call = func(ctx context.Context, w *worker) error {
		_, err := w.book.Adjust(ctx, a)
		return err
	}
	o.applyToModel = func(*ledgerAnswer) {
		if credit {
			s.addPaidIn(n)
			p.suspense -= n
		} else {
			s.addSent(n)
			p.suspense += n
		}
	}
	p.runOp(o, w)
}

func (p *program) beginOutgoing(w *worker, s *programPeer, n int64) {
	out := settlement.OutgoingPayment{Account: s.account, Key: p.nextKey(), Amount: units(uint64(n)), BeyondHeadroom: p.rollChance(60)}
	o := p.newOp(s, "paid", n)
	o.call = func(ctx context.Context, w *worker) error {
		_, err := w.engine.RecordOutgoing(ctx, out)
		return err
	}
	o.applyToModel = func(*ledgerAnswer) { s.addPaidOut(n) }
	p.runOp(o, w)
}

// beginWriteOff writes arrears off. The amount follows from the accounts: credits of the arrears account less debits
// of the peer account.
func (p *program) beginWriteOff(w *worker, s *programPeer, n int64) {
	writeOff := accounts.WriteOff{Account: s.account, Key: p.nextKey(), Amount: units(uint64(n)), ReasonCode: 1}
	o := p.newOp(s, "write-off", n)
	o.call = func(ctx context.Context, w *worker) error {
		_, err := w.book.WriteOff(ctx, writeOff)
		return err
	}
	o.applyToModel = func(*ledgerAnswer) {
		before := s.peerFigures
		found, err := p.ledger.LookupAccounts(context.Background(), []ledger.ID{s.ids.Peer, s.ids.Line, s.ids.Settlement, s.ids.Arrears})
		p.checkError(err)
		s.readFigures(found)
		given := s.collected - before.collected - (s.debits - before.debits)
		if given < 0 || given > n || given < n && s.arrears > 0 {
			p.reportFault("%d of %d are written off, %d are left", given, n, s.arrears)
		}
		s.addPaidIn(given)
		p.suspense -= given
		o.zeroAmount = given == 0
	}
	p.runOp(o, w)
}

// beginRound runs a round of an engine for a peer.
func (p *program) beginRound(w *worker, s *programPeer) {
	t := &task{name: fmt.Sprintf("round of %s for %s", w.instance, s.name), worker: w, kind: "round"}
	t.onEnd = func(err error) {
		if err != nil {
			p.checkEngineError(err)
		}
	}
	round := w.engine.Settle
	if !p.quiet && p.rollChance(10) {
		round = w.engine.SettleNow
	}
	p.logLine("%s begins", t.name)
	p.startTask(t, func(ctx context.Context) error {
		_, err := round(ctx, s.account)
		return err
	})
}

func ledgerValue(id ledger.ID) uint128.Uint128 { return uint128.Uint128(id) }
