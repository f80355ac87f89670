package transfers_test

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// worker sends packets through the recorders, round after round, and books the acknowledged
// packets in its own model.
type worker struct {
	*soak
	random           *rand.Rand
	model            *model
	counts           counts
	samples          []transfers.Result // whose rows are checked at the end
	samplePopulation int                // packets that the samples were drawn from

	promisedSample []transfers.Packet // fulfills left to the journal
	promiseCount   int                // fulfills that the sample was drawn from
}

// resultClass is the meaning of a result for the books.
type resultClass int

const (
	done        resultClass = iota // in the books
	late                           // in the books, by a correction
	holdOver                       // applied; the hold may have ended
	refused                        // by the ledger
	notRecorded                    // never enqueued
	unknown
)

func (c resultClass) String() string {
	return [...]string{"done", "late", "done, hold over", "refused", "not recorded", "unknown"}[c]
}

// classifyResult classifies a result, and checks that outcome and error agree.
func (s *soak) classifyResult(r *transfers.Result) resultClass {
	var refusal *transfers.RefusedError
	of, want := done, r.Outcome.Done()
	switch {
	case r.Err == nil && r.Late:
		of = late
	case r.Err == nil:
	case errors.Is(r.Err, ledger.ErrOutcomeUnknown):
		of, want = unknown, r.Outcome == ledger.OutcomeUnknown
	case errors.As(r.Err, &refusal):
		of, want = refused, r.Outcome == ledger.OutcomeIDBurnt || r.Outcome == ledger.OutcomeRefused
	case r.Kind == transfers.KindPrepare && errors.Is(r.Err, transfers.ErrHoldExpired):
		of = holdOver
	case errors.Is(r.Err, transfers.ErrRecorderClosed), errors.Is(r.Err, transfers.ErrBacklogFull),
		errors.Is(r.Err, transfers.ErrHoldTooShort), errors.Is(r.Err, context.DeadlineExceeded):
		of, want = notRecorded, r.Outcome == ledger.OutcomeRefused
	default:
		want = false
	}
	if !want {
		s.failf("%v of packet %v: outcome %v, error %v", r.Kind, r.Packet.ID, r.Outcome, r.Err)
	}
	return of
}

// sendPackets sends packets until storm ends.
func (w *worker) sendPackets(ctx, storm context.Context) {
	for storm.Err() == nil {
		packets := make([]transfers.Packet, 1+w.random.IntN(1+w.random.IntN(w.burst)))
		for i := range packets {
			packets[i] = w.randomPacket()
		}
		if w.random.IntN(5) == 0 {
			w.forwardPackets(ctx, packets)
		} else {
			w.resolvePackets(ctx, w.preparePackets(ctx, packets))
		}
	}
}

// randomPacket returns a packet of any shape.
func (w *worker) randomPacket() transfers.Packet {
	r := w.random
	p := transfers.Packet{From: w.peers[r.IntN(len(w.peers))], To: w.peers[r.IntN(len(w.peers))]}
	switch r.IntN(40) {
	case 0:
		p.From = w.ownAccounts[p.From.Ledger()]
	case 1:
		p.To = w.ownAccounts[p.To.Ledger()]
	}
	p.In = 1 + r.Uint64N(1000)
	if p.From.Ledger() == p.To.Ledger() {
		p.Out = p.In - r.Uint64N(min(p.In, 10))
		if p.From.Ledger() == loss.Ledger && r.IntN(10) == 0 {
			p.Out = p.In + r.Uint64N(10)
		}
	} else {
		p.Out, p.Dust = r.Uint64N(1000), r.Uint64N(min(p.In, 3)+1)
	}
	switch r.IntN(100) {
	case 0:
		p.In, p.Out, p.Dust = 0, 0, 0
	case 1:
		p.In, p.Out, p.Dust = 0, 0, 0
		if p.From.Ledger() != p.To.Ledger() {
			p.Out = 7
		}
	}
	binary.BigEndian.PutUint64(p.Condition[:], r.Uint64())
	switch r.IntN(3) {
	case 0: // the recorder computes the hold
		p.Expiry = time.Now().Add(randomDuration(r, time.Second, 2*time.Second))
	case 1:
		p.ID = w.randomID()
		p.Hold = randomDuration(r, time.Second, soakHold)
	default:
		p.Hold = randomDuration(r, time.Second, soakHold)
	}
	return p
}

// randomID returns a packet id as a connector may choose it.
func (w *worker) randomID() ledger.ID {
	return ledger.NewID(w.random.Uint64()<<8, uint64(time.Now().UnixMilli())<<16|w.random.Uint64()>>48)
}

// forwardPackets books packets in one phase.
func (w *worker) forwardPackets(ctx context.Context, packets []transfers.Packet) {
	ops := make([]transfers.Op, len(packets))
	for i := range packets {
		ops[i] = transfers.ForwardOp(packets[i])
	}
	results := w.recordOps(ctx, w.pickRecorder(), ops)
	for i := range results {
		r := &results[i]
		switch w.countResult(r) {
		case done, late:
			w.bookResult(r)
		case refused:
			w.failf("%v", r.Err)
		case unknown:
			w.askQuestion(ctx, question{op: transfers.ForwardOp(r.Packet)})
		case holdOver, notRecorded:
		}
	}
}

// preparePackets prepares packets and returns the held ones.
func (w *worker) preparePackets(ctx context.Context, packets []transfers.Packet) (held []transfers.Packet) {
	ops := make([]transfers.Op, len(packets))
	for i := range packets {
		ops[i] = transfers.PrepareOp(packets[i])
	}
	results := w.recordOps(ctx, w.pickRecorder(), ops)
	for i := range results {
		r := &results[i]
		switch w.countResult(r) {
		case done:
			held = append(held, r.Packet)
		case refused:
			if !errors.Is(r.Err, transfers.ErrCreditLine) && !errors.Is(r.Err, ledger.ErrIDBurnt) {
				w.failf("%v", r.Err)
			}
		case unknown:
			w.askAboutPrepare(ctx, ops[i].Packet, r.Packet)
		case late:
			w.failf("prepare of packet %v is late", r.Packet.ID)
		case holdOver, notRecorded:
		}
	}
	return held
}

// askAboutPrepare goes on with a prepare of unknown outcome. That is possible only if the worker
// gave the id. Other holds are voided by the recorder, or expire.
func (w *worker) askAboutPrepare(ctx context.Context, given, p transfers.Packet) {
	if given.ID.IsZero() {
		return
	}
	switch w.random.IntN(3) {
	case 0:
		w.askQuestion(ctx, question{op: transfers.PrepareOp(given)})
	case 1:
		w.askQuestion(ctx, question{op: transfers.RejectOp(p), maybeUnheld: true})
	}
}

// countResult counts a result by its class.
func (w *worker) countResult(r *transfers.Result) resultClass {
	of := w.classifyResult(r)
	name := of.String()
	switch {
	case of != notRecorded:
	case errors.Is(r.Err, transfers.ErrBacklogFull):
		name = "not taken, backlog full"
	case errors.Is(r.Err, transfers.ErrRecorderClosed):
		name = "not taken, closed"
	case errors.Is(r.Err, transfers.ErrHoldTooShort):
		name = "not taken, expired"
	}
	w.counts[r.Kind.String()+" "+name]++
	w.answerCount.Add(1)
	return of
}

// samplesPerWorker is how many packets of each worker are checked at the end, drawn with equal
// probability.
const samplesPerWorker = 10

// bookResult books a packet in the model, and may keep it as a sample.
func (w *worker) bookResult(r *transfers.Result) {
	w.bookAcknowledged(w.model, r)
	w.samplePopulation++
	if len(w.samples) < samplesPerWorker {
		w.samples = append(w.samples, *r)
	} else if n := w.random.IntN(w.samplePopulation); n < samplesPerWorker {
		w.samples[n] = *r
	}
}

// askQuestion leaves a question to the retrier.
func (w *worker) askQuestion(ctx context.Context, q question) {
	w.counts["left to the retrier"]++
	select {
	case w.questions <- q:
	case <-ctx.Done():
	}
}
