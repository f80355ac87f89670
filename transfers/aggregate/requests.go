package aggregate

import (
	"fmt"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// requestKind is the kind of a request to the ledger.
type requestKind uint8

const (
	requestRecover requestKind = iota + 1 // look up transfers
	requestAdopt                          // query the reservations of this journal
	requestRelease                        // void reservations of an earlier process
	requestPeers                          // look up accounts of peers
	requestTopUps                         // create reservations, independent of each other
	requestRound                          // create the legs of a round
	requestHolds                          // look up the reservations that the round posts
	requestParties                        // look up the accounts of the round's parties
	requestVoids                          // void reservations of the round
)

// request is a request to the ledger. It is sent until it has an answer, always the same.
type request struct {
	kind      requestKind
	ids       []ledger.ID            // to look up
	transfers []ledger.Transfer      // to create
	arrears   []accounts.PeerAccount // whose arrears accounts must exist before
	filter    ledger.QueryFilter     // of requestAdopt; the answer has all pages
}

// topUp is a new reservation on its way.
type topUp struct {
	peer *peer
	hold hold
}

// nextRequest returns the next request to the ledger, if one is due. There is one at a time: its
// answer comes before the next.
func (m *machine) nextRequest(now moment) *request {
	m.observe(now)
	m.endHoldBacks()
	m.sweepMemory()
	if m.inFlight != nil || m.stopped != nil {
		return nil
	}
	m.inFlight = m.pickRequest()
	return m.inFlight
}

func (m *machine) pickRequest() *request {
	if m.recovery.stage == recoverCheck {
		return m.checkRequest()
	}
	if m.round != nil {
		if r := m.roundRequest(); r != nil || m.recovery.stage != recoverDone {
			return r
		}
	}
	if m.recovery.stage != recoverDone {
		return m.recoveryRequest()
	}
	m.pollPeers()
	if m.round == nil && m.isCutDue() && (m.yield || len(m.wants)+len(m.polls)+len(m.topUps) == 0) {
		m.yield = false
		m.cutRound()
		if r := m.roundRequest(); r != nil {
			return r
		}
	}
	switch {
	case len(m.topUps) > 0:
		return m.topUpRequest()
	case len(m.wants)+len(m.polls) > 0:
		return m.peersRequest()
	default:
		return nil
	}
}

// roundRequest returns the request for the round's next step; nil while its attempt is not on disk.
func (m *machine) roundRequest() *request {
	job := m.round
	if job == nil || job.stage == stageJournal && m.synced < job.record {
		return nil
	}
	job.report.requests++
	switch job.stage { //nolint:exhaustive // the rest sends the attempt
	case stageHolds:
		return &request{kind: requestHolds, ids: job.holdIDs()}
	case stageLook:
		return &request{kind: requestParties, ids: job.partyIDs()}
	case stageVoid:
		return &request{kind: requestVoids, transfers: m.voidTransfers(job.voids)}
	default:
		job.stage = stageSend
		r := &request{kind: requestRound, transfers: job.legs}
		for i := range job.round.senders {
			if s := &job.round.senders[i]; !s.arrears().IsZero() {
				r.arrears = append(r.arrears, s.account)
			}
		}
		return r
	}
}

// pollPeers looks at all peers again after the poll interval, and renews old reservations.
func (m *machine) pollPeers() {
	if m.mono-m.polledAt < m.rules.poll {
		return
	}
	m.polledAt = m.mono
	for _, p := range m.peers {
		if m.isIdle(p) {
			p.known = false // its next packet waits for a look-up
			continue
		}
		if !p.polled && !p.isOwn {
			p.polled = true
			m.polls = append(m.polls, p)
		}
		if m.isReleasing(p) && p.kept().Less(ledger.NewAmount(p.reservedInAll())) {
			m.dueRenewal(p)
		}
		for _, h := range p.holds {
			if h.endsAt-m.mono < time.Duration(m.rules.timeout)*time.Second-m.rules.renewAfter() {
				m.dueRenewal(p)
			}
		}
	}
}

// idlePolls is the number of polls after which a peer without packets and reservations is left out.
const idlePolls = 60

// isIdle reports whether polls leave a peer out.
func (m *machine) isIdle(p *peer) bool {
	return !p.isOwn && len(p.holds)+len(p.waiting)+p.asked == 0 && p.kept().IsZero() && m.mono-p.activeAt > idlePolls*m.rules.poll
}

// accountsPerPeer is the number of accounts that a look-up of a peer reads.
const accountsPerPeer = 3

// peersRequest looks up the accounts of the peers that need it.
func (m *machine) peersRequest() *request {
	most := m.rules.maxLegs / accountsPerPeer
	if m.limiter != nil {
		most = max(1, (m.rules.maxLegs-len(m.limiter.floors))/(accountsPerPeer+1))
	}
	m.lookedUp, m.wants = takePeers(nil, m.wants, most)
	m.lookedUp, m.polls = takePeers(m.lookedUp, m.polls, most)
	r := &request{kind: requestPeers}
	for _, p := range m.lookedUp {
		r.ids = append(r.ids, p.ids.Peer, p.ids.Line, p.ids.Arrears)
		if p.limits != nil {
			r.ids = append(r.ids, p.ids.Settlement)
		}
	}
	if m.limiter != nil {
		r.ids = append(r.ids, m.limiter.liquidityIDs()...)
	}
	return r
}

// takePeers moves peers to those of a request, until it has most. A peer is there once.
func takePeers(taken, queue []*peer, most int) (all, left []*peer) {
	for len(queue) > 0 && len(taken) < most {
		p := queue[0]
		if queue = queue[1:]; p.wanted || p.polled {
			p.wanted, p.polled = false, false
			taken = append(taken, p)
		}
	}
	return taken, append([]*peer(nil), queue...)
}

// answerAccounts takes the answer of a look-up of accounts.
func (m *machine) answerAccounts(now moment, found []ledger.Account) {
	m.observe(now)
	byID := make(map[ledger.ID]*ledger.Account, len(found))
	for i := range found {
		byID[found[i].ID] = &found[i]
	}
	kind := m.inFlight.kind
	m.inFlight = nil
	if kind == requestParties {
		m.replaceParties(byID)
		return
	}
	if m.limiter != nil {
		m.limiter.readFloors(byID)
	}
	for _, p := range m.lookedUp {
		m.readPeer(p, byID)
		m.readLimits(p, byID)
	}
	for _, p := range m.lookedUp {
		m.askForMore(p)
	}
	m.lookedUp = nil
	m.yield = len(m.topUps) == 0
}

// readPeer notes the state of a peer's accounts.
func (m *machine) readPeer(p *peer, found map[ledger.ID]*ledger.Account) {
	account, line, arrears := found[p.ids.Peer], found[p.ids.Line], found[p.ids.Arrears]
	wasReleasing := m.isReleasing(p)
	m.counts.countPeer(p, -1)
	p.known, p.refusal, p.headroom, p.debtor, p.isShort = true, nil, 0, false, false
	switch {
	case account == nil || line == nil:
		p.refusal = fmt.Errorf("%w: %v", accounts.ErrNotProvisioned, p.account)
	case account.Closed():
		p.refusal = fmt.Errorf("%w: %v", accounts.ErrPeerClosed, p.account)
	case line.Closed():
		p.refusal = fmt.Errorf("%w: %v", accounts.ErrSuspended, p.account)
	}
	if account != nil {
		free := account.CreditsPosted.SubFloor(account.DebitsPosted).SubFloor(account.DebitsPending).Min(ledger.NewAmount(maxReserved))
		p.headroom, _ = free.Uint64()
	}
	if arrears != nil {
		p.debtor = arrears.CreditsPosted.Less(arrears.DebitsPosted)
	}
	m.counts.countPeer(p, 1)
	if m.isReleasing(p) && !wasReleasing {
		m.dueRenewal(p) // its reservations shrink to what is held
		m.cutNow = true
	}
}

// isClosed reports whether the last look-up found the peer's account closed or missing.
func (p *peer) isClosed() bool {
	return isAny(p.refusal, accounts.ErrPeerClosed, accounts.ErrNotProvisioned)
}

// askForMore forms a top-up after a look-up: for the prepares that wait, for what the reservations
// lack, and for recent use. p.headroom has what is free in the ledger.
func (m *machine) askForMore(p *peer) {
	free := p.headroom
	own := p.reservedInAll()
	p.headroom += min(own, maxReserved)
	if p.heldBack > 0 && p.refusal == nil { // its top-ups wait
		m.settleWaiting(p, false)
		return
	}
	demand, until := m.demand(p)
	need := demand - min(demand, p.reserved(until))
	if p.refusal != nil || need == 0 && m.wishedReserve(p) <= own+own/2 {
		m.settleWaiting(p, true)
		return
	}
	if len(p.holds) >= maxHolds || !m.hasRoomForHold(p) {
		m.dueRenewal(p) // the next round merges them; then the peer is looked up again
		m.cutNow = true
		return
	}
	extra := m.wishedReserve(p)
	if len(p.waiting) > 0 { // recent use lags behind a peer that is new, or busier than before
		extra = max(extra, min(min(demand, maxReserved>>recentShift)<<recentShift, m.mostReserved(p)))
	}
	ask := min(max(need, extra-min(extra, own)), free, maxReserved-min(own, maxReserved))
	if ask == 0 {
		m.settleWaiting(p, true)
		return
	}
	m.askTopUp(p, ask)
}

// demand returns what the peer's packets and the prepares that wait need of its reservations, and
// how long these must last.
func (m *machine) demand(p *peer) (amount uint64, until time.Duration) {
	sum := p.kept()
	for _, w := range p.waiting {
		if w.sender == p {
			k := m.held.at(w.index)
			sum, _ = sum.Add(ledger.NewAmount(k.charge))
			until = max(until, k.until)
		}
	}
	amount, _ = sum.Min(ledger.NewAmount(maxReserved)).Uint64()
	return amount, until
}

func (m *machine) topUpRequest() *request {
	r := &request{kind: requestTopUps}
	for _, t := range m.topUps[:min(len(m.topUps), m.rules.maxLegs)] {
		transfer := reservation(t.peer.ids.Peer, t.peer.asset.own.Transit, t.peer.account.Ledger(), t.hold.amount, m.rules.timeout)
		transfer.ID, transfer.UserData64 = t.hold.id, m.rules.journal
		r.transfers = append(r.transfers, transfer)
	}
	return r
}

// maxTries is how often a top-up is asked for again after others took the headroom in between.
const maxTries = 3

// answerTransfers takes the answer of a request that creates transfers.
func (m *machine) answerTransfers(now moment, results []ledger.CreateTransferResult) {
	m.observe(now)
	kind := m.inFlight.kind
	m.inFlight = nil
	switch kind { //nolint:exhaustive // look-ups have other answers
	case requestRound:
		m.answerRound(results)
	case requestVoids:
		m.dropVoided()
	case requestRelease:
		if m.recovery.unused = m.recovery.unused[len(results):]; len(m.recovery.unused) == 0 {
			m.recovery.stage = recoverDone
		}
	default:
		m.answerTopUps(results)
	}
}

func (m *machine) answerTopUps(results []ledger.CreateTransferResult) {
	answered := m.topUps[:len(results)]
	m.topUps = append([]topUp(nil), m.topUps[len(results):]...)
	m.yield = true
	for i, t := range answered {
		t.peer.asked--
		if results[i].Status.Outcome().Done() {
			m.counts.topUpsGranted++
			t.peer.holds = append(t.peer.holds, t.hold)
			if m.isReleasing(t.peer) {
				m.dueRenewal(t.peer)
				m.cutNow = true
			}
			// The top-up lacks the prepares that came after it was asked for. They wait for the next.
			if m.settleWaiting(t.peer, false); len(t.peer.waiting) > 0 {
				m.want(t.peer)
			}
			continue
		}
		m.counts.topUpsRefused++
		t.peer.headroom = 0
		if len(t.peer.waiting) > 0 && t.peer.waiting[0].tries < maxTries {
			t.peer.waiting[0].tries++
			m.want(t.peer)
			continue
		}
		m.settleWaiting(t.peer, t.peer.heldBack == 0)
	}
}

// hasRoomForHold reports whether the rounds of a peer's packets have room for one leg more.
func (m *machine) hasRoomForHold(p *peer) bool {
	if p.used.IsZero() {
		return true
	}
	for _, t := range m.tallies {
		if t.legs >= m.rules.maxLegs {
			return false
		}
	}
	return true
}

// askTopUp queues a top-up. The round of the peer's packets has to post it.
func (m *machine) askTopUp(p *peer, amount uint64) {
	h := hold{id: m.newID(), amount: amount, endsAt: m.mono + time.Duration(m.rules.timeout)*time.Second}
	m.topUps = append(m.topUps, topUp{p, h})
	p.asked++
	if p.used.IsZero() {
		return
	}
	for _, t := range m.tallies {
		t.legs++
	}
}

// voidTransfers returns the voids of reservations, each on its own. Any answer to a void means
// that the reservation is gone.
func (m *machine) voidTransfers(voids []voidedHold) []ledger.Transfer {
	transfers := make([]ledger.Transfer, 0, len(voids))
	for _, v := range voids {
		transfers = append(transfers, ledger.Transfer{ID: m.newID(), PendingID: v.hold.id, Flags: ledger.TransferVoidPending})
	}
	return transfers
}
