package settlement_test

import (
	"context"
	"time"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// runToRest ends the program: without further faults it finishes every task, and runs rounds until nothing is left
// to do (invariants 5 and 6).
func (p *program) runToRest() {
	p.quiet = true
	p.finishTasks()
	for _, w := range p.workers {
		w.skew = time.Hour
	}
	for _, o := range p.ops {
		if !o.answered && !p.hasFailed() {
			p.repeatOp(o)
			p.finishTasks()
		}
	}
	for _, s := range p.peers {
		p.beginReopen(s)
		p.finishTasks()
	}
	for len(p.holds) > 0 && !p.hasFailed() {
		p.endHold(p.holds[0])
	}
	for _, s := range p.peers {
		p.beginRelease(s)
		p.finishTasks()
	}
	written := -1
	for round := 0; written != p.writtenRows || p.hasOpenOrders(); round++ {
		if p.hasFailed() {
			return
		}
		if round == 40 {
			p.reportFault("after %d rounds there is still something to do", round)
			return
		}
		written = p.writtenRows
		for _, w := range p.workers {
			for _, s := range p.peers {
				p.beginRound(w, s)
				p.finishTasks()
			}
		}
	}
	p.compareBalances("the end")
	p.checkAtRest()
}

// finishTasks runs all tasks to their end.
func (p *program) finishTasks() {
	for stuck := 0; len(p.tasks) > 0 && !p.hasFailed(); {
		ready := p.waitingTasks()
		if len(ready) > 0 {
			stuck = 0
			p.resumeTask(pickRandom(p, ready), goAhead)
			continue
		}
		if stuck++; stuck == 100 {
			p.reportFault("%s does not end", p.tasks[0].name)
		}
		p.waitForTasks(100 * time.Millisecond)
	}
	p.waitForTasks(time.Microsecond)
}

func (p *program) hasOpenOrders() bool { return p.peers[0].settling > 0 || p.peers[1].settling > 0 }

func (p *program) checkAtRest() {
	for _, s := range p.peers {
		switch {
		case s.settling > 0 || s.held > 0:
			p.reportFault("something of %s is held at the end: %+v", s.name, s.peerFigures)
		case s.arrears > 0 && s.headroom > 0:
			p.reportFault("%s ends with arrears beside headroom: %+v", s.name, s.peerFigures)
		case len(s.suspenseRows) > 0:
			p.reportFault("something of %s is still in suspense: %+v", s.name, s.suspenseRows)
		case !p.kind.noHistory && s.dueAmount() > 0:
			p.reportFault("%d are due to %s at the end: %+v %+v %+v", s.dueAmount(), s.name, s.unitModel, s.peerFigures, s.policy)
		}
		for _, w := range p.workers {
			b, err := w.book.Balance(context.Background(), s.account)
			p.checkError(err)
			if due := w.engine.Due(b); !due.IsZero() && err == nil {
				p.reportFault("%s says that %v are due to %s at the end: %+v", w.instance, due, s.name, s.unitModel)
			}
		}
	}
	p.checkAnnouncements()
	p.checkConserved()
}

// checkAnnouncements compares the state of each announced payment with the model.
func (p *program) checkAnnouncements() {
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
				continue // Announce would open the announcement
			}
			got, err := p.workers[0].engine.Announce(context.Background(),
				settlement.IncomingPayment{Account: s.account, Key: pay.key, Amount: units(uint64(pay.announced))})
			p.checkError(err)
			if got.State != want {
				p.reportFault("a payment of %s is %s, and the truth is %+v", s.name, got.State, *pay)
			}
		}
		list, err := p.workers[0].engine.Announcements(context.Background(), s.account)
		p.checkError(err)
		if len(list) != open {
			p.reportFault("%d payments of %s are listed as announced, and %d are", len(list), s.name, open)
		}
	}
}

// checkConserved checks that debits equal credits over all accounts.
func (p *program) checkConserved() {
	all, err := p.ledger.QueryAccounts(context.Background(), ledger.QueryFilter{Limit: ledger.QueryMax})
	p.checkError(err)
	sum := int64(0)
	for i := range all {
		sum += toInt64(all[i].DebitsPosted) - toInt64(all[i].CreditsPosted) + toInt64(all[i].DebitsPending) - toInt64(all[i].CreditsPending)
	}
	if sum != 0 {
		p.reportFault("debits exceed credits by %d", sum)
	}
}
