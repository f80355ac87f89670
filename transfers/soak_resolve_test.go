package transfers_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// packetFate is the way in which a held packet ends.
type packetFate int

const (
	fulfilled packetFate = iota
	fulfilledTwice
	rejected
	raced // fulfilled and rejected at the same time
	forgotten
)

func randomFate(random *rand.Rand) packetFate {
	switch n := random.IntN(100); {
	case n < 70:
		return fulfilled
	case n < 74:
		return fulfilledTwice
	case n < 86:
		return rejected
	case n < 91:
		return raced
	default:
		return forgotten
	}
}

// resolvePackets resolves each packet by a random fate, through any recorder.
func (w *worker) resolvePackets(ctx context.Context, held []transfers.Packet) {
	if w.random.IntN(200) == 0 { // the peer answers after the holds have ended
		waitFor(ctx, soakHold+100*time.Millisecond)
	}
	if w.random.IntN(8) == 0 {
		w.promiseFulfills(ctx, held)
		return
	}
	var ops, against []transfers.Op
	var fates []packetFate
	for i := range held {
		f := randomFate(w.random)
		switch f {
		case fulfilled, fulfilledTwice:
			ops = append(ops, transfers.FulfillOp(held[i]))
		case rejected:
			ops = append(ops, transfers.RejectOp(held[i]))
		case raced:
			ops = append(ops, transfers.FulfillOp(held[i]))
			against = append(against, transfers.RejectOp(held[i]))
		case forgotten:
			continue
		}
		fates = append(fates, f)
	}
	other, opposite := w.pickRecorder(), make(chan []transfers.Result, 1)
	go func() {
		results, _ := other.RecordAll(ctx, against...) // each result has its error
		opposite <- results
	}()
	results := w.recordOps(ctx, w.pickRecorder(), ops)
	rejects := <-opposite
	var again []transfers.Result
	for i := range results {
		switch r := &results[i]; {
		case fates[i] == raced:
			w.handleRace(ctx, r, &rejects[0])
			rejects = rejects[1:]
		case r.Kind == transfers.KindReject:
			w.handleReject(ctx, r)
		default:
			if of := w.handleFulfill(ctx, r, false); fates[i] == fulfilledTwice && (of == done || of == late) && !r.BookedAt.IsZero() {
				again = append(again, *r)
			}
		}
	}
	w.fulfillAgain(ctx, again)
}

// promiseFulfills submits fulfills without waiting for the results: the journal promises the
// booking. The retrier checks a sample of the fulfills after the storm. The rest become questions at
// once: a list of all fulfills would grow without bound.
func (w *worker) promiseFulfills(ctx context.Context, held []transfers.Packet) {
	const most = 10
	recorder := w.journalRecorder.Load()
	for i := range held {
		if all, _ := w.model.movements(&held[i]); len(all) == 0 {
			continue
		}
		q := question{op: transfers.FulfillOp(held[i])}
		_, err := recorder.Submit(ctx, q.op)
		if err == nil {
			w.counts["fulfill promised"]++
			w.promiseCount++
			if len(w.promisedSample) < most {
				w.promisedSample = append(w.promisedSample, held[i])
				continue
			}
			if n := w.random.IntN(w.promiseCount); n < most {
				q.op.Packet, w.promisedSample[n] = w.promisedSample[n], held[i]
			}
		}
		w.askQuestion(ctx, q)
	}
}

// handleFulfill books the result of a fulfill. Only the reject of a race may have come first.
func (w *worker) handleFulfill(ctx context.Context, r *transfers.Result, raced bool) resultClass {
	of := w.countResult(r)
	switch of {
	case done, late:
		w.bookResult(r)
	case refused:
		if !raced || !errors.Is(r.Err, transfers.ErrPacketConflict) {
			w.failf("%v", r.Err)
		}
	case unknown, notRecorded: // the money is owed in any case
		w.askQuestion(ctx, question{op: transfers.FulfillOp(r.Packet), isRaced: raced})
	case holdOver:
	}
	return of
}

// handleReject counts the result of a reject, which must not be refused.
func (w *worker) handleReject(ctx context.Context, r *transfers.Result) {
	switch w.countResult(r) {
	case refused, late:
		w.failf("reject, late %v: %v", r.Late, r.Err)
	case unknown:
		w.askQuestion(ctx, question{op: transfers.RejectOp(r.Packet)})
	case done, holdOver, notRecorded:
	}
}

// handleRace checks the results of a packet that was fulfilled and rejected at the same time:
// exactly one of them applies, unless the hold ended meanwhile.
func (w *worker) handleRace(ctx context.Context, fulfill, reject *transfers.Result) {
	f, r := w.handleFulfill(ctx, fulfill, true), w.countResult(reject)
	voided := r == done && reject.Outcome == ledger.OutcomeApplied
	switch {
	case r == refused && !errors.Is(reject.Err, transfers.ErrPacketConflict),
		voided && (f == done || f == late) && !reject.BookedAt.IsZero(),
		r == refused && f == refused:
		w.failf("fulfill: %v, late %v, %v; reject: %v, %v",
			fulfill.Outcome, fulfill.Late, fulfill.Err, reject.Outcome, reject.Err)
	case r == unknown:
		w.askQuestion(ctx, question{op: transfers.RejectOp(reject.Packet), isRaced: true})
	}
}

// fulfillAgain repeats fulfills. Each must be already applied, and late if it was late before.
func (w *worker) fulfillAgain(ctx context.Context, before []transfers.Result) {
	ops := make([]transfers.Op, len(before))
	for i := range before {
		ops[i] = transfers.FulfillOp(before[i].Packet)
	}
	results := w.recordOps(ctx, w.pickRecorder(), ops)
	for i := range results {
		r := &results[i]
		switch w.countResult(r) {
		case unknown, notRecorded:
		case done, late:
			if r.Late == before[i].Late && r.Outcome == ledger.OutcomeAlreadyApplied {
				continue
			}
			fallthrough
		case refused, holdOver:
			w.failf("fulfill again of packet %v: %v, late %v, %v; before: %v, late %v",
				r.Packet.ID, r.Outcome, r.Late, r.Err, before[i].Outcome, before[i].Late)
		}
	}
}

// pickRecorder returns one of the recorders.
func (w *worker) pickRecorder() *transfers.Recorder {
	if w.random.IntN(2) == 0 {
		return w.plainRecorder
	}
	return w.journalRecorder.Load()
}

// recordOps records operations by a random method of the recorder, and mostly waits for the
// results, which are in order. A result that it does not wait for is unknown.
func (w *worker) recordOps(ctx context.Context, recorder *transfers.Recorder, ops []transfers.Op) []transfers.Result {
	if w.random.IntN(15) == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, randomDuration(w.random, time.Millisecond, 200*time.Millisecond))
		defer cancel()
	}
	if len(ops) == 1 && w.random.IntN(2) == 0 {
		result, _ := recorder.Record(ctx, ops[0]) // the result has the error
		return []transfers.Result{result}
	}
	try := false
	switch w.random.IntN(3) {
	case 0:
		results, _ := recorder.RecordAll(ctx, ops...)
		return results
	case 1:
		try = true
	}
	results := make([]transfers.Result, len(ops))
	futures := make([]transfers.Future, len(ops))
	for i, op := range ops {
		var err error
		if try {
			futures[i], err = recorder.TrySubmit(op)
		} else {
			futures[i], err = recorder.Submit(ctx, op)
		}
		if err != nil && futures[i] == (transfers.Future{}) {
			results[i] = transfers.Result{Kind: op.Kind, Packet: op.Packet, Outcome: ledger.OutcomeRefused, Err: err}
		}
	}
	for i, future := range futures {
		switch {
		case results[i].Err != nil:
		case w.random.IntN(50) == 0: // the future is dropped
			results[i] = transfers.Result{Kind: ops[i].Kind, Packet: future.Packet(), Err: ledger.ErrOutcomeUnknown}
		default:
			results[i] = future.Wait(ctx)
		}
	}
	return results
}
