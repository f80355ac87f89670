package transfers

import (
	"context"
	"fmt"

	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
)

// PacketRecorder records operations on packets. [Recorder] writes each packet to the ledger, and
// the Recorder of package transfers/aggregate writes rounds, the sums of many packets. A program
// that uses a PacketRecorder runs with either. All methods may be called concurrently.
//
// The recorders share operations, errors ([ILPCode]) and results, with two differences. A
// [Recorder] answers when the ledger has the operation. A recorder of rounds answers a prepare
// from memory, and a fulfill when the fulfill is on disk. And only a [Recorder] resolves packets
// prepared by another recorder.
type PacketRecorder interface {
	// Prepare holds the packet's amounts. Keep [Result].Packet. Forward the packet only after a
	// Prepare without an error.
	Prepare(ctx context.Context, p Packet) (Result, error)
	// Fulfill books a packet that was prepared. Pass a context that outlives the sender's.
	Fulfill(ctx context.Context, p Packet) (Result, error)
	// Reject releases the amounts held by a prepare.
	Reject(ctx context.Context, p Packet) (Result, error)
	// Forward books an already fulfilled packet without a prepare.
	Forward(ctx context.Context, p Packet) (Result, error)
	// Record records one operation and waits for its result. The error is the Result's.
	Record(ctx context.Context, op Op) (Result, error)
	// RecordAll records operations and waits for all results, which are in the order of the
	// operations. The error joins the errors of all.
	RecordAll(ctx context.Context, ops ...Op) ([]Result, error)
	// Submit hands an operation over as soon as there is room. Before a caller may rely on a
	// fulfill, Submit, [Future.Journaled] or [Future.Wait] must have returned without an error:
	// see the Submit of each recorder.
	Submit(ctx context.Context, op Op) (Future, error)
	// TrySubmit is Submit without waiting. The error matches [ErrBacklogFull] without room.
	TrySubmit(op Op) (Future, error)
	// Flush waits until every operation submitted before the call is in the ledger, or refused.
	Flush(ctx context.Context) error
	// Stats returns the current numbers, without a request to the ledger.
	Stats() Stats
	// Close refuses new operations and writes the submitted ones. Close the recorder before the
	// ledger.
	Close(ctx context.Context) error
}

var _ PacketRecorder = (*Recorder)(nil)

// Submission is an operation that was handed to another implementation of [PacketRecorder] than
// [Recorder].
type Submission struct {
	Kind   Kind
	Packet Packet // with its ID and Hold
	Decision
}

// Decision is what another implementation of [PacketRecorder] than [Recorder] decided about an operation
// at once. The zero Decision is of an operation that is not decided yet.
type Decision struct {
	Outcome ledger.Outcome // of the Result
	Late    bool           // of the Result
	Record  uint64         // number of the operation's record in a journal, 0: none
}

// Waiter waits for the results of submissions. All methods may be called concurrently, and any
// number of times for a Submission.
type Waiter interface {
	// Wait is [Future.Wait]. The result of an operation that was applied at once, is not late and has no
	// record is complete: Future.Wait returns such a result, and does not call Wait.
	Wait(ctx context.Context, s Submission) Result
	// Journaled is [Future.Journaled].
	Journaled(ctx context.Context, s Submission) error
}

// NewFuture returns the Future of an operation, with its packet's ID and Hold, for implementations of
// [PacketRecorder]. It does not allocate if w is a pointer.
func NewFuture(w Waiter, op *Op, d Decision) Future {
	return Future{owner: w, journalPos: wal.Position(d.Record), kind: op.Kind, outcome: d.Outcome, late: d.Late, packet: op.Packet}
}

// waiter returns the Waiter of a Future without slot.
func (f Future) waiter() Waiter {
	if w, isWaiter := f.owner.(Waiter); isWaiter {
		return w
	}
	return noOperation{}
}

func (f Future) submission() Submission {
	return Submission{Kind: f.kind, Packet: f.packet, Decision: Decision{Outcome: f.outcome, Late: f.late, Record: uint64(f.journalPos)}}
}

// noOperation is the Waiter of the zero Future.
type noOperation struct{}

func (noOperation) Wait(_ context.Context, s Submission) Result {
	return unrecordedResult(Op{s.Kind, s.Packet}, fmt.Errorf("%w: the zero Future has no operation", ErrPacket))
}

func (noOperation) Journaled(context.Context, Submission) error {
	return fmt.Errorf("%w: the zero Future has no operation", ErrJournal)
}
