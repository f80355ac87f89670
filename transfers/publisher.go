package transfers

import (
	"sync"
	"sync/atomic"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// publisher gives the results of answered operations to events and callers, in the order of
// the batches. Its goroutine publishes while the sender is at the ledger. The sender publishes
// a batch itself if nothing else is to be sent, after the goroutine has published all batches
// before: so there is one publishing goroutine at a time, which owns eventResults.
type publisher struct {
	recorder *Recorder
	inbox    *inbox
	builder  *batchBuilder
	load     *atomic.Int64 // of the lane

	batches      chan *batch    // from the sender
	unpublished  sync.WaitGroup // batches sent and not published; only the sender adds and waits
	eventResults []Result       // buffer of reportResults
}

func newPublisher(r *Recorder, ln *lane) *publisher {
	return &publisher{recorder: r, inbox: ln.inbox, builder: ln.builder, load: &ln.load, batches: make(chan *batch)}
}

// runPublisher publishes batches until close, and prebuilds a batch after each.
func (p *publisher) runPublisher() {
	for b := range p.batches {
		p.publishBatch(b)
		p.unpublished.Done()
		p.builder.prebuildBatch()
	}
}

// enqueueBatch has the goroutine publish a batch. Only the sender may call it, as well as
// publishNow, publishAnswered and close.
func (p *publisher) enqueueBatch(b *batch) {
	p.unpublished.Add(1)
	p.batches <- b
}

// publishNow publishes a batch after all batches before.
func (p *publisher) publishNow(b *batch) {
	p.unpublished.Wait()
	p.publishBatch(b)
}

// publishAnswered publishes the answered operations of a batch with others that must be
// resent.
func (p *publisher) publishAnswered(b *batch) {
	if len(b.answered) > 0 {
		p.unpublished.Wait()
		p.publishAnswers(b)
	}
}

func (p *publisher) close() { close(p.batches) }

// publishBatch publishes a resolved batch. Batches are published in the order in which they
// were built, so all operations before a flush mark are published before the mark.
func (p *publisher) publishBatch(b *batch) {
	p.publishAnswers(b)
	if onBatch := p.recorder.cfg.Events.Batch; onBatch != nil && b.report.Operations > 0 {
		onBatch(b.report)
	}
	p.recorder.endBatchTrace(b)
	p.releaseCallers(b.flushMarks)
	p.builder.reuseBatch(b)
}

// publishAnswers publishes b.answered: first to the events, then to the callers. So a caller
// that sees its fulfill applied knows that the settlement engine was notified.
func (p *publisher) publishAnswers(b *batch) {
	r, n := p.recorder, len(b.answered)
	if n == 0 {
		return
	}
	events := &r.cfg.Events
	if events.BalancesChanged != nil {
		b.reportTouched(events.BalancesChanged)
	}
	if r.admission.debtors != nil {
		b.noteSenders(r.admission.debtors)
	}
	p.reportResults(b, events.Late, func(o *operation) bool { return o.slot.late })
	p.reportResults(b, events.Replayed, func(o *operation) bool { return o.replayed })
	r.admission.settleReservations(b.answered)
	if events.Batch != nil || b.traceCtx != nil {
		b.report.countOutcomes(b.answered)
	}
	if r.journal != nil {
		b.resolveJournaled(r.journal)
	}
	r.endOperationTraces(b)
	p.releaseCallers(b.answered)
	b.answered = b.answered[:0]
	p.load.Add(-int64(n))
	r.backlog.releasePlaces(n)
}

// countOutcomes counts operations by outcome.
func (b *Batch) countOutcomes(answered []*operation) {
	for _, o := range answered {
		switch o.slot.outcome {
		case ledger.OutcomeApplied:
			b.Applied++
		case ledger.OutcomeAlreadyApplied:
			b.AlreadyApplied++
		case ledger.OutcomeRefused, ledger.OutcomeIDBurnt:
			b.Refused++
		case ledger.OutcomeUnknown:
			b.Unknown++
		}
	}
}

// releaseCallers publishes the results to the callers, and gives the operations back to the
// inbox.
func (p *publisher) releaseCallers(answered []*operation) {
	var published operationList
	for _, o := range answered {
		o.slot.publishResult()
		o.slot = nil
		published.pushBack(o)
	}
	p.inbox.reuseOperations(published)
}

// reportTouched reports the peers whose balance may have changed. A prepare changes no
// posted amount, so it makes nothing due.
func (b *batch) reportTouched(balancesChanged func([]accounts.PeerAccount)) {
	for _, o := range b.answered {
		if o.kind != KindPrepare && o.slot.outcome.Done() {
			b.touchedPeers.addPeer(&o.packet.From)
			b.touchedPeers.addPeer(&o.packet.To)
		}
	}
	if len(b.touchedPeers.peers) > 0 {
		balancesChanged(b.touchedPeers.peers)
		b.touchedPeers.clearPeers()
	}
}

// noteSenders has the admission's next refresh check whether the batch's senders are in arrears.
func (b *batch) noteSenders(d *debtors) {
	for _, o := range b.answered {
		if o.slot.outcome.Done() {
			b.senders.addPeer(&o.packet.From)
		}
	}
	d.enqueuePeers(b.senders.peers)
	b.senders.clearPeers()
}

// resolveJournaled tells the journal which of its fulfills the ledger has answered.
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

// reportResults calls an event with the results that isReported selects, if there are any.
func (p *publisher) reportResults(b *batch, event func([]Result), isReported func(*operation) bool) {
	if event == nil {
		return
	}
	for _, o := range b.answered {
		if isReported(o) {
			p.eventResults = append(p.eventResults, o.toResult())
		}
	}
	if len(p.eventResults) > 0 {
		event(p.eventResults)
		clear(p.eventResults)
		p.eventResults = p.eventResults[:0]
	}
}
