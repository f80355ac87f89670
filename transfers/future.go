package transfers

import (
	"context"
	"fmt"

	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
)

// Future is the pending result of a submitted operation. Submit and TrySubmit of each
// [PacketRecorder] return it. A Future may be copied, waited for by several callers at
// once, and thrown away. The zero Future must not be used.
type Future struct {
	owner      any          // the [*Recorder] of slot; without slot a Waiter
	slot       *resultSlot  // nil: the operation is another implementation's
	journalPos wal.Position // of a fulfill in the journal; 0 without
	kind       Kind
	outcome    ledger.Outcome // outcome and late are for a Waiter
	late       bool
	packet     Packet
}

// Packet returns the packet as it will be recorded, with its ID and Hold.
func (f Future) Packet() Packet { return f.packet }

// Wait waits for the result of the operation: with a [Recorder] for the ledger's answer. If the
// context ends first, the Result's Outcome is unknown and its Err matches
// [ledger.ErrOutcomeUnknown]. The operation goes on, also a prepare, and Wait may be called again.
func (f Future) Wait(ctx context.Context) (r Result) {
	switch {
	case f.isFinal():
		r.Kind, r.Packet, r.Outcome = f.kind, f.packet, f.outcome
		return r
	case f.slot == nil:
		return f.waiter().Wait(ctx, f.submission())
	case f.slot.waitPublished(ctx):
		return f.slot.buildResult(f.kind, f.packet)
	default:
		return f.unknownResult(unansweredError(ctx))
	}
}

// isFinal reports whether the Future has the whole result: see [Waiter].
func (f *Future) isFinal() bool { return f.outcome.Done() && !f.late && f.journalPos == 0 }

// Journaled waits until a fulfill is in the Journal on disk. From then on the fulfill will be
// recorded even if the process dies, unless the ledger refuses. [Recorder.Submit] has waited
// already; after [Recorder.TrySubmit] the caller must. For an operation in the ledger,
// and for prepares, rejects and forwards, Journaled returns nil at once.
//
// The error matches [ErrJournal], also without a Journal, and [ledger.ErrOutcomeUnknown] if
// the context has ended first. After an error only [Future.Wait] tells whether the
// money is booked.
func (f Future) Journaled(ctx context.Context) error {
	if f.slot == nil {
		return f.waiter().Journaled(ctx, f.submission())
	}
	if f.kind != KindFulfill || f.slot.isApplied() {
		return nil
	}
	return f.recorder().journal.waitSynced(ctx, f.journalPos)
}

// recorder returns the recorder of the slot.
func (f Future) recorder() *Recorder {
	r, _ := f.owner.(*Recorder)
	return r
}

// waitOrAbandon is Wait for a caller without a Future to come back with: a prepare without
// an answer is abandoned. isFinal reports that the lane no longer uses the slot.
func (f Future) waitOrAbandon(ctx context.Context) (r Result, isFinal bool) {
	if f.slot.waitPublished(ctx) {
		return f.slot.buildResult(f.kind, f.packet), true
	}
	err := unansweredError(ctx)
	switch {
	case f.kind == KindPrepare && !f.slot.markAbandoned():
		return f.slot.buildResult(f.kind, f.packet), false // answered, and written for the last time
	case f.kind == KindPrepare:
		err = fmt.Errorf("%w: %w", ErrAbandoned, err)
	case f.journalPos != 0:
		if journalErr := f.Journaled(ctx); journalErr != nil {
			err = fmt.Errorf("%w: %w", err, journalErr)
		}
	}
	return f.unknownResult(err), false
}

// unansweredError returns the error of a wait cut short by ctx.
func unansweredError(ctx context.Context) error {
	return fmt.Errorf("%w, and still under way: %w", ledger.ErrOutcomeUnknown, context.Cause(ctx))
}

func (f Future) unknownResult(err error) Result {
	return Result{Kind: f.kind, Packet: f.packet, Err: wrapError(f.kind, f.packet.ID, err)}
}
