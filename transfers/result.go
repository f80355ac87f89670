package transfers

import (
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// Result is the result of an operation.
type Result struct {
	Kind Kind
	// Packet is the packet as recorded, with its ID and Hold. Fulfill and reject a packet
	// with the Packet of its prepare's Result.
	Packet Packet
	// Outcome is applied, already applied (by an earlier request), refused, refused with
	// a burnt id, or unknown. An already applied prepare may have been resolved since.
	Outcome ledger.Outcome
	// Late is set if a correction booked the packet, now or before: its hold had expired
	// before the fulfill, or the sender's line did not cover a forward. The sender was
	// charged as much as its line allowed, and owes the rest of In as arrears
	// ([accounts.Balance].Arrears). The receiver has its full amount. If the receiver's
	// account was closed since the hold expired, the amount waits in the asset's suspense
	// account.
	Late bool
	// Shortfall is how much of In could not be charged to the sender's account when the
	// packet was booked late, in units of its asset. 0 for packets that are not Late, and
	// for packets from ourselves.
	Shortfall uint64
	// ShortfallUnknown is set if a Late packet is booked, and the recorder was closed before
	// the ledger could be asked for the Shortfall. Record the packet again to learn it.
	ShortfallUnknown bool
	// BookedAt is the ledger's timestamp of the transfer that this operation made for the
	// packet's first leg, exact to the nanosecond, in UTC. The zero time if there is none:
	// a packet without amounts, or a packet resolved in another way before.
	BookedAt time.Time
	// Err is nil if the operation is in the books, else a [*RefusedError] or an error of
	// [Recorder.Submit] or [Recorder.Record]. An applied prepare has [ErrHoldExpired] if its
	// answer took longer than its hold lasts.
	Err error
}

// unrecordedResult returns the result of an operation that was not enqueued.
func unrecordedResult(op Op, err error) Result {
	return Result{Kind: op.Kind, Packet: op.Packet, Outcome: ledger.OutcomeRefused, Err: err}
}
