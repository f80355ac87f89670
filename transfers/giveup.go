package transfers

import (
	"errors"
	"fmt"

	"github.com/peerledger/peerledger/ledger"
)

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
		o.slot.outcome, err = ledger.OutcomeRefused, fmt.Errorf("%w: %w", ErrClosed, cause)
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
