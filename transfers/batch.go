package transfers

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/peerledger/peerledger/ledger"
)

// batch is operations that go to the ledger together. It is used again.
type batch struct {
	remaining         []*operation // not answered yet, in order
	answered          []*operation // answered
	flushMarks        []*operation
	resolvedPackets   map[ledger.ID]struct{} // packets that it resolves
	transfers         []ledger.Transfer      // of the request
	fullyEncoded      bool                   // transfers are those of all of todo
	hasCorrections    bool                   // there are corrections in todo
	needsVerification bool                   // there may be packets in todo that are not known to be as they were prepared
	earliestExpiry    time.Time              // the first of its prepares'; zero if none has any
	firstArrival      time.Duration          // when the first of its operations came
	sentAt            time.Time              // when the request was sent first
	unknownSince      time.Time              // when the first request was sent whose answer was lost; of operations that are handed
	touchedPeers      peerSet
	senders           peerSet
	resolvedFulfills  []resolvedFulfill // that the journal need not keep
	report            Batch
}

func newBatch() *batch {
	return &batch{resolvedPackets: make(map[ledger.ID]struct{}), touchedPeers: newPeerSet(), senders: newPeerSet()}
}

// buildBatch takes the operations of the next batch, of which there must be one. A chain
// is never cut, and a packet is resolved once: an operation that must be sent again,
// because its ids are burnt, must not find that one behind it on the same packet was
// ahead. REQUIRES: cutting is held.
func (ln *lane) buildBatch() *batch {
	b := ln.emptyBatch()
	for o := ln.peekNext(); o != nil; o = ln.peekNext() {
		if o.kind == 0 {
			b.flushMarks = append(b.flushMarks, ln.popNext())
			continue
		}
		if len(b.transfers)+o.transferCount() > ln.transferLimit && len(b.remaining) > 0 {
			break
		}
		if !o.kind.beginsPacket() {
			if _, twice := b.resolvedPackets[o.packet.ID]; twice {
				break
			}
			b.resolvedPackets[o.packet.ID] = struct{}{}
		}
		ln.popNext()
		b.addOperation(o)
	}
	b.report.Operations = len(b.remaining)
	b.report.Queued = ln.priority.operations + ln.normal.operations
	return b
}

// emptyBatch is a batch without anything in it.
func (ln *lane) emptyBatch() *batch {
	n := len(ln.freeBatches)
	if n == 0 {
		b := newBatch()
		b.report.Lane, b.fullyEncoded, b.firstArrival = ln.number, true, math.MaxInt64
		return b
	}
	b := ln.freeBatches[n-1]
	ln.freeBatches = ln.freeBatches[:n-1]
	clear(b.resolvedPackets)
	b.remaining, b.answered, b.flushMarks, b.transfers = b.remaining[:0], b.answered[:0], b.flushMarks[:0], b.transfers[:0]
	b.fullyEncoded, b.hasCorrections, b.needsVerification, b.earliestExpiry, b.firstArrival = true, false, false, time.Time{}, math.MaxInt64
	b.report = Batch{Lane: ln.number}
	return b
}

// addOperation adds an operation and what it sends.
func (b *batch) addOperation(o *operation) {
	b.remaining = append(b.remaining, o)
	b.firstArrival = min(b.firstArrival, o.arrivedAt)
	b.transfers = o.appendTransfers(b.transfers)
	b.needsVerification = b.needsVerification || !o.isVerified()
	if e := o.packet.Expiry; o.kind == KindPrepare && !e.IsZero() && (b.earliestExpiry.IsZero() || e.Before(b.earliestExpiry)) {
		b.earliestExpiry = e
	}
}

// dropExpired refuses the prepares that have waited for so long that their packets have
// expired, and that were never handed over. What was handed over once may be in the books:
// that a later request was not sent says nothing about it, so it is asked for again.
func (b *batch) dropExpired(now time.Time) {
	if b.earliestExpiry.IsZero() || now.Before(b.earliestExpiry) {
		return
	}
	kept := b.remaining[:0]
	for _, o := range b.remaining {
		if e := o.packet.Expiry; o.kind != KindPrepare || o.sent || o.voiding || e.IsZero() || now.Before(e) {
			kept = append(kept, o)
			continue
		}
		o.refuseUnsent(fmt.Errorf("%w: it expired while it waited to be sent", ErrHoldTooShort))
		b.answered = append(b.answered, o)
	}
	b.remaining, b.fullyEncoded = kept, false
}

// resolveBatch sends a batch until every operation in it has an answer or is given up. While
// an outcome is unknown the same request is sent again, which is safe: it has the same
// ids.
func (ln *lane) resolveBatch(ctx context.Context, b *batch) {
	began := time.Now()
	b.report.QueueWait = max(0, began.Sub(ln.startedAt)-b.firstArrival)
	ln.inFlight.Store(int64(len(b.remaining)))
	defer ln.inFlight.Store(0)
	again := 0 // operations of a request that must be sent again as it is
	pause := &retryBackoff{}
	for {
		if again == 0 {
			b.dropExpired(ln.recorder.cfg.Clock())
			if !ln.ensureVerified(ctx, b, pause) {
				continue
			}
		}
		if len(b.answered) > 0 && len(b.remaining) > 0 {
			// Some must go on: the callers of the others do not wait for that.
			ln.unpublished.Wait()
			ln.publishAnswers(b)
		}
		if len(b.remaining) == 0 {
			break
		}
		n := again
		if n == 0 {
			n, b.sentAt = b.prepareRequest(ln.transferLimit), ln.recorder.cfg.Clock()
		}
		answers, err := ln.sendRequest(ctx, b, n)
		again = 0
		switch {
		case err == nil:
			before := len(b.answered)
			b.applyResults(n, answers, ln.recorder.cfg.Clock())
			pause.resetInterval()
			if b.hasCorrections {
				ln.readShortfalls(ctx, b.answered[before:])
			}
		case errors.Is(err, ledger.ErrOutcomeUnknown): // before all else: it may be in the books
			b.markSent(n)
			if again = n; !pause.waitInterval(ctx) {
				ln.abandonOperations(b, n, err)
				again = 0
			}
		case errors.Is(err, ledger.ErrTooMuchData) && n > 1:
			ln.lowerTransferLimit(len(b.transfers))
		case errors.Is(err, ledger.ErrClosed):
			ln.recorder.ledgerClosed.Store(true)
			ln.abandonOperations(b, n, err)
		case errors.Is(err, ledger.ErrTooMuchData), !pause.waitInterval(ctx):
			ln.abandonOperations(b, n, err)
		default:
			b.fullyEncoded = n == len(b.remaining) // it was not handed over: what has expired meanwhile is not sent
		}
	}
	b.report.Duration = time.Since(began)
}

// prepareRequest makes a request ready and returns how many operations it is of.
func (b *batch) prepareRequest(limit int) int {
	whole := b.fullyEncoded
	b.fullyEncoded = false
	if whole {
		return len(b.remaining)
	}
	return b.encodeRequest(limit)
}

// sendRequest sends the request, of the first n operations, once. It sends nothing while an arrears
// account that the request debits may be missing.
func (ln *lane) sendRequest(ctx context.Context, b *batch, n int) ([]ledger.CreateTransferResult, error) {
	if b.hasCorrections {
		if err := ln.recorder.arrearsAccounts.ensureCreated(ctx, arrearsSenders(b.remaining[:n])); err != nil {
			return nil, err
		}
	}
	b.report.Requests++
	b.report.Transfers += len(b.transfers)
	answers, err := ln.ledger.CreateTransfers(ctx, b.transfers)
	if err == nil && len(answers) != len(b.transfers) {
		err = fmt.Errorf("%w: %d answers to %d transfers", ledger.ErrOutcomeUnknown, len(answers), len(b.transfers))
	}
	return answers, err
}

// markSent notes that the ledger may have executed the first n operations.
func (b *batch) markSent(n int) {
	if !slices.ContainsFunc(b.remaining, func(o *operation) bool { return o.sent }) {
		b.unknownSince = b.sentAt
	}
	for _, o := range b.remaining[:n] {
		o.sent = true
	}
}

// retryBackoff are those between attempts at a request, which grow.
type retryBackoff struct{ policy *backoff.ExponentialBackOff }

// waitInterval waits; false if ctx has ended.
func (p *retryBackoff) waitInterval(ctx context.Context) bool {
	if p.policy == nil {
		p.policy = backoff.NewExponentialBackOff()
		p.policy.InitialInterval, p.policy.MaxInterval = 10*time.Millisecond, time.Second
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(p.policy.NextBackOff()):
		return true
	}
}

func (p *retryBackoff) resetInterval() { p.policy = nil }

// encodeRequest makes a request of what is to do, and returns how many operations it has.
// Those that must go on may need more transfers than before.
func (b *batch) encodeRequest(limit int) (n int) {
	b.transfers = b.transfers[:0]
	for _, o := range b.remaining {
		if len(b.transfers)+o.transferCount() > limit && n > 0 {
			break
		}
		b.transfers = o.appendTransfers(b.transfers)
		n++
	}
	return n
}

// developmentLimit is what a server started with --development takes.
const developmentLimit = 253

// lowerTransferLimit learns, for good, from a request that the ledger found too large.
// Nearly every such ledger is a development server.
func (ln *lane) lowerTransferLimit(refused int) {
	ln.batchMu.Lock()
	defer ln.batchMu.Unlock()
	if refused > developmentLimit {
		ln.transferLimit = min(ln.transferLimit, developmentLimit)
		return
	}
	ln.transferLimit = min(ln.transferLimit, max(1, refused/2))
}

// applyResults reads the answers to the first n operations. Those that must go on stay
// in front of the others, in their order.
func (b *batch) applyResults(n int, answers []ledger.CreateTransferResult, now time.Time) {
	again, since := b.remaining[:0], elapsedBetween(b.sentAt, now)
	for _, o := range b.remaining[:n] {
		waited, size := since, o.transferCount()
		if o.sent {
			waited = elapsedBetween(b.unknownSince, now)
		}
		if o.handleResults(answers[:size], waited) {
			again = append(again, o)
			b.hasCorrections = b.hasCorrections || o.isCorrection()
		} else {
			b.answered = append(b.answered, o)
		}
		answers = answers[size:]
	}
	b.remaining = append(again, b.remaining[n:]...)
}

// elapsedBetween is the time between two readings of the clock. The monotonic clock of a virtual
// machine stands still while the machine is suspended, and the ledger's does not; the wall
// clock may be set back. So the longer of the two counts.
func elapsedBetween(from, to time.Time) time.Duration {
	return max(to.Sub(from), to.Round(0).Sub(from.Round(0)))
}

// abandonOperations ends the first n operations without an answer.
func (ln *lane) abandonOperations(b *batch, n int, cause error) {
	closed := ln.isClosed()
	if closed {
		ln.lastErr = cause
	}
	for _, o := range b.remaining[:n] {
		if closed {
			ln.abandoned = append(ln.abandoned, abandonedOperation{o.toOp(), o.sent || o.voiding})
		}
		o.endUnanswered(cause, closed)
	}
	b.answered = append(b.answered, b.remaining[:n]...)
	b.remaining = append(b.remaining[:0], b.remaining[n:]...)
}

// endUnanswered ends an operation without an answer; closed says that the recorder is.
func (o *operation) endUnanswered(cause error, closed bool) {
	o.unanswered = true
	err := cause
	switch {
	case o.voiding: // its caller has an answer
		return
	case o.sent:
		if o.slot.outcome, err = ledger.OutcomeUnknown, wrapUnknown(cause); closed {
			err = fmt.Errorf("the recorder was closed before the answer came: %w", err)
		}
	case o.journalPos != 0:
		o.slot.outcome, err = ledger.OutcomeUnknown, fmt.Errorf("%w: not sent, and left in the journal: %w", ledger.ErrOutcomeUnknown, cause)
	case closed:
		o.slot.outcome, err = ledger.OutcomeRefused, fmt.Errorf("%w: %w", ErrRecorderClosed, cause)
	default:
		o.slot.outcome = ledger.OutcomeRefused
	}
	o.slot.err = wrapError(o.kind, o.packet.ID, err)
	o.slot.markAnswered()
}

// wrapUnknown is cause, matching ledger.ErrOutcomeUnknown.
func wrapUnknown(cause error) error {
	if errors.Is(cause, ledger.ErrOutcomeUnknown) {
		return cause
	}
	return fmt.Errorf("%w: %w", ledger.ErrOutcomeUnknown, cause)
}
