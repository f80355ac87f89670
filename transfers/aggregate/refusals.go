package aggregate

import (
	"errors"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// answerRound takes the ledger's answer to an attempt of a round.
func (m *machine) answerRound(results []ledger.CreateTransferResult) {
	job := m.round
	chain := ledger.ChainOutcome(results)
	switch {
	case chain.Outcome.Done():
		m.finishRound(results[0].Timestamp)
	case chain.Status == ledger.TransferIDAlreadyFailed:
		m.nextAttempt() // refused before; the next attempt finds out why
	default:
		job.refusedAt = results[chain.Breaker].Timestamp
		m.refuseRound(job.refs[chain.Breaker], chain)
	}
}

// refuseRound takes the leg that was refused out of the round. The next attempt has all packets,
// with other legs in the place of those that cannot be booked.
func (m *machine) refuseRound(leg legRef, chain ledger.Chain) {
	job := m.round
	switch {
	case isClosedStatus(chain.Status) && leg.kind != legTake && leg.kind != legArrears:
		job.stage = stageLook
	case leg.kind == legPost && isGoneStatus(chain.Status):
		s := &job.round.senders[leg.index]
		m.dropHold(s, s.holds[leg.hold].id)
		job.stage = stageHolds
	case leg.kind == legRenew && chain.Status == ledger.TransferExceedsCredits:
		m.shrinkShort(&job.round.senders[leg.index])
		m.nextAttempt()
	default:
		m.stop(fmt.Errorf("round %d, attempt %d: leg %d: %w", job.round.number, job.round.attempt, chain.Breaker,
			&ledger.TransferError{ID: job.legs[chain.Breaker].ID, Status: chain.Status}))
	}
}

// shrinkShort gives up the growth of all new reservations of the round, after the ledger had no headroom for
// one. A sender whose reservation did not grow gets none.
func (m *machine) shrinkShort(short *roundSender) {
	job := m.round
	hasGrown := short.renewed > short.setFree()
	for i := range job.round.senders {
		s := &job.round.senders[i]
		before := s.renewed
		switch {
		case s == short && !hasGrown:
			s.renewed = 0
		case hasGrown:
			s.renewed = min(s.renewed, s.setFree())
		}
		m.shrinkRenewed(s, before)
	}
	m.knownPeer(short.account).isShort = true
}

// isGoneStatus reports whether the status of a post means that its reservation is gone.
func isGoneStatus(status ledger.CreateTransferStatus) bool {
	switch status { //nolint:exhaustive // all others mean something else
	case ledger.TransferPendingTransferNotFound, ledger.TransferPendingTransferExpired,
		ledger.TransferPendingTransferAlreadyPosted, ledger.TransferPendingTransferAlreadyVoided:
		return true
	default:
		return false
	}
}

// isClosedStatus reports whether an account of a leg is closed or missing.
func isClosedStatus(status ledger.CreateTransferStatus) bool {
	switch status { //nolint:exhaustive // all others mean something else
	case ledger.TransferDebitAccountAlreadyClosed, ledger.TransferCreditAccountAlreadyClosed,
		ledger.TransferDebitAccountNotFound, ledger.TransferCreditAccountNotFound:
		return true
	default:
		return false
	}
}

// dropHold takes a lost reservation out of the round.
func (m *machine) dropHold(s *roundSender, id ledger.ID) {
	before := s.renewed
	s.dropHold(id)
	m.shrinkRenewed(s, before)
}

// holdIDs returns the reservations that the round posts.
func (j *roundJob) holdIDs() (ids []ledger.ID) {
	for i := range j.round.senders {
		for _, h := range j.round.senders[i].holds {
			ids = append(ids, h.id)
		}
	}
	return ids
}

// dropExpired takes all reservations out of the round that had expired when the ledger refused it,
// by the ledger's own clock. Without it, an outage would cost an attempt for each. From the second
// time on it also takes out those that expire soon, within twice the time since the last refusal:
// some reservations of a large round may expire during each attempt at a slow ledger, which would
// refuse the round until all of them are gone. A reservation taken out is not posted, and ends by
// itself.
func (m *machine) dropExpired(rows []ledger.Transfer) {
	job := m.round
	needed := job.refusedAt
	if job.hasDropped {
		needed += 2 * uint64(m.mono-job.droppedAt)
	}
	job.hasDropped, job.droppedAt = true, m.mono
	alive := make(map[ledger.ID]bool, len(rows))
	for i := range rows {
		end := rows[i].Timestamp + uint64(rows[i].Timeout)*uint64(time.Second)
		alive[rows[i].ID] = end > needed
	}
	for i := range job.round.senders {
		s := &job.round.senders[i]
		for _, h := range append([]hold(nil), s.holds...) {
			if !alive[h.id] {
				m.dropHold(s, h.id)
			}
		}
	}
	job.stage = stageLook
}

// partyIDs returns the peer accounts of the round.
func (j *roundJob) partyIDs() (ids []ledger.ID) {
	for i := range j.round.senders {
		ids = append(ids, j.round.senders[i].account.ID())
	}
	for i := range j.round.gives {
		if g := &j.round.gives[i]; g.party.kind == partyPeer {
			ids = append(ids, g.party.peer.ID())
		}
	}
	return ids
}

// replaceParties puts other legs in the place of those of closed peers, after a look-up. A closed
// receiver's part goes to suspense. A closed sender's arrears are charged in full, and its
// reservations are voided.
func (m *machine) replaceParties(found map[ledger.ID]*ledger.Account) {
	job := m.round
	isClosed := func(id ledger.ID) bool { a := found[id]; return a == nil || a.Closed() }
	for i := range job.round.gives {
		if g := &job.round.gives[i]; g.party.kind == partyPeer {
			g.toSuspense = isClosed(g.party.peer.ID())
		}
	}
	for i := range job.round.senders {
		s := &job.round.senders[i]
		s.closed = isClosed(s.account.ID())
		for _, h := range s.holds {
			if s.closed {
				job.voids = append(job.voids, voidedHold{i, h})
			}
		}
		if s.closed {
			before := s.renewed
			s.renewed = 0
			m.shrinkRenewed(s, before)
		}
	}
	if len(job.voids) > 0 {
		job.stage = stageVoid
		return
	}
	m.nextAttempt()
}

// dropVoided takes the voided reservations out of the round.
func (m *machine) dropVoided() {
	job := m.round
	for _, v := range job.voids {
		m.dropHold(&job.round.senders[v.sender], v.hold.id)
	}
	m.nextAttempt()
}

func isAny(err error, targets ...error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
