package transfers

import (
	"time"

	"github.com/peerledger/peerledger/accounts"
)

// publish makes the answers known that the batch has so far: first to those who
// listen, then to the callers, so that who waits for a fulfill finds the
// settlement engine told.
func (ln *lane) publish() {
	b := &ln.batch
	if len(b.done) == 0 {
		return
	}
	ln.touch()
	ln.forget()
	events := &ln.recorder.cfg.Events
	ln.tell(events.Late, func(o *operation) bool { return o.slot.late })
	ln.tell(events.Replayed, func(o *operation) bool { return o.replayed })
	n := len(b.done)
	ln.finish(b.done)
	b.done = b.done[:0]
	ln.recorder.backlog.leave(n)
}

// finish answers the callers, and takes the operations back to use them again.
func (ln *lane) finish(done []*operation) {
	var unused list
	for _, o := range done {
		o.slot.finish()
		o.slot = nil
		unused.push(o)
	}
	ln.reuse(unused)
}

// touch tells of the peers whose balance may be another one now. A prepare alone
// makes nothing due.
func (ln *lane) touch() {
	tell := ln.recorder.cfg.Touched
	if tell == nil {
		return
	}
	b := &ln.batch
	for _, o := range b.done {
		if o.kind != KindPrepare && o.slot.outcome.Done() {
			b.touch(o.packet.From)
			b.touch(o.packet.To)
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

// touch notes a peer once. We do not settle with ourselves.
func (b *batch) touch(a accounts.Account) {
	if _, known := b.known[a.ID()]; known || a.Own() {
		return
	}
	b.known[a.ID()] = struct{}{}
	b.touched = append(b.touched, a)
}

// forget tells the journal which fulfills it need not keep.
func (ln *lane) forget() {
	if ln.recorder.journal == nil {
		return
	}
	b := &ln.batch
	for _, o := range b.done {
		if o.entry != 0 && !o.lost {
			b.entries = append(b.entries, o.entry)
		}
	}
	if len(b.entries) > 0 {
		ln.recorder.journal.forget(b.entries)
		b.entries = b.entries[:0]
	}
}

// tell gives an event the results that it is about, if there are any.
func (ln *lane) tell(event func([]Result), about func(*operation) bool) {
	if event == nil {
		return
	}
	for _, o := range ln.batch.done {
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

// end reports a batch of which all is published, and answers the marks behind it.
func (ln *lane) end() {
	b := &ln.batch
	if tell := ln.recorder.cfg.Events.Batch; tell != nil && b.report.Operations > 0 {
		b.report.Took = time.Since(b.began)
		tell(b.report)
	}
	if len(b.marks) == 0 {
		return
	}
	ln.finish(b.marks)
	b.marks = b.marks[:0]
}
