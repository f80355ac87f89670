package settlement_test

import (
	"context"
	"time"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// rest ends the program: nothing goes wrong any more, all that was begun is done, and rounds
// are made until there is nothing left to do. Invariants 5 and 6.
func (p *program) rest() {
	p.quiet = true
	p.finish()
	for _, w := range p.workers {
		w.skew = time.Hour
	}
	for _, o := range p.ops {
		if !o.over && !p.failed() {
			p.again(o)
			p.finish()
		}
	}
	for _, s := range p.peers {
		p.beginReopen(s)
		p.finish()
	}
	for len(p.holds) > 0 && !p.failed() {
		p.end(p.holds[0])
	}
	for _, s := range p.peers {
		p.beginRelease(s)
		p.finish()
	}
	written := -1
	for round := 0; written != p.written || p.isOpen(); round++ {
		if p.failed() {
			return
		}
		if round == 40 {
			p.fail("after %d rounds there is still something to do", round)
			return
		}
		written = p.written
		for _, w := range p.workers {
			for _, s := range p.peers {
				p.beginRound(w, s)
				p.finish()
			}
		}
	}
	p.look("the end")
	p.atRest()
}

// finish lets all tasks come to their end.
func (p *program) finish() {
	for stuck := 0; len(p.tasks) > 0 && !p.failed(); {
		ready := p.ready()
		if len(ready) > 0 {
			stuck = 0
			p.resume(pick(p, ready), goAhead)
			continue
		}
		if stuck++; stuck == 100 {
			p.fail("%s does not end", p.tasks[0].name)
		}
		p.settle(100 * time.Millisecond)
	}
	p.settle(time.Microsecond)
}

func (p *program) isOpen() bool { return p.peers[0].settling > 0 || p.peers[1].settling > 0 }

func (p *program) atRest() {
	for _, s := range p.peers {
		switch {
		case s.settling > 0 || s.held > 0:
			p.fail("something of %s is held at the end: %+v", s.name, s.figures)
		case s.arrears > 0 && s.headroom > 0:
			p.fail("%s ends with arrears beside headroom: %+v", s.name, s.figures)
		case len(s.parked) > 0:
			p.fail("something of %s is still in suspense: %+v", s.name, s.parked)
		case !p.kind.noHistory && s.due() > 0:
			p.fail("%d are due to %s at the end: %+v %+v %+v", s.due(), s.name, s.truth, s.figures, s.policy)
		}
		for _, w := range p.workers {
			b, err := w.book.Balance(context.Background(), s.account)
			p.must(err)
			if due := w.engine.Due(b); !due.IsZero() && err == nil {
				p.fail("%s says that %v are due to %s at the end: %+v", w.instance, due, s.name, s.truth)
			}
		}
	}
	p.announcements()
	p.conserved()
}

// announcements holds what is told of each payment against the truth.
func (p *program) announcements() {
	for _, s := range p.peers {
		open := 0
		for _, pay := range s.payments {
			if pay.open {
				open++
			}
			if pay.announced == 0 {
				continue
			}
			want := settlement.AnnouncementOpen
			switch {
			case pay.booked:
				want = settlement.AnnouncementReceived
			case pay.failed:
				want = settlement.AnnouncementFailed
			case !pay.open:
				continue // to announce it would open it
			}
			got, err := p.workers[0].engine.Announce(context.Background(),
				settlement.IncomingPayment{Account: s.account, Key: pay.key, Amount: units(uint64(pay.announced))})
			p.must(err)
			if got.State != want {
				p.fail("a payment of %s is %s, and the truth is %+v", s.name, got.State, *pay)
			}
		}
		list, err := p.workers[0].engine.Announcements(context.Background(), s.account)
		p.must(err)
		if len(list) != open {
			p.fail("%d payments of %s are listed as announced, and %d are", len(list), s.name, open)
		}
	}
}

// conserved is that debits are credits over all accounts.
func (p *program) conserved() {
	all, err := p.ledger.QueryAccounts(context.Background(), ledger.QueryFilter{Limit: ledger.QueryMax})
	p.must(err)
	sum := int64(0)
	for i := range all {
		sum += small(all[i].DebitsPosted) - small(all[i].CreditsPosted) + small(all[i].DebitsPending) - small(all[i].CreditsPending)
	}
	if sum != 0 {
		p.fail("debits exceed credits by %d", sum)
	}
}
