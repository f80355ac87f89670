package aggregate

import (
	"context"
	"slices"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// report is what events tell about a round, beside the round itself.
type report struct {
	begunAt        int64         // wall clock of the first fulfill; 0: no packets
	wait           time.Duration // from then to the cut
	requests       int
	late, replayed []transfers.Result
}

// reportOf begins the report of the round that is cut from a tally.
func (m *machine) reportOf(t *tally) report {
	p := report{late: t.late, replayed: t.replayed}
	if t.packets > 0 {
		p.begunAt, p.wait = t.begunAt, max(0, time.Duration(m.wall-t.begunAt))
	}
	return p
}

// reportReplayed begins the report of the round that an earlier process has left.
func reportReplayed(fulfills []unbooked) (p report) {
	for i := range fulfills {
		p.replayed = append(p.replayed, fulfills[i].result())
	}
	return p
}

func (u *unbooked) result() transfers.Result {
	return transfers.Result{Kind: transfers.KindFulfill, Packet: u.packet, Outcome: ledger.OutcomeApplied}
}

// noteLate keeps a result for the report of the packet's round. A packet that moves nothing is in no round,
// and never late.
func (m *machine) noteLate(r transfers.Result) {
	t := m.tallies[len(m.tallies)-1]
	t.late = append(t.late, r)
}

// describe returns the round for events.
func (a *appliedRound) describe(book *accounts.Book) Round {
	d := a.round.describe(book)
	d.Legs, d.Requests, d.Wait, d.Duration = a.legs, a.report.requests, a.report.wait, a.duration
	return d
}

// describe returns what the fields of a round tell.
func (r *round) describe(book *accounts.Book) Round {
	d := Round{Number: r.number, Packets: r.packets, Attempts: int(r.attempt) + 1, Senders: len(r.senders)}
	charge := func(account accounts.PeerAccount, amount ledger.Amount) Charge {
		asset, _ := book.Asset(account.Ledger())
		return Charge{Account: account, Asset: asset, Amount: amount}
	}
	for i := range r.senders {
		s := &r.senders[i]
		if s.renewed > 0 {
			d.Renewed++
		}
		if rest := s.arrears(); !rest.IsZero() {
			d.Arrears = append(d.Arrears, charge(s.account, rest))
		}
	}
	for i := range r.gives {
		g := &r.gives[i]
		if g.party.kind == partyPeer {
			d.Receivers++
		}
		if g.toSuspense {
			d.Suspense = append(d.Suspense, charge(g.party.peer, g.amount))
		}
	}
	return d
}

// lateOf returns the results of the packets that came without enough of a reservation, of the
// senders whose arrears the round charged: the others got a reservation in time.
func (a *appliedRound) lateOf() []transfers.Result {
	return slices.DeleteFunc(a.report.late, func(r transfers.Result) bool {
		return !slices.ContainsFunc(a.round.senders, func(s roundSender) bool {
			return s.account == r.Packet.From && !s.arrears().IsZero()
		})
	})
}

// reportRounds calls the events of rounds. ctx is the recorder's own.
func (r *Recorder) reportRounds(ctx context.Context, rounds []appliedRound) {
	events := &r.cfg.Events
	for i := range rounds {
		a := &rounds[i]
		if events.BalancesChanged != nil && a.round.packets > 0 {
			events.BalancesChanged(a.round.peers())
		}
		if events.Round != nil {
			events.Round(a.describe(r.book))
		}
		if late := a.lateOf(); events.Late != nil && len(late) > 0 {
			events.Late(late)
		}
		if events.Replayed != nil && len(a.report.replayed) > 0 {
			events.Replayed(a.report.replayed)
		}
		r.finishRoundTrace(ctx, a)
	}
}

// reportJournal reports a fault of the journal.
func (r *Recorder) reportJournal(err error) {
	if r.cfg.Events.JournalFailed != nil {
		r.cfg.Events.JournalFailed(err)
	}
}
