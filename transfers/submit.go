package transfers

import (
	"context"
	"fmt"

	"github.com/peerledger/peerledger/ledger"
)

// submitOp is the path of an operation from its caller to its lane. Without mayWait
// (TrySubmit) nothing waits and ctx is not used. slot receives the result; nil takes a
// slot from the pool.
//
//  1. initOperation finds every fault that needs no ledger, and fixes id and hold.
//  2. admitOperation takes a place in the backlog and reserves the amounts against the
//     limits of the peers.
//  3. enqueueOperation writes a fulfill to the journal, and adds the operation to its lane.
func (r *Recorder) submitOp(ctx context.Context, op *Op, slot *resultSlot, mayWait bool) (Future, error) {
	if mayWait && ctx.Err() != nil {
		return Future{}, wrapError(op.Kind, op.Packet.ID, context.Cause(ctx))
	}
	o := operation{slot: slot}
	if mayWait {
		o.followed = r.followOperation(ctx, op.Kind)
	}
	future, err := r.submitOperation(ctx, &o, op, mayWait)
	if err != nil {
		r.endOperation(o.followed, OperationEnd{Result: unrecordedResult(*op, err)})
	}
	return future, err
}

func (r *Recorder) submitOperation(ctx context.Context, o *operation, op *Op, mayWait bool) (Future, error) {
	if err := r.initOperation(o, op); err != nil {
		return Future{}, err
	}
	if err := r.admitOperation(ctx, o, mayWait); err != nil {
		return Future{}, wrapError(o.kind, o.packet.ID, err)
	}
	return r.enqueueOperation(o)
}

// admitOperation waits with a fulfill for the journal, and admits the operation.
func (r *Recorder) admitOperation(ctx context.Context, o *operation, mayWait bool) error {
	if err := r.waitForJournal(ctx, o, mayWait); err != nil {
		return err
	}
	return r.admission.admitOperation(ctx, o, r.backlog, mayWait)
}

// waitForJournal waits with a fulfill until the journal's disk has caught up.
func (r *Recorder) waitForJournal(ctx context.Context, o *operation, mayWait bool) error {
	switch {
	case o.kind != KindFulfill || r.journal == nil:
		return nil
	case mayWait:
		return r.journal.waitForSpace(ctx)
	case r.journal.isBehind():
		return ErrBacklogFull
	default:
		return nil
	}
}

// enqueueOperation adds an admitted operation to its lane, a fulfill to the journal
// first. A packet without legs is answered here.
func (r *Recorder) enqueueOperation(o *operation) (Future, error) {
	if o.slot == nil {
		o.slot = r.slotPool.takeSlot()
	}
	future := Future{owner: r, slot: o.slot, kind: o.kind, packet: o.packet}
	ln := r.laneOf(o.packet.ID)
	writesNothing := o.legCount == 0 && o.isVerified()
	isJournaled := o.kind == KindFulfill && r.journal != nil && !writesNothing
	// A closed lane would never take the fulfill out of the journal again.
	if (writesNothing || isJournaled) && ln.inbox.isClosed() {
		return Future{}, r.refuseClosed(o)
	}
	if writesNothing {
		r.backlog.releasePlaces(1)
		o.slot.outcome = ledger.OutcomeApplied
		o.slot.markAnswered()
		r.endOperation(o.followed, OperationEnd{Result: o.toResult()})
		o.slot.publishResult()
		return future, nil
	}
	if isJournaled {
		o.journalPos = r.journal.appendFulfill(o.packet)
		future.journalPos = o.journalPos
	}
	if ln.addOperation(o) {
		return future, nil
	}
	if o.journalPos != 0 {
		r.journal.resolveFulfills([]resolvedFulfill{{fulfillKeyOf(&o.packet), true}}) // too late if the journal is closed by now
	}
	return Future{}, r.refuseClosed(o)
}

// refuseClosed gives back the place and the reservation of an operation that met Close.
func (r *Recorder) refuseClosed(o *operation) error {
	r.admission.cancelReservation(o)
	r.backlog.releasePlaces(1)
	return wrapError(o.kind, o.packet.ID, ErrRecorderClosed)
}

// wrapError adds the operation to an error.
func wrapError(kind Kind, packet ledger.ID, err error) error {
	return fmt.Errorf("%v of packet %v: %w", kind, packet, err)
}
