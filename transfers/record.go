package transfers

import (
	"context"
	"errors"
)

// Prepare holds the packet's amounts and waits for the ledger's answer. Keep
// [Result].Packet: [Recorder.Fulfill] and [Recorder.Reject] take the Packet. See [Recorder.Record].
func (r *Recorder) Prepare(ctx context.Context, p Packet) (Result, error) {
	return r.Record(ctx, PrepareOp(p))
}

// Fulfill posts the amounts held by a prepare and waits for the ledger's answer. p is the
// packet as prepared: with changed amounts it is refused ([ledger.ErrIDConflict]),
// and nothing is posted. If the hold has expired, a correction books the packet
// ([Result].Late), even if a peer's account was closed since. See [Recorder.Record].
//
// Pass a context that outlives the sender's: the money is owed from the moment that
// the fulfillment is known.
func (r *Recorder) Fulfill(ctx context.Context, p Packet) (Result, error) {
	return r.Record(ctx, FulfillOp(p))
}

// Reject voids the amounts held by a prepare and waits for the ledger's answer. p is the
// packet as prepared, with all amounts, as for [Recorder.Fulfill]. If the hold
// has expired, Reject succeeds without voiding anything; a late fulfill of the packet
// goes unnoticed. See [Recorder.Record].
func (r *Recorder) Reject(ctx context.Context, p Packet) (Result, error) {
	return r.Record(ctx, RejectOp(p))
}

// Forward books an already fulfilled packet in one phase and waits for the ledger's
// answer. Forward is for packets without a prepare: beside a fulfill it would book
// twice. The receiver is paid whatever the sender's line or account allows
// ([Result].Late). See [Recorder.Record].
func (r *Recorder) Forward(ctx context.Context, p Packet) (Result, error) {
	return r.Record(ctx, ForwardOp(p))
}

// Record records one operation and waits for the ledger's answer. The error is the
// Result's: nil if the operation is in the books, now or since an earlier request.
// Otherwise the error matches:
//
//	error                          recorded?       next step
//	-----------------------------  --------------  ------------------------------------
//	ErrPacket, ErrAmounts,         no              correct the operation
//	 ErrHoldTooShort,
//	 accounts.ErrUnknownAsset
//	ErrBacklogFull                 no              ctx ended before there was room: retry
//	ErrLimitsNotLoaded             no              ctx ended before the peers' caps were
//	                                               read: retry
//	context's error,               no (1)          record with an open recorder
//	 ErrRecorderClosed,
//	 ledger.ErrClosed
//	ledger.ErrTooMuchData          no              none: the packet has more legs than the
//	                                               ledger takes transfers in a request
//	accounts.ErrSuspended,         no (2)          reject the PREPARE (ILPCode)
//	 ErrInArrears,
//	 *PacketLimitError
//	*RefusedError                  no (3)          by its Cause, see the errors
//	ErrHoldExpired                 yes             do not forward the packet: its hold may
//	                                               have ended before the answer came
//	ErrAbandoned                   unknown (4)     do not forward the packet
//	ledger.ErrOutcomeUnknown,      unknown         the operation goes on: record the same
//	 after ctx ended                               packet again to learn the result
//	ledger.ErrOutcomeUnknown,      unknown (5)     record the same packet again, with the
//	 after a Close                                 next recorder
//
// Notes:
//
//  1. A fulfill with a Journal that meets [Recorder.Close] may be recorded by the next
//     recorder: use no new id to record the fulfill again.
//  2. Limits refuse new packets only. Packets held already can be fulfilled and rejected.
//     The prepare of a held packet is refused like a new packet when it is recorded again;
//     the packet stays held.
//  3. A fulfill refused with [accounts.ErrPeerClosed] can be recorded again when the
//     account is open, up to four times. Then it is refused with [ledger.ErrIDBurnt]:
//     when the hold has expired, book the amount with [Recorder.Forward] under a new id.
//  4. Also matches [ledger.ErrOutcomeUnknown]. If the recorder generated the packet's id,
//     the recorder voids the hold, or the hold's timeout does after a Close. If the caller
//     gave the id, the caller may prepare the same packet again, or reject the packet.
//  5. A fulfill in the Journal is recorded even if the recorder is closed or the process
//     ends, unless the error matches [ErrJournal].
//
// [ILPCode] gives the ILP error code for each error.
func (r *Recorder) Record(ctx context.Context, op Op) (Result, error) {
	call := r.callPool.takeCall()
	future, err := r.submitOp(ctx, &op, &call.slot, true)
	if err != nil {
		return unrecordedResult(op, err), err
	}
	result, isFinal := future.waitOrAbandon(ctx)
	if isFinal {
		r.callPool.putCall(call)
	}
	return result, result.Err
}

// RecordAll records operations and waits for all answers. Operations on a
// packet are recorded in the order given; packets have no order among each other.
// The results are in the order of the operations. The error joins the
// errors of all operations ([Recorder.Record]); nil if every operation is in the books.
func (r *Recorder) RecordAll(ctx context.Context, ops ...Op) ([]Result, error) {
	results := make([]Result, len(ops))
	futures := make([]Future, len(ops))
	errs := make([]error, len(ops))
	for i := range ops {
		if futures[i], errs[i] = r.submitOp(ctx, &ops[i], nil, true); errs[i] != nil {
			results[i] = unrecordedResult(ops[i], errs[i])
		}
	}
	for i, future := range futures {
		if errs[i] == nil {
			results[i], _ = future.waitOrAbandon(ctx)
			errs[i] = results[i].Err
		}
	}
	return results, errors.Join(errs...)
}

// Submit enqueues an operation as soon as there is room in the backlog. The returned
// [Future] waits for the ledger. Submit allocates nothing per operation, except for
// fulfills with a Journal. The errors are the errors of [Recorder.Record] marked
// "no" under "recorded?".
//
// With a Journal, Submit of a fulfill also waits until the fulfill is on disk. If the
// disk fails, or the context ends first ([ledger.ErrOutcomeUnknown]), the fulfill is
// enqueued all the same: Submit returns an error matching [ErrJournal], and a Future to
// learn when the money is booked.
func (r *Recorder) Submit(ctx context.Context, op Op) (Future, error) {
	future, err := r.submitOp(ctx, &op, nil, true)
	if err != nil || future.journalPos == 0 {
		return future, err
	}
	if err := future.Journaled(ctx); err != nil {
		return future, wrapError(op.Kind, future.packet.ID, err)
	}
	return future, nil
}

// TrySubmit enqueues an operation without waiting. The error matches [ErrBacklogFull]
// if the backlog has no room, or if the Journal's disk is too far behind, and
// [ErrLimitsNotLoaded] if the caps of a peer are not read yet. Use [Future.Journaled] to
// learn when a fulfill is on disk. Otherwise TrySubmit is as [Recorder.Submit].
func (r *Recorder) TrySubmit(op Op) (Future, error) {
	return r.submitOp(r.ctx, &op, nil, false)
}
