package transfers

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/peerledger/peerledger/internal/requestlimit"
	"github.com/peerledger/peerledger/ledger"
)

// batch is operations that go to the ledger together. It is used again.
type batch struct {
	todo       []*operation // not answered yet, in order
	done       []*operation // answered
	marks      []*operation
	resolving  map[ledger.ID]struct{} // packets that it resolves
	transfers  []ledger.Transfer      // of the request
	encoded    bool                   // transfers are those of all of todo
	corrects   bool                   // there are corrections in todo
	unverified bool                   // there may be packets in todo that are not known to be as they were prepared
	expiry     time.Time              // the first of its prepares'; zero if none has any
	oldest     time.Duration          // when the first of its operations came
	sent       time.Time              // when the request was sent first
	handed     time.Time              // when the first request was sent whose answer was lost; of operations that are handed
	touched    peerSet
	senders    peerSet
	answered   []answeredFulfill // that the journal need not keep
	report     Batch
}

func newBatch() *batch {
	return &batch{resolving: make(map[ledger.ID]struct{}), touched: newPeerSet(), senders: newPeerSet()}
}

// cut takes the operations of the next batch, of which there must be one. A chain
// is never cut, and a packet is resolved once: an operation that must be sent again,
// because its ids are burnt, must not find that one behind it on the same packet was
// ahead. REQUIRES: cutting is held.
func (ln *lane) cut() *batch {
	b := ln.blank()
	for o := ln.peek(); o != nil; o = ln.peek() {
		if o.kind == 0 {
			b.marks = append(b.marks, ln.pull())
			continue
		}
		if len(b.transfers)+o.size() > ln.limit && len(b.todo) > 0 {
			break
		}
		if !o.kind.begins() {
			if _, twice := b.resolving[o.packet.ID]; twice {
				break
			}
			b.resolving[o.packet.ID] = struct{}{}
		}
		ln.pull()
		b.add(o)
	}
	b.report.Operations = len(b.todo)
	b.report.Queued = ln.first.operations + ln.later.operations
	return b
}

// blank is a batch without anything in it.
func (ln *lane) blank() *batch {
	n := len(ln.spare)
	if n == 0 {
		b := newBatch()
		b.report.Lane, b.encoded, b.oldest = ln.number, true, math.MaxInt64
		return b
	}
	b := ln.spare[n-1]
	ln.spare = ln.spare[:n-1]
	clear(b.resolving)
	b.todo, b.done, b.marks, b.transfers = b.todo[:0], b.done[:0], b.marks[:0], b.transfers[:0]
	b.encoded, b.corrects, b.unverified, b.expiry, b.oldest = true, false, false, time.Time{}, math.MaxInt64
	b.report = Batch{Lane: ln.number}
	return b
}

// add adds an operation and what it sends.
func (b *batch) add(o *operation) {
	b.todo = append(b.todo, o)
	b.oldest = min(b.oldest, o.came)
	b.transfers = o.appendTransfers(b.transfers)
	b.unverified = b.unverified || !o.verified()
	if e := o.packet.Expiry; o.kind == KindPrepare && !e.IsZero() && (b.expiry.IsZero() || e.Before(b.expiry)) {
		b.expiry = e
	}
}

// expire refuses the prepares that have waited for so long that their packets have
// expired, and that were never handed over. What was handed over once may be in the books:
// that a later request was not sent says nothing about it, so it is asked for again.
func (b *batch) expire(now time.Time) {
	if b.expiry.IsZero() || now.Before(b.expiry) {
		return
	}
	kept := b.todo[:0]
	for _, o := range b.todo {
		if e := o.packet.Expiry; o.kind != KindPrepare || o.handed || o.giveBack || e.IsZero() || now.Before(e) {
			kept = append(kept, o)
			continue
		}
		o.refuse(fmt.Errorf("%w: it expired while it waited to be sent", ErrHoldTooShort))
		b.done = append(b.done, o)
	}
	b.todo, b.encoded = kept, false
}

// resolve sends a batch until every operation in it has an answer or is given up. While
// an outcome is unknown the same request is sent again, which is safe: it has the same
// ids.
func (ln *lane) resolve(ctx context.Context, b *batch) {
	began := time.Now()
	b.report.QueueWait = max(0, began.Sub(ln.began)-b.oldest)
	ln.flying.Store(int64(len(b.todo)))
	defer ln.flying.Store(0)
	again := 0 // operations of a request that must be sent again as it is
	pause := &pauses{}
	for {
		if again == 0 {
			b.expire(ln.recorder.cfg.Clock())
			if !ln.verified(ctx, b, pause) {
				continue
			}
		}
		if len(b.done) > 0 && len(b.todo) > 0 {
			// Some must go on: the callers of the others do not wait for that.
			ln.unread.Wait()
			ln.announce(b)
		}
		if len(b.todo) == 0 {
			break
		}
		n := again
		if n == 0 {
			n, b.sent = b.request(ln.limit), ln.recorder.cfg.Clock()
		}
		answers, err := ln.ask(ctx, b, n)
		again = 0
		switch {
		case err == nil:
			before := len(b.done)
			b.deliver(n, answers, ln.recorder.cfg.Clock())
			pause.reset()
			if b.corrects {
				ln.readShortfalls(ctx, b.done[before:])
			}
		case errors.Is(err, ledger.ErrOutcomeUnknown): // before all else: it may be in the books
			b.handOver(n)
			if again = n; !pause.wait(ctx) {
				ln.giveUp(b, n, err)
				again = 0
			}
		case errors.Is(err, ledger.ErrTooMuchData) && n > 1:
			ln.lowerLimit(len(b.transfers))
		case errors.Is(err, ledger.ErrClosed):
			ln.recorder.ended.Store(true)
			ln.giveUp(b, n, err)
		case errors.Is(err, ledger.ErrTooMuchData), !pause.wait(ctx):
			ln.giveUp(b, n, err)
		default:
			b.encoded = n == len(b.todo) // it was not handed over: what has expired meanwhile is not sent
		}
	}
	b.report.Duration = time.Since(began)
}

// request makes a request ready and returns how many operations it is of.
func (b *batch) request(limit int) int {
	whole := b.encoded
	b.encoded = false
	if whole {
		return len(b.todo)
	}
	return b.encode(limit)
}

// ask sends the request, of the first n operations, once. It sends nothing while an arrears
// account that the request debits may be missing.
func (ln *lane) ask(ctx context.Context, b *batch, n int) ([]ledger.CreateTransferResult, error) {
	if b.corrects {
		if err := ln.recorder.ensured.ensure(ctx, owing(b.todo[:n])); err != nil {
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

// handOver notes that the ledger may have executed the first n operations.
func (b *batch) handOver(n int) {
	if !slices.ContainsFunc(b.todo, func(o *operation) bool { return o.handed }) {
		b.handed = b.sent
	}
	for _, o := range b.todo[:n] {
		o.handed = true
	}
}

// pauses are those between attempts at a request, which grow.
type pauses struct{ next *backoff.ExponentialBackOff }

// wait waits; false if ctx has ended.
func (p *pauses) wait(ctx context.Context) bool {
	if p.next == nil {
		p.next = backoff.NewExponentialBackOff()
		p.next.InitialInterval, p.next.MaxInterval = 10*time.Millisecond, time.Second
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(p.next.NextBackOff()):
		return true
	}
}

func (p *pauses) reset() { p.next = nil }

// encode makes a request of what is to do, and returns how many operations it has.
// Those that must go on may need more transfers than before.
func (b *batch) encode(limit int) (n int) {
	b.transfers = b.transfers[:0]
	for _, o := range b.todo {
		if len(b.transfers)+o.size() > limit && n > 0 {
			break
		}
		b.transfers = o.appendTransfers(b.transfers)
		n++
	}
	return n
}

// lowerLimit learns, for good, from a request that the ledger found too large.
func (ln *lane) lowerLimit(refused int) {
	ln.cutting.Lock()
	defer ln.cutting.Unlock()
	limit := requestlimit.NewCreates(ln.limit)
	limit.Lower(refused)
	ln.limit = limit.Max()
}

// deliver reads the answers to the first n operations. Those that must go on stay
// in front of the others, in their order.
func (b *batch) deliver(n int, answers []ledger.CreateTransferResult, now time.Time) {
	again, since := b.todo[:0], elapsed(b.sent, now)
	for _, o := range b.todo[:n] {
		waited, size := since, o.size()
		if o.handed {
			waited = elapsed(b.handed, now)
		}
		if o.read(answers[:size], waited) {
			again = append(again, o)
			b.corrects = b.corrects || o.corrects()
		} else {
			b.done = append(b.done, o)
		}
		answers = answers[size:]
	}
	b.todo = append(again, b.todo[n:]...)
}

// elapsed is the time between two readings of the clock. The monotonic clock of a virtual
// machine stands still while the machine is suspended, and the ledger's does not; the wall
// clock may be set back. So the longer of the two counts.
func elapsed(from, to time.Time) time.Duration {
	return max(to.Sub(from), to.Round(0).Sub(from.Round(0)))
}

// giveUp ends the first n operations without an answer.
func (ln *lane) giveUp(b *batch, n int, cause error) {
	closed := ln.isClosed()
	if closed {
		ln.cause = cause
	}
	for _, o := range b.todo[:n] {
		if closed {
			ln.left = append(ln.left, leftover{o.op(), o.handed || o.giveBack})
		}
		o.giveUp(cause, closed)
	}
	b.done = append(b.done, b.todo[:n]...)
	b.todo = append(b.todo[:0], b.todo[n:]...)
}

// giveUp ends an operation without an answer; closed says that the recorder is.
func (o *operation) giveUp(cause error, closed bool) {
	o.lost = true
	err := cause
	switch {
	case o.giveBack: // its caller has an answer
		return
	case o.handed:
		if o.slot.outcome, err = ledger.OutcomeUnknown, wrapUnknown(cause); closed {
			err = fmt.Errorf("the recorder was closed before the answer came: %w", err)
		}
	case o.entry != 0:
		o.slot.outcome, err = ledger.OutcomeUnknown, fmt.Errorf("%w: not sent, and left in the journal: %w", ledger.ErrOutcomeUnknown, cause)
	case closed:
		o.slot.outcome, err = ledger.OutcomeRefused, fmt.Errorf("%w: %w", ErrRecorderClosed, cause)
	default:
		o.slot.outcome = ledger.OutcomeRefused
	}
	o.slot.err = wrap(o.kind, o.packet.ID, err)
	o.slot.answer()
}

// wrapUnknown is cause, matching ledger.ErrOutcomeUnknown.
func wrapUnknown(cause error) error {
	if errors.Is(cause, ledger.ErrOutcomeUnknown) {
		return cause
	}
	return fmt.Errorf("%w: %w", ledger.ErrOutcomeUnknown, cause)
}
