package transfers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// cut is how many operations go into one request. A chain is never cut, and a
// packet is resolved once: an operation that must be sent again, because its ids
// are burnt, must not find that one behind it on the same packet was ahead.
func (ln *lane) cut(queue []*pending) int {
	clear(ln.resolving)
	events := 0
	for i, p := range queue {
		if events += len(p.legs); events > ln.limit && i > 0 {
			return i
		}
		if p.kind().begins() {
			continue
		}
		id := p.result.Packet.ID
		if _, twice := ln.resolving[id]; twice {
			return i
		}
		ln.resolving[id] = struct{}{}
	}
	return len(queue)
}

// inTime refuses the prepares that have waited in the backlog for so long that
// their packets have expired, and returns the other operations.
func (ln *lane) inTime(batch []*pending) []*pending {
	now := ln.cfg.Clock()
	late := func(p *pending) bool {
		expiry := p.result.Packet.Expiry
		return p.result.Kind == KindPrepare && !expiry.IsZero() && !now.Before(expiry)
	}
	if !slices.ContainsFunc(batch, late) {
		return batch
	}
	kept := make([]*pending, 0, len(batch))
	for _, p := range batch {
		if !late(p) {
			kept = append(kept, p)
			continue
		}
		p.result.Outcome = ledger.OutcomeRefused
		p.result.Err = p.result.wrap(fmt.Errorf("%w: it expired while it waited to be sent", ErrHoldTooShort))
		p.answer()
	}
	return kept
}

// resolve sends a batch until every operation in it has an answer or is given up.
func (ln *lane) resolve(ctx context.Context, batch []*pending) {
	for len(batch) > 0 {
		answers, err := ln.send(ctx, batch)
		switch {
		case errors.Is(err, ledger.ErrTooMuchData) && len(batch) > 1:
			ln.lowerLimit()
			for len(batch) > 0 {
				n := ln.cut(batch)
				ln.resolve(ctx, batch[:n])
				batch = batch[n:]
			}
		case err != nil:
			ln.giveUp(batch, err)
			return
		default:
			batch = ln.deliver(batch, answers)
		}
	}
}

// developmentLimit is what a server started with --development takes.
const developmentLimit = 253

// lowerLimit learns, for good, from a request that the ledger found too large.
// Nearly every such ledger is a development server.
func (ln *lane) lowerLimit() {
	refused := len(ln.transfers)
	if refused > developmentLimit {
		ln.limit = developmentLimit
		return
	}
	ln.limit = max(1, refused/2)
}

// send sends a batch until the ledger answers or ctx ends. While an outcome is
// unknown the same transfers are sent again under the same ids, which is safe.
func (ln *lane) send(ctx context.Context, batch []*pending) ([]ledger.CreateTransferResult, error) {
	ln.transfers = ln.transfers[:0]
	for _, p := range batch {
		ln.transfers = appendChain(ln.transfers, p.kind(), &p.result.Packet, p.legs, p.attempt)
	}
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 10*time.Millisecond, time.Second
	for {
		answers, err := ln.ledger.CreateTransfers(ctx, ln.transfers)
		switch {
		case err == nil && len(answers) == len(ln.transfers):
			return answers, nil
		case err == nil:
			err = fmt.Errorf("%w: %d answers to %d transfers", ledger.ErrOutcomeUnknown, len(answers), len(ln.transfers))
		case errors.Is(err, ledger.ErrOutcomeUnknown): // before all else: it may be in the books
		case errors.Is(err, ledger.ErrTooMuchData), errors.Is(err, ledger.ErrClosed):
			return nil, err
		}
		if errors.Is(err, ledger.ErrOutcomeUnknown) {
			for _, p := range batch {
				p.handed = true
			}
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(pause.NextBackOff()):
		}
	}
}

// deliver reads the answers to a batch. It returns the operations that must go on,
// in their order.
func (ln *lane) deliver(batch []*pending, answers []ledger.CreateTransferResult) (again []*pending) {
	now := ln.cfg.Clock()
	for _, p := range batch {
		n := len(p.legs)
		if p.resolve(answers[:n], now) {
			again = append(again, p)
		} else if r := &p.result; r.Outcome.Done() && r.Kind != KindPrepare {
			ln.change(r.Packet.From)
			ln.change(r.Packet.To)
		}
		answers = answers[n:]
	}
	return again
}

// change notes that what a peer is owed, or can be paid, may have changed. We do
// not settle with ourselves.
func (ln *lane) change(a accounts.Account) {
	if !a.Own() {
		ln.changed[a] = struct{}{}
	}
}

// giveUp ends operations without an answer.
func (ln *lane) giveUp(batch []*pending, cause error) {
	ln.mu.Lock()
	closed := ln.closed
	if closed {
		ln.left, ln.cause = append(ln.left, batch...), cause
	}
	ln.mu.Unlock()
	for _, p := range batch {
		r, err := &p.result, cause
		switch {
		case p.giveBack: // its caller has an answer
			continue
		case p.handed:
			r.Outcome, err = ledger.OutcomeUnknown, wrapUnknown(cause)
		case closed:
			r.Outcome, err = ledger.OutcomeRefused, fmt.Errorf("%w: %w", ErrClosed, cause)
		default:
			r.Outcome = ledger.OutcomeRefused
		}
		r.Err = r.wrap(err)
		p.answer()
	}
}

// wrapUnknown is cause, matching ledger.ErrOutcomeUnknown.
func wrapUnknown(cause error) error {
	if errors.Is(cause, ledger.ErrOutcomeUnknown) {
		return cause
	}
	return fmt.Errorf("%w: %w", ledger.ErrOutcomeUnknown, cause)
}

// finish tells of the changed accounts, then publishes the results of a batch: who
// waits for a fulfill finds the settlement engine told.
func (ln *lane) finish(batch []*pending) {
	if len(ln.changed) > 0 {
		ln.cfg.Touched(slices.Collect(maps.Keys(ln.changed)))
		clear(ln.changed)
	}
	for _, p := range batch {
		p.finish()
	}
	ln.mu.Lock()
	ln.finished += uint64(len(batch))
	progress := ln.progress
	ln.progress = nil
	ln.mu.Unlock()
	if progress != nil {
		close(progress)
	}
}
