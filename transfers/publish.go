package transfers

import (
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// publishBatch makes the answers of a resolved batch known. Batches are published in the
// order in which they were cut, so all before a mark is answered when the mark is.
func (ln *lane) publishBatch(b *batch) {
	ln.publishAnswers(b)
	if tell := ln.recorder.cfg.Events.Batch; tell != nil && b.report.Operations > 0 {
		tell(b.report)
	}
	ln.releaseCallers(b.flushMarks)
	ln.batchMu.Lock()
	defer ln.batchMu.Unlock()
	ln.freeBatches = append(ln.freeBatches, b)
}

// publishAnswers makes the answers known that there are: first to those who listen, then
// to the callers, so that who waits for a fulfill finds the settlement engine told.
func (ln *lane) publishAnswers(b *batch) {
	r, n := ln.recorder, len(b.answered)
	if n == 0 {
		return
	}
	if r.cfg.Events.BalancesChanged != nil {
		b.notifyTouched(r.cfg.Events.BalancesChanged)
	}
	if r.admission.debtors != nil {
		b.noteSenders(r.admission.debtors)
	}
	ln.reportResults(b, r.cfg.Events.Late, func(o *operation) bool { return o.slot.late })
	ln.reportResults(b, r.cfg.Events.Replayed, func(o *operation) bool { return o.replayed })
	r.admission.settleReservations(b.answered)
	if r.cfg.Events.Batch != nil {
		b.report.countOutcomes(b.answered)
	}
	if r.journal != nil {
		b.resolveJournaled(r.journal)
	}
	ln.releaseCallers(b.answered)
	b.answered = b.answered[:0]
	ln.load.Add(-int64(n))
	r.backlog.releasePlaces(n)
}

// countOutcomes counts what became of operations.
func (b *Batch) countOutcomes(done []*operation) {
	for _, o := range done {
		switch o.slot.outcome {
		case ledger.OutcomeApplied:
			b.Applied++
		case ledger.OutcomeAlreadyApplied:
			b.AlreadyApplied++
		case ledger.OutcomeRefused, ledger.OutcomeIDSpent:
			b.Refused++
		case ledger.OutcomeUnknown:
			b.Unknown++
		}
	}
}

// releaseCallers answers the callers, and takes the operations back to use them again.
func (ln *lane) releaseCallers(done []*operation) {
	var unused operationList
	for _, o := range done {
		o.slot.publishResult()
		o.slot = nil
		unused.pushBack(o)
	}
	ln.mu.Lock()
	defer ln.mu.Unlock()
	ln.freeOperations.appendList(unused)
}

// notifyTouched tells of the peers whose balance may be another one now. A prepare alone
// makes nothing due.
func (b *batch) notifyTouched(tell func([]accounts.PeerAccount)) {
	for _, o := range b.answered {
		if o.kind != KindPrepare && o.slot.outcome.Done() {
			b.touchedPeers.addPeer(&o.packet.From)
			b.touchedPeers.addPeer(&o.packet.To)
		}
	}
	if len(b.touchedPeers.peers) > 0 {
		tell(b.touchedPeers.peers)
		b.touchedPeers.clearPeers()
	}
}

// noteSenders has the gate look whether the peers that send are in arrears.
func (b *batch) noteSenders(d *debtors) {
	for _, o := range b.answered {
		if o.slot.outcome.Done() {
			b.senders.addPeer(&o.packet.From)
		}
	}
	d.enqueuePeers(b.senders.peers)
	b.senders.clearPeers()
}

// peerSet is peers, each once. It is used again.
type peerSet struct {
	peers      []accounts.PeerAccount
	accountIDs map[ledger.ID]struct{} // their accounts
	// recent are some of known, each in the place that its low bits say: a batch has many
	// packets of a peer, and the map is too dear to be asked for each.
	recent [4096]ledger.ID
}

func newPeerSet() peerSet { return peerSet{accountIDs: make(map[ledger.ID]struct{})} }

// addPeer adds a peer. We are none: nothing is settled with ourselves.
func (s *peerSet) addPeer(a *accounts.PeerAccount) {
	id := a.ID()
	recent := &s.recent[id.Lo%uint64(len(s.recent))]
	if *recent == id {
		return
	}
	if _, known := s.accountIDs[id]; !known {
		if a.IsOwn() {
			return
		}
		s.accountIDs[id] = struct{}{}
		s.peers = append(s.peers, *a)
	}
	*recent = id
}

func (s *peerSet) clearPeers() {
	if len(s.peers) == 0 {
		return
	}
	clear(s.recent[:])
	clear(s.peers) // it holds on to names of peers
	s.peers = s.peers[:0]
	clear(s.accountIDs)
}

// resolveJournaled tells the journal which fulfills it need not keep.
func (b *batch) resolveJournaled(j *journal) {
	for _, o := range b.answered {
		if o.journalPos != 0 && !o.unanswered {
			b.resolvedFulfills = append(b.resolvedFulfills, resolvedFulfill{fulfillKeyOf(&o.packet), !o.slot.outcome.Done()})
		}
	}
	if len(b.resolvedFulfills) > 0 {
		j.resolveFulfills(b.resolvedFulfills)
		b.resolvedFulfills = b.resolvedFulfills[:0]
	}
}

// reportResults gives an event the results that it is about, if there are any.
func (ln *lane) reportResults(b *batch, event func([]Result), about func(*operation) bool) {
	if event == nil {
		return
	}
	for _, o := range b.answered {
		if about(o) {
			ln.eventResults = append(ln.eventResults, o.toResult())
		}
	}
	if len(ln.eventResults) > 0 {
		event(ln.eventResults)
		clear(ln.eventResults)
		ln.eventResults = ln.eventResults[:0]
	}
}
