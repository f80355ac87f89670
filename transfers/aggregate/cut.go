package aggregate

import (
	"math"
	"time"

	"github.com/peerledger/peerledger/internal/packetlog"
	"github.com/peerledger/peerledger/ledger"
)

// roundStage is the next step of a round.
type roundStage uint8

const (
	stageJournal roundStage = iota + 1 // its attempt is not on disk yet
	stageSend                          // the attempt goes to the ledger
	stageHolds                         // refused: which reservations have expired?
	stageLook                          // refused: which parties are closed?
	stageVoid                          // refused: the reservations of closed senders are voided
)

// roundJob is the round under way.
type roundJob struct {
	round  *round
	stage  roundStage
	legs   []ledger.Transfer
	refs   []legRef
	record uint64 // number of the attempt's record
	data   []byte // of the attempt's record; round may have changed since, for the next attempt
	cutAt  time.Duration
	endsAt time.Duration // of the new reservations once the ledger has the round
	voids  []voidedHold
	report report

	refusedAt  uint64        // ledger time of the last refusal, ns since the Unix epoch
	hasDropped bool          // expired reservations were taken out
	droppedAt  time.Duration // when that was, the last time
}

// appliedRound is a round that the ledger has.
type appliedRound struct {
	round    *round
	legs     int
	duration time.Duration // from the cut to the answer
	report   report
}

// voidedHold is a reservation to void, of a sender of the round.
type voidedHold struct {
	sender int
	hold   hold
}

// isCutDue reports whether a round should be cut.
func (m *machine) isCutDue() bool {
	if len(m.tallies) == 0 && len(m.renewals) == 0 {
		return false
	}
	return m.cutNow || m.closing || m.flushTo > m.through || len(m.tallies) > 1 || m.mono-m.cutAt >= m.rules.interval
}

// cutRound forms the next round of the oldest tally and of the reservations that are due, and
// journals it. From here on the reservations that the round posts are gone, and the new ones count.
func (m *machine) cutRound() {
	t := &tally{through: m.through}
	if len(m.tallies) > 0 {
		t = m.tallies[0]
		m.tallies = append([]*tally(nil), m.tallies[1:]...)
	}
	m.number++
	r := &round{
		journal: m.rules.journal, number: m.number, through: t.through, packets: t.packets, digest: t.digest,
		timeout: m.rules.timeout,
	}
	r.takes, r.gives = t.flows()
	for _, c := range t.charges {
		m.cutSender(r, c.peer, c.amount)
	}
	m.cutRenewals(r, t)
	m.cutAt, m.cutNow = m.mono, len(m.tallies) > 1
	m.round = &roundJob{
		round: r, cutAt: m.mono, endsAt: m.mono + time.Duration(m.rules.timeout)*time.Second, report: m.reportOf(t),
	}
	m.journalAttempt()
}

// cutSender adds a sender to a round: it takes its packets of one tally out of its reservations. Packets that are held,
// or in later tallies, keep their part.
func (m *machine) cutSender(r *round, p *peer, amount ledger.Amount) {
	p.used, p.cutIn, p.cutAs = p.used.SubFloor(amount), m.number, len(r.senders)
	total := p.reservedInAll()
	kept := p.kept()
	free, _ := ledger.NewAmount(total).SubFloor(kept).Uint64()
	covered, _ := amount.Min(ledger.NewAmount(free)).Uint64()
	p.headroom -= min(p.headroom, covered)
	p.noteUse(covered)
	s := roundSender{account: p.account, amount: amount, covered: covered, holds: p.holds, closed: p.known && p.isClosed()}
	wished := ledger.NewAmount(m.wishedReserve(p))
	if wished.Less(kept) {
		wished = kept
	}
	s.renewed, _ = wished.Min(ledger.NewAmount(total - covered + m.growth(p, &s))).Uint64()
	p.holds = nil
	if s.renewed > 0 {
		// Until the ledger's answer, the new reservation is as good as those that the round posts.
		p.holds = []hold{{amount: min(s.renewed, s.setFree()), endsAt: s.firstEnd()}}
	}
	r.senders = append(r.senders, s)
}

// growth returns how much the new reservation of a sender may take of the headroom, beyond what the
// posts set free: half of what seems to be left, so that a busy sender needs no top-ups. Others may have taken
// it: the ledger then refuses the round, and its next attempt takes nothing more. Arrears come first.
func (m *machine) growth(p *peer, s *roundSender) uint64 {
	if !p.known || p.debtor || p.isShort || !s.arrears().IsZero() {
		return 0
	}
	own := s.setFree()
	return (p.headroom - min(p.headroom, own)) / 2
}

// firstEnd returns the moment at which the first of the sender's reservations in the round ends.
func (s *roundSender) firstEnd() time.Duration {
	end := time.Duration(math.MaxInt64)
	for _, h := range s.holds {
		end = min(end, h.endsAt)
	}
	return end
}

// cutRenewals adds the senders without packets whose reservations are due.
func (m *machine) cutRenewals(r *round, t *tally) {
	left := m.renewals[:0]
	legs := t.legs
	for _, p := range m.renewals {
		added := len(p.holds) + legsBesidePosts
		switch {
		case p.cutIn == m.number || len(p.holds) == 0:
			p.renew = false
		case legs+added > m.rules.maxLegs:
			left = append(left, p)
		default:
			p.renew = false
			if p.heldBack == 0 {
				p.recent -= p.recent / 2
			}
			legs += added
			m.cutSender(r, p, ledger.Amount{})
		}
	}
	m.renewals = left
}

// dueRenewal lets the next round renew, merge or shrink the reservations of a peer.
func (m *machine) dueRenewal(p *peer) {
	if !p.renew && len(p.holds) > 0 {
		p.renew = true
		m.renewals = append(m.renewals, p)
	}
}

// journalAttempt journals the round's attempt. The ledger gets it when the record is on disk.
func (m *machine) journalAttempt() {
	job := m.round
	job.legs, job.refs = job.round.buildLegs(m.book)
	for i, ref := range job.refs {
		if ref.kind == legRenew {
			m.nameRenewed(&job.round.senders[ref.index], job.legs[i].ID)
		}
	}
	if len(job.legs) == 0 { // reservations without posts and packets, all gone
		m.finishRound(0)
		return
	}
	job.stage, job.voids = stageJournal, nil
	job.data = appendRound(nil, job.round)
	job.record = m.appendRecord(packetlog.KindAttempt, job.data)
}

// nameRenewed gives the new reservation of a sender its id in this attempt. Before the ledger's
// answer it is the sender's first.
func (m *machine) nameRenewed(s *roundSender, id ledger.ID) {
	if p := m.knownPeer(s.account); len(p.holds) > 0 {
		p.holds[0].id = id
	}
}

// nextAttempt forms the next attempt of a round that was refused for certain.
func (m *machine) nextAttempt() {
	m.round.round.attempt++
	m.journalAttempt()
}

// shrinkRenewed notes the amount of a sender's new reservation after the round was changed. The
// new reservation is the sender's first; it has the id of an earlier attempt, or none.
func (m *machine) shrinkRenewed(s *roundSender, before uint64) {
	p := m.knownPeer(s.account)
	switch {
	case before == 0 || s.renewed == before || len(p.holds) == 0:
	case s.renewed == 0:
		p.holds = p.holds[1:]
	default:
		p.holds[0].amount = min(p.holds[0].amount, s.renewed)
	}
}

// extendHold notes that a new reservation is in the ledger.
func (p *peer) extendHold(id ledger.ID, amount uint64, endsAt time.Duration) {
	for i := range p.holds {
		if p.holds[i].id == id {
			p.holds[i].amount, p.holds[i].endsAt = amount, endsAt
		}
	}
}

// finishRound notes that the ledger has the round, since a time by its clock.
func (m *machine) finishRound(at uint64) {
	r := m.round.round
	applied := packetlog.Round{Number: r.number, Attempt: r.attempt, Through: r.through, Packets: r.packets, At: at}
	m.appendRecord(packetlog.KindApplied, packetlog.AppendRound(nil, &applied))
	for i, ref := range m.round.refs {
		if ref.kind == legRenew {
			m.knownPeer(r.senders[ref.index].account).extendHold(m.round.legs[i].ID, r.senders[ref.index].renewed, m.round.endsAt)
		}
	}
	m.through = r.through
	m.noteBooked(r)
	m.applied = append(m.applied, appliedRound{r, len(m.round.legs), m.mono - m.round.cutAt, m.round.report})
	m.round = nil
	for i := range r.senders {
		p := m.knownPeer(r.senders[i].account)
		if len(p.waiting) > 0 || !r.senders[i].arrears().IsZero() {
			m.want(p) // has the round collected its arrears?
		}
	}
}
