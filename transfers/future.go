package transfers

import (
	"context"
	"fmt"

	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
)

// Future is the answer to come for an operation that was handed over. Submit and
// TrySubmit give it; the zero Ticket is nobody's and must not be used. It may be
// copied, waited for by several at once, and thrown away.
type Future struct {
	recorder   *Recorder
	slot       *resultSlot
	kind       Kind
	journalPos wal.Position // of a fulfill in the journal
	packet     Packet
}

// Packet is the packet as it will be recorded, with its ID and Hold.
func (t Future) Packet() Packet { return t.packet }

// Wait waits for the ledger's answer. If the context ends first, the Result's
// Outcome is unknown and its Err matches ledger.ErrOutcomeUnknown; the operation
// goes on, a prepare too, and Wait may be called again.
func (t Future) Wait(ctx context.Context) Result {
	if t.slot.waitPublished(ctx) {
		return t.slot.buildResult(t.kind, t.packet)
	}
	return t.unknownResult(fmt.Errorf("%w, and still under way: %w", ledger.ErrOutcomeUnknown, context.Cause(ctx)))
}

// Journaled waits until a fulfill is in the Journal on disk, and will be recorded
// even if the process dies, unless the ledger refuses it. Submit has waited for that;
// after TrySubmit it is for the caller to do. It is nil at once for what is in the
// ledger already, and for all other operations. The error matches ErrJournal, also
// if there is no Journal, and ledger.ErrOutcomeUnknown if the context has ended first:
// then only Wait tells that the money is booked.
func (t Future) Journaled(ctx context.Context) error {
	if t.slot == nil {
		return fmt.Errorf("%w: this is nobody's ticket", ErrJournal)
	}
	if t.kind != KindFulfill || t.slot.isApplied() {
		return nil
	}
	return t.recorder.journal.waitSynced(ctx, t.journalPos)
}

// waitOrAbandon is Wait for a caller that cannot come back: a prepare whose answer
// it does not see is given back. final says that the lane is through with the
// slot.
func (t Future) waitOrAbandon(ctx context.Context) (r Result, final bool) {
	if t.slot.waitPublished(ctx) {
		return t.slot.buildResult(t.kind, t.packet), true
	}
	err := fmt.Errorf("%w, and still under way: %w", ledger.ErrOutcomeUnknown, context.Cause(ctx))
	switch {
	case t.kind == KindPrepare && !t.slot.markAbandoned():
		return t.slot.buildResult(t.kind, t.packet), false // nobody writes it any more
	case t.kind == KindPrepare:
		err = fmt.Errorf("%w: %w", ErrAbandoned, err)
	case t.journalPos != 0:
		if lost := t.Journaled(ctx); lost != nil {
			err = fmt.Errorf("%w: %w", err, lost)
		}
	}
	return t.unknownResult(err), false
}

func (t Future) unknownResult(err error) Result {
	return Result{Kind: t.kind, Packet: t.packet, Err: wrapError(t.kind, t.packet.ID, err)}
}
