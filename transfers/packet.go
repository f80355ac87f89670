package transfers

import (
	"fmt"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// Packet is the part of an ILP packet recorded in the ledger. Any recorder on the same
// ledger can resolve a packet prepared elsewhere, with the Packet of the prepare's [Result]
// alone. A Packet built again field by field works too: the recorder then first
// reads the hold from the ledger.
type Packet struct {
	// ID names the packet in the ledger: transfers have the same id with a leg and a phase
	// in the low 8 bits, which must be 0 here. If ID is 0, the recorder generates a
	// time-ordered id when the packet is prepared or forwarded. A caller setting ID must
	// use each ID for a single packet, and must set Hold too, to keep a repeated prepare
	// equal in every field. Never derive ID from the execution condition: senders choose the
	// condition, which is the same on every hop.
	ID ledger.ID

	From accounts.PeerAccount // sender of the PREPARE to us, or our own account
	To   accounts.PeerAccount // receiver of our PREPARE, or our own account
	// The amounts decide the legs: a fulfill or reject that differs from the prepare in
	// amounts or peers is refused as a conflict.
	In  uint64 // amount of the sender's PREPARE, in units of From's asset
	Out uint64 // amount of our PREPARE, in units of To's asset
	// Dust is In less the cost of Out, the remainder of a conversion. 0 to In; must be 0
	// within an asset.
	Dust uint64

	// Expiry is the latest moment at which a FULFILL counts: the expiry of our PREPARE. The
	// hold outlives Expiry by Config.HoldMargin. A prepare not sent to the ledger by then is
	// refused. A MaxHold ([accounts.Limits]) makes the Expiry of the Result's Packet earlier:
	// give our PREPARE the Expiry of the Result's Packet.
	Expiry time.Time
	// Hold is how long the ledger holds the amounts, counted from the arrival of the request,
	// in whole seconds (rounded up) up to 2^32-1. If Hold is 0, the prepare computes Hold from
	// Expiry.
	Hold time.Duration

	// Condition is the execution condition. The first 8 bytes are stored with the
	// transfers, for comparing books with the peer.
	Condition [32]byte

	// sealed is the packet's seal after the ledger has confirmed its hold; see verify.go.
	sealed uint64
}

// Kind is the kind of an operation.
type Kind uint8

// The kinds of operations.
const (
	KindPrepare Kind = iota + 1 // hold the amounts
	KindFulfill                 // post the hold
	KindReject                  // void the hold
	KindForward                 // book an already fulfilled packet, in a single phase
)

// String returns "prepare", "fulfill", "reject" or "forward".
func (k Kind) String() string {
	names := [...]string{KindPrepare: "prepare", KindFulfill: "fulfill", KindReject: "reject", KindForward: "forward"}
	if k < KindPrepare || k > KindForward {
		return fmt.Sprintf("Kind(%d)", uint8(k))
	}
	return names[k]
}

// Op is an operation on a packet, for [Recorder.Record], [Recorder.RecordAll],
// [Recorder.Submit] and [Recorder.TrySubmit].
type Op struct {
	Kind   Kind
	Packet Packet
}

// PrepareOp returns the operation that holds the packet's amounts.
func PrepareOp(p Packet) Op { return Op{Kind: KindPrepare, Packet: p} }

// FulfillOp returns the operation that posts the packet's hold.
func FulfillOp(p Packet) Op { return Op{Kind: KindFulfill, Packet: p} }

// RejectOp returns the operation that voids the packet's hold.
func RejectOp(p Packet) Op { return Op{Kind: KindReject, Packet: p} }

// ForwardOp returns the operation that books an already fulfilled packet in one phase.
func ForwardOp(p Packet) Op { return Op{Kind: KindForward, Packet: p} }

// isPromised reports whether the money of the operation was promised before. Such
// operations go ahead of prepares.
func (k Kind) isPromised() bool { return k != KindPrepare }

// beginsPacket reports whether the operation is the first of its packet.
func (k Kind) beginsPacket() bool { return k == KindPrepare || k == KindForward }

// Validate finds the faults that need neither ledger nor book. The errors match [ErrPacket].
func (op *Op) Validate() error {
	p := &op.Packet
	fault := func(field, reason string) error {
		return &PacketError{Kind: op.Kind, ID: p.ID, Field: field, Reason: reason}
	}
	switch {
	case op.Kind < KindPrepare || op.Kind > KindForward:
		return fault("Kind", "must be one of the four operations")
	case p.ID.IsZero() && !op.Kind.beginsPacket():
		return fault("ID", "is missing: take the packet from the prepare's Result")
	case p.ID.Lo&0xff != 0:
		return fault("ID", "must have its low 8 bits clear")
	case p.From.IsZero():
		return fault("From", "is missing")
	case p.To.IsZero():
		return fault("To", "is missing")
	case p.Dust > p.In:
		return fault("Dust", "is above In")
	case p.Dust != 0 && p.From.Ledger() == p.To.Ledger():
		return fault("Dust", "must be 0 within one asset")
	default:
		return nil
	}
}
