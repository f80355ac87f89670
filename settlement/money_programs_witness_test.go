package settlement_test

import (
	"context"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// programPeer is a peer of a program with its model.
type programPeer struct {
	unitModel
	peerFigures
	name           string
	account        accounts.PeerAccount
	ids            accounts.PeerIDs
	policy         policyLevels
	payments       []*programPayment
	suspenseRows   map[ledger.ID]*suspenseRow // by the id of the row
	bookedVoucher  int64                      // the highest booked voucher
	highestVoucher int64                      // the highest voucher of the peer
	newestOrder    uint64                     // number of the newest order
	openAnnounced  int64                      // announced, and neither received nor failed
}

// programPayment is a payment of a peer.
type programPayment struct {
	key         string
	remaining   int64
	booked      bool
	suspenseRow *suspenseRow
	// announced is the announced amount, 0 without an announcement; open and failed are the state of the announcement
	// in the ledger; receive is the booking of the payment.
	announced    int64
	open, failed bool
	receive      *bookingOp
}

// suspenseRow is money in suspense for a closed peer.
type suspenseRow struct {
	amount int64
	earned bool // by packets; otherwise paid
}

// peerFigures are a peer's figures in the ledger after a request.
type peerFigures struct {
	position, headroom, line, arrears, settling int64
	held, announced                             int64
	debits, credits                             int64 // of the peer account
	collected                                   int64 // credits of the arrears account
	closed                                      bool
}

// ledgerAnswer is a request with the ledger's answer.
type ledgerAnswer struct {
	worker  *worker
	task    *task
	rows    []ledger.Transfer
	results []ledger.CreateTransferResult
}

func (s *ledgerAnswer) isCreated(i int) bool { return s.results[i].Status == ledger.TransferCreated }

// placedOrder is an order in the ledger.
type placedOrder struct {
	peer         *programPeer
	placer       *worker // nil: an engine of an older version
	round        *task   // the task that placed the order
	tag          uint64
	open         bool
	modelAtOrder unitModel // the model at the order's own moment, as arrears
	arrears      int64
	maxAllowed   int64 // the largest allowedAmount since the order

	takenOver bool // a worker other than the placer has claimed the order
}

// allowedAmount is the largest allowed amount of an order (docs/money.md, Orders).
func (o *placedOrder) allowedAmount(now *unitModel, arrears int64) int64 {
	amount := now.net()
	if o.tag>>62&1 == 1 {
		amount += now.prepaid
	}
	if o.tag>>63 == 1 && now.prepaid == 0 && arrears == 0 {
		amount = max(amount, now.net()-o.peer.policy.settleTo)
	}
	return amount
}

// applyRequest adds an applied request to the model, and compares the books with the model.
func (p *program) applyRequest(s *ledgerAnswer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	cause, other := "nothing", false
	if s.task != nil {
		cause = s.task.kind
	}
	for i := range s.rows {
		if !s.isCreated(i) {
			continue
		}
		p.writtenRows++
		row := &s.rows[i]
		order := p.orders[row.PendingID]
		switch {
		case row.Code == chart.CodeOrder && row.Flags.Has(ledger.TransferPending):
			p.notePlaced(s.worker, s.task, row)
		case row.Code == chart.CodeClaim:
			p.noteClaim(s.worker, row)
		case order != nil && p.noteResolved(order, row):
			cause = "excess"
		case order == nil:
			other = true
		}
	}
	if s.task != nil && s.task.onApplied != nil && other {
		s.task.onApplied(s)
	}
	p.checkInvariants(cause)
}

// noteClaim notes that an order was taken over.
func (p *program) noteClaim(by *worker, row *ledger.Transfer) {
	for _, o := range p.orders {
		if o.open && o.peer.ids.Settlement == row.DebitAccountID && o.placer != by {
			o.takenOver = true
		}
	}
}

func (p *program) notePlaced(by *worker, round *task, row *ledger.Transfer) {
	for _, s := range p.peers {
		if row.DebitAccountID != s.ids.Peer {
			continue
		}
		p.orders[row.ID] = &placedOrder{
			peer: s, placer: by, round: round, tag: row.UserData64, open: true, modelAtOrder: s.unitModel, arrears: s.arrears, maxAllowed: -farAmount,
		}
		s.newestOrder = max(s.newestOrder, row.UserData64&(1<<56-1))
		p.counts.orders++
		if by != nil && row.UserData64>>62&1 == 1 && !by.refunds[s.account] {
			p.reportFault("an order of %s refunds a prepayment, and nobody asked for it", by.instance)
		}
		p.logLine("an order of %s is placed: %d %x", s.name, row.UserData64&(1<<56-1), row.UserData64>>56)
	}
}

// noteResolved notes that an order was posted or voided, and reports whether the rail paid more than the order.
func (p *program) noteResolved(o *placedOrder, row *ledger.Transfer) (excess bool) {
	o.open = false
	f := p.rail.fates[row.PendingID]
	switch {
	case row.Flags.Has(ledger.TransferVoidPending):
		if f != nil && !f.declined || f != nil && f.paid > 0 {
			p.reportFault("an order is voided that the rail was given: %+v", *f)
		}
		if f == nil {
			p.counts.voided++
		}
	case f == nil || !f.decided:
		p.reportFault("an order is posted that the rail has not answered")
	default:
		o.peer.addPaidOut(f.paid)
		p.counts.paid++
		return f.paid > f.amount
	}
	return false
}

// checkFirstCall checks the first call of the rail for an order.
func (p *program) checkFirstCall(t *task, order settlement.Order) {
	p.mu.Lock()
	defer p.mu.Unlock()
	o, amount := p.orders[order.ID], toInt64(order.Amount)
	p.counts.asked++
	switch {
	case o == nil || amount == 0:
		p.reportFault("the rail is asked for %d of an order that is not there", amount)
	case !o.open:
		p.reportFault("the rail is asked for an order that is closed")
	case o.placer == nil: // an older version pays every amount
	case p.kind.noHistory:
		// The engine that placed the order checks it some time later. An engine that takes the order over cannot check
		// it, nor can the first engine after taking it back: the other engine may have called the rail.
		if t == o.round && !o.takenOver && amount > o.maxAllowed {
			p.reportFault("the rail is asked for %d, and no more than %d might ever be paid", amount, o.maxAllowed)
		}
	case amount > o.allowedAmount(&o.modelAtOrder, o.arrears):
		p.reportFault("the rail is asked for %d; when it was ordered, %d might be paid: %+v", amount, o.allowedAmount(&o.modelAtOrder, o.arrears), o.modelAtOrder)
	}
}

// growthCauses are the causes of growing arrears.
var growthCauses = map[string]bool{"late": true, "returned": true, "debit": true, "paid": true, "excess": true}

// checkInvariants reads the books, and compares them with the model (invariants 1 to 3). The caller holds mu.
func (p *program) checkInvariants(cause string) {
	own, _ := p.observer.AssetIDs(usd.Ledger)
	ids := []ledger.ID{own.Suspense}
	for _, s := range p.peers {
		ids = append(ids, s.ids.Peer, s.ids.Line, s.ids.Settlement, s.ids.Arrears)
	}
	found, err := p.ledger.LookupAccounts(context.Background(), ids)
	if err != nil || len(found) != len(ids) {
		p.reportFault("the books cannot be read: %d accounts, %v", len(found), err)
		return
	}
	if held := toInt64(found[0].CreditsPosted) - toInt64(found[0].DebitsPosted); held != p.suspense {
		p.reportFault("suspense has %d, and should have %d (%s)", held, p.suspense, cause)
	}
	for i, s := range p.peers {
		before := s.peerFigures
		s.readFigures(found[1+4*i:])
		p.checkPeer(s, before.arrears, cause)
	}
	for _, o := range p.orders {
		if o.open {
			o.maxAllowed = max(o.maxAllowed, o.allowedAmount(&o.peer.unitModel, o.peer.arrears))
		}
	}
}

// readFigures sets the figures from the accounts of the peer.
func (s *programPeer) readFigures(found []ledger.Account) {
	peer, line, settled, arrears := &found[0], &found[1], &found[2], &found[3]
	f := peerFigures{
		debits: toInt64(peer.DebitsPosted), credits: toInt64(peer.CreditsPosted),
		line:      toInt64(line.DebitsPosted) - toInt64(line.CreditsPosted),
		arrears:   toInt64(arrears.DebitsPosted) - toInt64(arrears.CreditsPosted),
		collected: toInt64(arrears.CreditsPosted),
		settling:  toInt64(settled.CreditsPending),
		announced: toInt64(settled.DebitsPending),
		held:      toInt64(peer.DebitsPending),
		closed:    peer.Closed(),
	}
	f.position = f.credits - f.debits - f.line - f.arrears
	f.headroom = f.credits - f.debits - f.held
	s.peerFigures = f
}

func (p *program) checkPeer(s *programPeer, arrearsBefore int64, cause string) {
	switch {
	case s.peerFigures.position != s.unitModel.position():
		p.reportFault("the position of %s is %d, and should be %d (%s): %+v", s.name, s.peerFigures.position, s.unitModel.position(), cause, s.unitModel)
	case s.announced != s.openAnnounced:
		p.reportFault("%d are announced of %s, and should be %d (%s)", s.announced, s.name, s.openAnnounced, cause)
	case s.arrears < 0 || s.headroom < 0 || s.line < 0:
		p.reportFault("a figure of %s is below 0 (%s): %+v", s.name, cause, s.peerFigures)
	case -s.peerFigures.position > s.line+s.arrears:
		p.reportFault("%s owes more than its line and arrears (%s): %+v", s.name, cause, s.peerFigures)
	case s.arrears > arrearsBefore && !growthCauses[cause]:
		p.reportFault("the arrears of %s grow (%s): from %d to %d", s.name, cause, arrearsBefore, s.arrears)
	}
}

// compareBalance compares a balance of a book with the model. The books must not have changed since the balance was
// read.
func (p *program) compareBalance(s *programPeer, b accounts.Balance) {
	p.mu.Lock()
	defer p.mu.Unlock()
	prepaid := toInt64(b.Prepaid)
	p.counts.comparisons++
	switch {
	case p.kind.noHistory && prepaid >= s.prepaid && prepaid <= max(0, s.unitModel.position()):
	case prepaid == s.prepaid && !b.PrepaidAtMost:
	default:
		p.reportFault("%s has prepaid %d (at most: %v), and the truth is %+v", s.name, prepaid, b.PrepaidAtMost, s.unitModel)
	}
	if toInt64(b.Announced) != s.openAnnounced {
		p.reportFault("the balance of %s has %v announced, and the truth is %d", s.name, b.Announced, s.openAnnounced)
	}
	if b.Position().Int64() != s.unitModel.position() || toInt64(b.Arrears) != s.arrears {
		p.reportFault("the balance of %s has position %v and arrears %v, and the truth is %+v", s.name, b.Position(), b.Arrears, s.unitModel)
	}
}

// dueAmount is the amount of the next order (docs/money.md, Orders).
func (s *programPeer) dueAmount() int64 {
	l := s.policy
	target := l.settleTo
	if s.prepaid > 0 {
		target = max(0, target)
	}
	amount := s.net() - target
	if s.closed || s.settling > 0 || amount < l.at-l.settleTo {
		return 0
	}
	amount = min(amount, s.headroom-s.arrears)
	if amount < max(l.minimum, 1) {
		return 0
	}
	return amount
}
