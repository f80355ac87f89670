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
	if r.cfg.Touched != nil {
		b.touch(r.cfg.Touched)
	}
	ln.tell(b, r.cfg.Events.Late, func(o *operation) bool { return o.slot.late })
	ln.tell(b, r.cfg.Events.Replayed, func(o *operation) bool { return o.replayed })
	r.gate.answered(b.done)
	if r.cfg.Events.Batch != nil {
		b.report.count(b.done)
	}
	if r.journal != nil {
		b.forget(r.journal)
	}
	ln.finish(b.done)
	b.done = b.done[:0]
	ln.load.Add(-int64(n))
	r.backlog.leave(n)
}

// count counts what became of operations.
func (b *Batch) count(done []*operation) {
	for _, o := range done {
		switch o.slot.outcome {
		case ledger.OutcomeApplied:
			b.Applied++
		case ledger.OutcomeAlreadyApplied:
			b.Already++
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
		o.slot.finish()
		o.slot = nil
		unused.push(o)
	}
	ln.mu.Lock()
	defer ln.mu.Unlock()
	ln.unused.join(unused)
}

// touch tells of the peers whose balance may be another one now. A prepare alone
// makes nothing due.
func (b *batch) touch(tell func([]accounts.Account)) {
	for _, o := range b.done {
		if o.kind != KindPrepare && o.slot.outcome.Done() {
			b.note(o.packet.From)
			b.note(o.packet.To)
		}
	}
	if len(b.touched) == 0 {
		return
	}
	tell(b.touched)
	clear(b.touched) // it holds on to names of peers
	b.touched = b.touched[:0]
	clear(b.known)
}

// note notes a peer once. We do not settle with ourselves.
func (b *batch) note(a accounts.Account) {
	if _, known := b.known[a.ID()]; known || a.Own() {
		return
	}
	b.known[a.ID()] = struct{}{}
	b.touched = append(b.touched, a)
}

// forget tells the journal which fulfills it need not keep.
func (b *batch) forget(j *journal) {
	for _, o := range b.done {
		if o.entry != 0 && !o.lost {
			b.answered = append(b.answered, answeredFulfill{o.packet.ID, !o.slot.outcome.Done()})
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
