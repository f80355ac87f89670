package transfers

import (
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// publish makes the answers of a resolved batch known. Batches are published in the
// order in which they were cut, so all before a mark is answered when the mark is.
func (ln *lane) publish(b *batch) {
	ln.announce(b)
	if tell := ln.recorder.cfg.Events.Batch; tell != nil && b.report.Operations > 0 {
		tell(b.report)
	}
	ln.finish(b.marks)
	ln.cutting.Lock()
	defer ln.cutting.Unlock()
	ln.spare = append(ln.spare, b)
}

// announce makes the answers known that there are: first to those who listen, then
// to the callers, so that who waits for a fulfill finds the settlement engine told.
func (ln *lane) announce(b *batch) {
	r, n := ln.recorder, len(b.done)
	if n == 0 {
		return
	}
	if r.cfg.Events.BalancesChanged != nil {
		b.touch(r.cfg.Events.BalancesChanged)
	}
	if r.admission.debtors != nil {
		b.noteSenders(r.admission.debtors)
	}
	ln.tell(b, r.cfg.Events.Late, func(o *operation) bool { return o.slot.late })
	ln.tell(b, r.cfg.Events.Replayed, func(o *operation) bool { return o.replayed })
	r.admission.settleReservations(b.done)
	if r.cfg.Events.Batch != nil {
		b.report.count(b.done)
	}
	if r.journal != nil {
		b.forget(r.journal)
	}
	ln.finish(b.done)
	b.done = b.done[:0]
	ln.load.Add(-int64(n))
	r.backlog.releasePlaces(n)
}

// count counts what became of operations.
func (b *Batch) count(done []*operation) {
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

// finish answers the callers, and takes the operations back to use them again.
func (ln *lane) finish(done []*operation) {
	var unused list
	for _, o := range done {
		o.slot.publishResult()
		o.slot = nil
		unused.push(o)
	}
	ln.mu.Lock()
	defer ln.mu.Unlock()
	ln.unused.join(unused)
}

// touch tells of the peers whose balance may be another one now. A prepare alone
// makes nothing due.
func (b *batch) touch(tell func([]accounts.PeerAccount)) {
	for _, o := range b.done {
		if o.kind != KindPrepare && o.slot.outcome.Done() {
			b.touched.add(&o.packet.From)
			b.touched.add(&o.packet.To)
		}
	}
	if len(b.touched.list) > 0 {
		tell(b.touched.list)
		b.touched.clear()
	}
}

// noteSenders has the gate look whether the peers that send are in arrears.
func (b *batch) noteSenders(d *debtors) {
	for _, o := range b.done {
		if o.slot.outcome.Done() {
			b.senders.add(&o.packet.From)
		}
	}
	d.enqueuePeers(b.senders.list)
	b.senders.clear()
}

// peerSet is peers, each once. It is used again.
type peerSet struct {
	list  []accounts.PeerAccount
	known map[ledger.ID]struct{} // their accounts
	// recent are some of known, each in the place that its low bits say: a batch has many
	// packets of a peer, and the map is too dear to be asked for each.
	recent [4096]ledger.ID
}

func newPeerSet() peerSet { return peerSet{known: make(map[ledger.ID]struct{})} }

// add adds a peer. We are none: nothing is settled with ourselves.
func (s *peerSet) add(a *accounts.PeerAccount) {
	id := a.ID()
	recent := &s.recent[id.Lo%uint64(len(s.recent))]
	if *recent == id {
		return
	}
	if _, known := s.known[id]; !known {
		if a.IsOwn() {
			return
		}
		s.known[id] = struct{}{}
		s.list = append(s.list, *a)
	}
	*recent = id
}

func (s *peerSet) clear() {
	if len(s.list) == 0 {
		return
	}
	clear(s.recent[:])
	clear(s.list) // it holds on to names of peers
	s.list = s.list[:0]
	clear(s.known)
}

// forget tells the journal which fulfills it need not keep.
func (b *batch) forget(j *journal) {
	for _, o := range b.done {
		if o.entry != 0 && !o.lost {
			b.answered = append(b.answered, answeredFulfill{keyOf(&o.packet), !o.slot.outcome.Done()})
		}
	}
	if len(b.answered) > 0 {
		j.forget(b.answered)
		b.answered = b.answered[:0]
	}
}

// tell gives an event the results that it is about, if there are any.
func (ln *lane) tell(b *batch, event func([]Result), about func(*operation) bool) {
	if event == nil {
		return
	}
	for _, o := range b.done {
		if about(o) {
			ln.results = append(ln.results, o.result())
		}
	}
	if len(ln.results) > 0 {
		event(ln.results)
		clear(ln.results)
		ln.results = ln.results[:0]
	}
}
