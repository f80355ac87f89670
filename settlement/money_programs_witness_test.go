package settlement_test

import (
	"context"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// subject is a peer of a program, and what happened to it.
type subject struct {
	truth
	figures
	name     string
	account  accounts.PeerAccount
	ids      accounts.PeerIDs
	policy   levels
	payments []*payment
	parked   map[ledger.ID]*parked // by the row that booked it into suspense
	voucher  int64                 // the highest that is booked
	vouchers int64                 // the highest that there is
	orders   uint64                // the number of the newest one
	coming   int64                 // announced, and neither received nor failed
}

// payment is one of the peer's, with what has not come back of it.
type payment struct {
	key    string
	left   int64
	booked bool
	parked *parked
	// announced is of how much it is announced, 0 if nobody announces it; open and failed say
	// what the ledger has of that, and receive what books it.
	announced    int64
	open, failed bool
	receive      *op
}

// parked is money that waits in suspense for a closed peer to be opened again.
type parked struct {
	amount int64
	earned bool // by packets; else it was paid
}

// figures are what the ledger says of a peer after a request.
type figures struct {
	position, headroom, line, arrears, settling int64
	held, announced                             int64
	debits, credits                             int64 // of the peer account
	collected                                   int64 // credits of the arrears account
	closed                                      bool
}

// seen is a request that the ledger has answered.
type seen struct {
	w       *worker
	t       *task
	rows    []ledger.Transfer
	results []ledger.CreateTransferResult
}

func (s *seen) created(i int) bool { return s.results[i].Status == ledger.TransferCreated }

// setPlaced is an order that is in the ledger.
type placedOrder struct {
	subject *subject
	placer  *worker // nil: an engine of an older version
	round   *task   // that placed it
	tag     uint64
	open    bool
	truth   truth // and arrears, at its own moment
	arrears int64
	most    int64 // that might have been paid at any moment since

	takenOver bool // another worker than the placer has claimed it
}

// allowed is the most that an order may be for, by section 5, step 6 of the page.
func (o *placedOrder) allowed(now *truth, arrears int64) int64 {
	most := now.net()
	if o.tag>>62&1 == 1 {
		most += now.prepaid
	}
	if o.tag>>63 == 1 && now.prepaid == 0 && arrears == 0 {
		most = max(most, now.net()-o.subject.policy.settleTo)
	}
	return most
}

// witness tells the truth what a request did, and holds the books against it.
func (p *program) witness(s *seen) {
	p.mu.Lock()
	defer p.mu.Unlock()
	cause, let := "nothing", false
	if s.t != nil {
		cause = s.t.kind
	}
	for i := range s.rows {
		if !s.created(i) {
			continue
		}
		p.written++
		row := &s.rows[i]
		order := p.orders[row.PendingID]
		switch {
		case row.Code == chart.CodeOrder && row.Flags.Has(ledger.TransferPending):
			p.placed(s.w, s.t, row)
		case row.Code == chart.CodeClaim:
			p.claimed(s.w, row)
		case order != nil && p.resolved(order, row):
			cause = "excess"
		case order == nil:
			let = true
		}
	}
	if s.t != nil && s.t.saw != nil && let {
		s.t.saw(s)
	}
	p.check(cause)
}

// claimed notes that an order was taken over.
func (p *program) claimed(by *worker, row *ledger.Transfer) {
	for _, o := range p.orders {
		if o.open && o.subject.ids.Settlement == row.DebitAccountID && o.placer != by {
			o.takenOver = true
		}
	}
}

// placed notes an order.
func (p *program) placed(by *worker, round *task, row *ledger.Transfer) {
	for _, s := range p.peers {
		if row.DebitAccountID != s.ids.Peer {
			continue
		}
		p.orders[row.ID] = &placedOrder{
			subject: s, placer: by, round: round, tag: row.UserData64, open: true, truth: s.truth, arrears: s.arrears, most: -far,
		}
		s.orders = max(s.orders, row.UserData64&(1<<56-1))
		p.count.orders++
		if by != nil && row.UserData64>>62&1 == 1 && !by.refunds[s.account] {
			p.fail("an order of %s refunds a prepayment, and nobody asked for it", by.instance)
		}
		p.note("an order of %s is placed: %d %x", s.name, row.UserData64&(1<<56-1), row.UserData64>>56)
	}
}

// resolved notes that an order was posted or voided. It reports whether the rail paid more
// than was ordered.
func (p *program) resolved(o *placedOrder, row *ledger.Transfer) (excess bool) {
	o.open = false
	f := p.rail.fates[row.PendingID]
	switch {
	case row.Flags.Has(ledger.TransferVoidPending):
		if f != nil && !f.declined || f != nil && f.paid > 0 {
			p.fail("an order is voided that the rail was given: %+v", *f)
		}
		if f == nil {
			p.count.voided++
		}
	case f == nil || !f.decided:
		p.fail("an order is posted that the rail has not answered")
	default:
		o.subject.out(f.paid)
		p.count.paid++
		return f.paid > f.amount
	}
	return false
}

// firstCall is the first time that the rail is asked for an order.
func (p *program) firstCall(t *task, order settlement.Order) {
	p.mu.Lock()
	defer p.mu.Unlock()
	o, amount := p.orders[order.ID], small(order.Amount)
	p.count.asked++
	switch {
	case o == nil || amount == 0:
		p.fail("the rail is asked for %d of an order that is not there", amount)
	case !o.open:
		p.fail("the rail is asked for an order that is closed")
	case o.placer == nil: // it is paid, whatever it is for
	case p.kind.noHistory:
		// Who placed it checks it some time after that. Who takes it over cannot, nor can who
		// placed it when it takes it back: the other one may have given it to the rail.
		if t == o.round && !o.takenOver && amount > o.most {
			p.fail("the rail is asked for %d, and no more than %d might ever be paid", amount, o.most)
		}
	case amount > o.allowed(&o.truth, o.arrears):
		p.fail("the rail is asked for %d; when it was ordered, %d might be paid: %+v", amount, o.allowed(&o.truth, o.arrears), o.truth)
	}
}

// growing are the causes for which arrears grow.
var growing = map[string]bool{"late": true, "returned": true, "debit": true, "paid": true, "excess": true}

// check reads the books, and holds them against the truth: invariants 1 to 3. The lock is held.
func (p *program) check(cause string) {
	own, _ := p.observer.AssetIDs(usd.Ledger)
	ids := []ledger.ID{own.Suspense}
	for _, s := range p.peers {
		ids = append(ids, s.ids.Peer, s.ids.Line, s.ids.Settlement, s.ids.Arrears)
	}
	found, err := p.ledger.LookupAccounts(context.Background(), ids)
	if err != nil || len(found) != len(ids) {
		p.fail("the books cannot be read: %d accounts, %v", len(found), err)
		return
	}
	if held := small(found[0].CreditsPosted) - small(found[0].DebitsPosted); held != p.suspense {
		p.fail("suspense has %d, and should have %d (%s)", held, p.suspense, cause)
	}
	for i, s := range p.peers {
		before := s.figures
		s.read(found[1+4*i:])
		p.holdAgainst(s, before.arrears, cause)
	}
	for _, o := range p.orders {
		if o.open {
			o.most = max(o.most, o.allowed(&o.subject.truth, o.subject.arrears))
		}
	}
}

// read reads the figures from the accounts of a peer.
func (s *subject) read(found []ledger.Account) {
	peer, line, settled, arrears := &found[0], &found[1], &found[2], &found[3]
	f := figures{
		debits: small(peer.DebitsPosted), credits: small(peer.CreditsPosted),
		line:      small(line.DebitsPosted) - small(line.CreditsPosted),
		arrears:   small(arrears.DebitsPosted) - small(arrears.CreditsPosted),
		collected: small(arrears.CreditsPosted),
		settling:  small(settled.CreditsPending),
		announced: small(settled.DebitsPending),
		held:      small(peer.DebitsPending),
		closed:    peer.Closed(),
	}
	f.position = f.credits - f.debits - f.line - f.arrears
	f.headroom = f.credits - f.debits - f.held
	s.figures = f
}

func (p *program) holdAgainst(s *subject, arrearsBefore int64, cause string) {
	switch {
	case s.figures.position != s.truth.position():
		p.fail("the position of %s is %d, and should be %d (%s): %+v", s.name, s.figures.position, s.truth.position(), cause, s.truth)
	case s.announced != s.coming:
		p.fail("%d are announced of %s, and should be %d (%s)", s.announced, s.name, s.coming, cause)
	case s.arrears < 0 || s.headroom < 0 || s.line < 0:
		p.fail("a figure of %s is below 0 (%s): %+v", s.name, cause, s.figures)
	case -s.figures.position > s.line+s.arrears:
		p.fail("%s owes more than its line and arrears (%s): %+v", s.name, cause, s.figures)
	case s.arrears > arrearsBefore && !growing[cause]:
		p.fail("the arrears of %s grow (%s): from %d to %d", s.name, cause, arrearsBefore, s.arrears)
	}
}

// compare holds a balance of a book against the truth. The books must not have changed since.
func (p *program) compare(s *subject, b accounts.Balance) {
	p.mu.Lock()
	defer p.mu.Unlock()
	prepaid := small(b.Prepaid)
	p.count.looks++
	switch {
	case p.kind.noHistory && prepaid >= s.prepaid && prepaid <= max(0, s.truth.position()):
	case prepaid == s.prepaid && !b.PrepaidAtMost:
	default:
		p.fail("%s has prepaid %d (at most: %v), and the truth is %+v", s.name, prepaid, b.PrepaidAtMost, s.truth)
	}
	if small(b.Announced) != s.coming {
		p.fail("the balance of %s has %v announced, and the truth is %d", s.name, b.Announced, s.coming)
	}
	if b.Position().Int64() != s.truth.position() || small(b.Arrears) != s.arrears {
		p.fail("the balance of %s has position %v and arrears %v, and the truth is %+v", s.name, b.Position(), b.Arrears, s.truth)
	}
}

// due is what the next order must be, by section 5, step 4 of the page.
func (s *subject) due() int64 {
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
	if amount < max(l.least, 1) {
		return 0
	}
	return amount
}
