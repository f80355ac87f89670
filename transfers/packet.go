package transfers

import (
	"fmt"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// Packet is an ILP packet that crosses us: what the ledger must know of it. Any
// recorder on the same ledger can resolve a packet that another one prepared,
// from the Packet in the prepare's Result alone. One that is put together again, field by
// field, does too: then the recorder first reads what the ledger holds for it.
type Packet struct {
	// ID names the packet in the ledger: its transfers have this id with a leg
	// and a phase in the low 8 bits, which must be 0 here. Left 0, the recorder
	// draws a time-ordered one when the packet is prepared or forwarded. Whoever
	// gives one gives it to one packet only, and sets Hold too, so that a repeated
	// prepare is the same in every field. It must not be taken from the packet's
	// execution condition: senders choose that, and it is the same on every hop.
	ID ledger.ID

	From accounts.PeerAccount // who sent the PREPARE to us, or ourselves
	To   accounts.PeerAccount // who we forward it to, or ourselves
	// The amounts decide which legs there are: a fulfill or reject of a packet
	// with other amounts or peers than its prepare had is refused as a conflict.
	In  uint64 // amount of the sender's PREPARE, in units of From's asset
	Out uint64 // amount of our PREPARE, in units of To's asset
	// Dust is the part of In that the rate between two assets leaves over: In
	// less the cost of Out. 0 to In; must be 0 within one asset.
	Dust uint64

	// Expiry is the latest moment at which a FULFILL may still count: when the
	// PREPARE that we send expires. The hold outlives it by Config.HoldMargin. A
	// prepare that was not sent to the ledger by then is refused. The Result's is
	// earlier than the one given if a MaxHold has cut it (accounts.Limits): it is
	// what the PREPARE that we send must have.
	Expiry time.Time
	// Hold is how long the ledger holds the amounts, counted from the arrival of
	// the request, in whole seconds (rounded up) up to 2^32-1. Left 0 it is
	// worked out from Expiry when the packet is prepared.
	Hold time.Duration

	// Condition is the execution condition. Its first 8 bytes are kept with the
	// transfers, for comparing books with the peer.
	Condition [32]byte

	// sealed is the packet's seal if the ledger has said that it holds just this packet.
	sealed uint64
}

// Kind is what happens to a packet.
type Kind uint8

// The kinds of operations.
const (
	KindPrepare Kind = iota + 1 // hold the amounts
	KindFulfill                 // post what is held
	KindReject                  // give back what is held
	KindForward                 // book a packet that was fulfilled already, at once
)

// String is "prepare", "fulfill", "reject" or "forward".
func (k Kind) String() string {
	names := [...]string{KindPrepare: "prepare", KindFulfill: "fulfill", KindReject: "reject", KindForward: "forward"}
	if k < KindPrepare || k > KindForward {
		return fmt.Sprintf("Kind(%d)", uint8(k))
	}
	return names[k]
}

// Op is one operation on one packet, for Record, RecordAll, Submit and TrySubmit.
type Op struct {
	Kind   Kind
	Packet Packet
}

// PrepareOp holds the packet's amounts.
func PrepareOp(p Packet) Op { return Op{Kind: KindPrepare, Packet: p} }

// FulfillOp posts what the packet's prepare holds.
func FulfillOp(p Packet) Op { return Op{Kind: KindFulfill, Packet: p} }

// RejectOp gives back what the packet's prepare holds.
func RejectOp(p Packet) Op { return Op{Kind: KindReject, Packet: p} }

// ForwardOp books a packet that was fulfilled already, in one phase.
func ForwardOp(p Packet) Op { return Op{Kind: KindForward, Packet: p} }

// isPromised reports whether the money of the operation was promised before. Such
// operations go ahead of prepares.
func (k Kind) isPromised() bool { return k != KindPrepare }

// beginsPacket reports whether the operation is the first of its packet.
func (k Kind) beginsPacket() bool { return k == KindPrepare || k == KindForward }

// checkFields finds what no ledger need be asked about. The errors match ErrPacket.
func (op *Op) checkFields() error {
	p := &op.Packet
	fault := func(field, reason string) error {
		return &PacketError{Kind: op.Kind, ID: p.ID, Field: field, Reason: reason}
	}
	switch {
	case op.Kind < KindPrepare || op.Kind > KindForward:
		return fault("Kind", "is none of the four operations")
	case p.ID.IsZero() && !op.Kind.beginsPacket():
		return fault("ID", "is missing: take the packet from the prepare's Result")
	case p.ID.Lo&0xff != 0:
		return fault("ID", "must have its low 8 bits clear")
	case p.From.IsZero():
		return fault("From", "is no account")
	case p.To.IsZero():
		return fault("To", "is no account")
	case p.Dust > p.In:
		return fault("Dust", "is above In")
	case p.Dust != 0 && p.From.Ledger() == p.To.Ledger():
		return fault("Dust", "must be 0 within one asset")
	default:
		return nil
	}
}
