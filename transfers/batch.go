package transfers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
)

// batch is what a lane is at. Its slices and maps are used again for the next one.
type batch struct {
	todo      []*operation // not answered yet, in order
	done      []*operation // answered, and not published
	marks     []*operation
	resolving map[ledger.ID]struct{} // packets that it resolves
	transfers []ledger.Transfer      // of the request
	encoded   bool                   // transfers are those of all of todo
	touched   []accounts.Account
	known     map[ledger.ID]struct{} // ids of touched
	entries   []wal.Position         // of the journal that are not needed any more
	report    Batch
	began     time.Time
}

func newBatch() batch {
	return batch{resolving: make(map[ledger.ID]struct{}), known: make(map[ledger.ID]struct{})}
}

// cut takes the operations of the next batch. A chain is never cut, and a packet
// is resolved once: an operation that must be sent again, because its ids are
// burnt, must not find that one behind it on the same packet was ahead. A prepare
// that has waited for so long that its packet has expired is refused.
func (ln *lane) cut() {
	b := &ln.batch
	clear(b.resolving)
	b.report, b.began = Batch{Lane: ln.number}, time.Now()
	b.transfers, b.encoded = b.transfers[:0], true
	now := ln.recorder.cfg.Clock()
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
		b.report.Operations++
		if ln.pull(); o.expired(now) {
			o.refuse(fmt.Errorf("%w: it expired while it waited to be sent", ErrHoldTooShort))
			b.done = append(b.done, o)
			continue
		}
		b.todo = append(b.todo, o)
		b.transfers = o.appendTransfers(b.transfers)
	}
	b.report.Queued = ln.first.operations + ln.later.operations
}

// expired reports whether an operation is a prepare that came too late.
func (o *operation) expired(now time.Time) bool {
	return o.kind == KindPrepare && !o.packet.Expiry.IsZero() && !now.Before(o.packet.Expiry)
}

// resolve sends a batch until every operation in it has an answer or is given up.
func (ln *lane) resolve(ctx context.Context) {
	b := &ln.batch
	ln.publish() // what was refused by cut
	for len(b.todo) > 0 {
		n := len(b.todo)
		if !b.encoded {
			n = ln.encode()
		}
		b.encoded = false
		answers, err := ln.send(ctx, b.todo[:n])
		switch {
		case errors.Is(err, ledger.ErrTooMuchData) && n > 1:
			ln.lowerLimit()
			continue
		case err != nil:
			ln.giveUp(b.todo[:n], err)
			b.todo = b.todo[:copy(b.todo, b.todo[n:])]
		default:
			ln.deliver(n, answers)
		}
		ln.publish()
	}
}

// encode makes a request of what is to do, and returns how many operations it has.
// Those that must go on may need more transfers than before.
func (ln *lane) encode() (n int) {
	b := &ln.batch
	b.transfers = b.transfers[:0]
	for _, o := range b.todo {
		if len(b.transfers)+o.size() > ln.limit && n > 0 {
			break
		}
		b.transfers = o.appendTransfers(b.transfers)
		n++
	}
	return n
}

// developmentLimit is what a server started with --development takes.
const developmentLimit = 253

// lowerLimit learns, for good, from a request that the ledger found too large.
// Nearly every such ledger is a development server.
func (ln *lane) lowerLimit() {
	refused := len(ln.batch.transfers)
	if refused > developmentLimit {
		ln.limit = developmentLimit
		return
	}
	ln.limit = max(1, refused/2)
}

// send sends the request, which is of todo, until the ledger answers or ctx ends.
// While an outcome is unknown the same transfers are sent again under the same ids,
// which is safe.
func (ln *lane) send(ctx context.Context, todo []*operation) ([]ledger.CreateTransferResult, error) {
	b := &ln.batch
	var pause *backoff.ExponentialBackOff
	for {
		b.report.Requests++
		b.report.Transfers += len(b.transfers)
		answers, err := ln.ledger.CreateTransfers(ctx, b.transfers)
		switch {
		case err == nil && len(answers) == len(b.transfers):
			return answers, nil
		case err == nil:
			err = fmt.Errorf("%w: %d answers to %d transfers", ledger.ErrOutcomeUnknown, len(answers), len(b.transfers))
		case errors.Is(err, ledger.ErrOutcomeUnknown): // before all else: it may be in the books
		case errors.Is(err, ledger.ErrTooMuchData), errors.Is(err, ledger.ErrClosed):
			return nil, err
		}
		if errors.Is(err, ledger.ErrOutcomeUnknown) {
			for _, o := range todo {
				o.handed = true
			}
		}
		if pause == nil {
			pause = backoff.NewExponentialBackOff()
			pause.InitialInterval, pause.MaxInterval = 10*time.Millisecond, time.Second
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(pause.NextBackOff()):
		}
	}
}

// deliver reads the answers to the first n operations. Those that must go on stay
// in front of the others, in their order.
func (ln *lane) deliver(n int, answers []ledger.CreateTransferResult) {
	b := &ln.batch
	now := ln.recorder.cfg.Clock()
	again := b.todo[:0]
	for _, o := range b.todo[:n] {
		size := o.size()
		if o.read(answers[:size], now) {
			again = append(again, o)
		} else {
			b.done = append(b.done, o)
		}
		answers = answers[size:]
	}
	b.todo = append(again, b.todo[n:]...)
}

// giveUp ends operations without an answer.
func (ln *lane) giveUp(todo []*operation, cause error) {
	closed := ln.isClosed()
	if closed {
		ln.cause = cause
	}
	for _, o := range todo {
		if closed {
			ln.left = append(ln.left, leftover{o.op(), o.handed})
		}
		o.lost = true
		ln.batch.done = append(ln.batch.done, o)
		err := cause
		switch {
		case o.giveBack: // its caller has an answer
			continue
		case o.handed:
			o.slot.outcome, err = ledger.OutcomeUnknown, wrapUnknown(cause)
		case closed:
			o.slot.outcome, err = ledger.OutcomeRefused, fmt.Errorf("%w: %w", ErrClosed, cause)
		default:
			o.slot.outcome = ledger.OutcomeRefused
		}
		o.slot.err = wrap(o.kind, o.packet.ID, err)
		o.slot.answer()
	}
}

// wrapUnknown is cause, matching ledger.ErrOutcomeUnknown.
func wrapUnknown(cause error) error {
	if errors.Is(cause, ledger.ErrOutcomeUnknown) {
		return cause
	}
	return fmt.Errorf("%w: %w", ledger.ErrOutcomeUnknown, cause)
}
