package aggregate

import (
	"maps"
	"slices"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/transfers"
)

// close lets the machine write all fulfills and release what no packet holds. Prepares that wait
// are refused.
func (m *machine) close() {
	m.closing = true
	m.wants, m.polls, m.lookedUp = nil, nil, nil
	for _, p := range m.peers {
		p.wanted, p.polled = false, false
		m.dueRenewal(p)
	}
	m.refuseAllWaiting(transfers.ErrRecorderClosed)
}

// isAtRest reports whether a closing machine has nothing left to send.
func (m *machine) isAtRest() bool {
	return m.inFlight == nil && m.round == nil && len(m.tallies)+len(m.topUps)+len(m.renewals) == 0
}

// isJournaling reports whether the round waits for its record.
func (m *machine) isJournaling() bool {
	return m.stopped == nil && m.round != nil && m.round.stage == stageJournal && m.synced < m.round.record
}

// hasUrgentWork reports whether the machine has a request before the round interval ends.
func (m *machine) hasUrgentWork() bool {
	return m.inFlight == nil && m.stopped == nil &&
		(len(m.wants)+len(m.topUps) > 0 || len(m.tallies) > 0 && !m.isTimed || m.round == nil && m.isCutDue())
}

// untilNextRequest returns the time until the machine has a request by itself. If that changes,
// hasUrgentWork reports it.
func (m *machine) untilNextRequest() time.Duration {
	if m.stopped != nil {
		return m.rules.poll
	}
	wait := m.polledAt + m.rules.poll - m.mono
	if m.isTimed = len(m.tallies)+len(m.renewals) > 0; m.isTimed {
		wait = min(wait, m.cutAt+m.rules.interval-m.mono)
	}
	for _, h := range m.holdBacks {
		wait = min(wait, h.until-m.mono)
	}
	return max(wait, time.Millisecond)
}

// accounts returns the accounts of all peers of a round, of some twice.
func (r *round) accounts() (all []accounts.PeerAccount) {
	for i := range r.senders {
		all = append(all, r.senders[i].account)
	}
	for i := range r.gives {
		if r.gives[i].party.kind == partyPeer {
			all = append(all, r.gives[i].party.peer)
		}
	}
	return all
}

// peers returns the peers of a round.
func (r *round) peers() []accounts.PeerAccount {
	set := make(map[accounts.PeerAccount]struct{}, len(r.senders)+len(r.gives))
	for i := range r.senders {
		if !r.senders[i].amount.IsZero() {
			set[r.senders[i].account] = struct{}{}
		}
	}
	for i := range r.gives {
		if r.gives[i].party.kind == partyPeer {
			set[r.gives[i].party.peer] = struct{}{}
		}
	}
	return slices.Collect(maps.Keys(set))
}
