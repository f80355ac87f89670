package accounts

import (
	"fmt"
	"math/big"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// EntryKind is what an entry of a statement is about.
type EntryKind string

// The kinds of entries.
const (
	EntryPacket     EntryKind = "packet"
	EntryFee        EntryKind = "fee"
	EntryConversion EntryKind = "conversion"
	EntryDust       EntryKind = "dust"        // what a conversion left over
	EntrySettlement EntryKind = "settlement"  // in either direction, with what a rail paid beyond an order
	EntryByHand     EntryKind = "by hand"     // a settlement that we paid without an order
	EntryReturned   EntryKind = "returned"    // a settlement of the peer that came back
	EntryCorrection EntryKind = "correction"  // of a late fulfill, or by Book.Adjust
	EntryWriteOff   EntryKind = "write-off"   // of arrears, or by Book.ClosePeer
	EntryCreditLine EntryKind = "credit line" // moves the line, not the position
	EntryFunding    EntryKind = "funding"     // capital, on our own account
	EntryHold       EntryKind = "hold"        // moves nothing; only WithHolds
	EntryOther      EntryKind = "other"       // booked by somebody else: see Code
)

// Entry is one movement on the account of a Statement.
type Entry struct {
	Time     time.Time // the ledger's
	Transfer ledger.ID // that made the movement
	Kind     EntryKind
	Code     uint16 // the transfer's
	// Packet is the id of the packet, for kinds that have one; else zero.
	Packet ledger.ID
	// ConditionTag is the first 8 bytes of the packet's execution condition, which the
	// peer knows too; zero if there is none. An adjustment has the one that it was given.
	ConditionTag [8]byte
	// Order is the settlement order that was paid, which is the key at the rail; zero
	// if it is not about one. What a rail paid beyond an order is an entry of its own, with
	// the same Order.
	Order ledger.ID
	// Direction is which way the value of a packet or the money of a payment went.
	Direction Direction
	// KeyHash tells payments without an order, adjustments and capital apart: it stands for
	// the key that each was booked under, of which the ledger keeps no more; zero if there is
	// none, as of packets, orders and vouchers. A payment, its return and its release from suspense have the same, that of the
	// payment.
	KeyHash ledger.ID
	// Key is the key, if WithKnownKeys has told it; else "".
	Key string
	// Late says that it corrects a fulfill that came after its hold had expired, or a
	// forward beyond the sender's line.
	Late       bool
	ReasonCode uint32 // of Book.Adjust, a write-off, or a change of the line
	// Counterparty is the account on the other side.
	Counterparty Counterparty
	// Amount is the change of the position, in units: above 0 we owe the peer more, or
	// it owes us less. Of our own account: above 0 we have more.
	Amount *big.Int
	// Held is what a hold holds, in units, with the sign that Amount will have; nil of
	// all others.
	Held *big.Int

	Position   *big.Int      // after the entry, in units
	CreditLine ledger.Amount // after the entry, in units; 0 of our own account
	// Arrears are those after the entry, in units. They fall without an entry when they are
	// collected, since that does not move the position.
	Arrears ledger.Amount
}

// Direction is which way value went, seen from us. The sign of an amount does not tell: a
// packet of the peer and a payment to it both lower what we owe it.
type Direction string

// The directions. Credit lines, adjustments and write-offs move no value between the sides,
// and have none.
const (
	DirectionIn  Direction = "in"  // from the peer to us; of our own account: into our liquidity
	DirectionOut Direction = "out" // from us to the peer; of our own account: out of it
)

// Counterparty is the other account of an entry.
type Counterparty struct {
	ID ledger.ID
	// Kind is "peer" for another peer, or its arrears; "line" or "settlement" for the
	// account of the statement's own peer; or which of our accounts it is: "liquidity",
	// "revenue", "dust", "suspense", "outside", "control".
	Kind string
	// Peer is the other peer's id, if Known has told it; else "".
	Peer string
}

// String is the kind, and of a peer the id too: its own, or that of its account.
func (c Counterparty) String() string {
	switch {
	case c.Kind != peerKind:
		return c.Kind
	case c.Peer != "":
		return fmt.Sprintf("%s %s", c.Kind, c.Peer)
	default:
		return fmt.Sprintf("%s account %v", c.Kind, c.ID)
	}
}

const peerKind = "peer"
