package accounts

import (
	"fmt"
	"math/big"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// EntryKind is the kind of a statement's entry.
type EntryKind string

// The kinds of entries.
const (
	EntryPacket     EntryKind = "packet"
	EntryFee        EntryKind = "fee"
	EntryConversion EntryKind = "conversion"
	EntryDust       EntryKind = "dust"        // the remainder of a conversion
	EntrySettlement EntryKind = "settlement"  // in either direction, a rail's payment beyond an order included
	EntryByHand     EntryKind = "by hand"     // a settlement paid by us without an order
	EntryReturned   EntryKind = "returned"    // a settlement of the peer that was returned
	EntryCorrection EntryKind = "correction"  // of a late fulfill, or by [Book.Adjust]
	EntryWriteOff   EntryKind = "write-off"   // of arrears, or by [Book.ClosePeer]
	EntryCreditLine EntryKind = "credit line" // changes the line, not the position
	EntryFunding    EntryKind = "funding"     // capital, in our own account
	EntryRound      EntryKind = "round"       // a part of a round of package transfers/aggregate: the sum of many packets
	EntryHold       EntryKind = "hold"        // moves nothing; listed with [WithHolds]
	EntryOther      EntryKind = "other"       // booked by a foreign program: see Code
)

// Entry is one movement in the account of a [Statement].
type Entry struct {
	Time     time.Time // by the ledger's clock
	Transfer ledger.ID // the transfer of the movement
	Kind     EntryKind
	Code     uint16 // of the transfer
	// Packet is the id of the packet, for kinds with a packet; otherwise zero.
	Packet ledger.ID
	// ConditionTag is the first 8 bytes of the packet's execution condition, known to the peer as
	// well; zero if there is none. An adjustment has its [Adjustment.ConditionTag].
	ConditionTag [8]byte
	// Order is the id of the paid settlement order, also used as the key at the rail; zero for an
	// entry without an order. A rail's payment beyond an order is a separate entry with the same
	// Order.
	Order ledger.ID
	// Direction is the direction of the value of a packet, or of the money of a payment.
	Direction Direction
	// KeyHash identifies payments without an order, adjustments and capital: it is a hash of the
	// key, the only part of the key in the ledger. It is zero for entries without a key: packets,
	// orders and vouchers. A payment, its return and its release from suspense have the same
	// KeyHash.
	KeyHash ledger.ID
	// Key is the key, if given to [WithKnownKeys]; otherwise "".
	Key string
	// Late is set for the correction of a fulfill after the expiry of its hold, or of a forward
	// beyond the sender's line.
	Late       bool
	ReasonCode uint32 // of [Book.Adjust], a write-off, capital, or a change of the line
	// Journal and Round are the numbers of the journal and of the round in it, for EntryRound, for
	// the packets that [WithJournals] shows in its place, and for the correction that releases a round's
	// earnings to a peer that was closed; otherwise 0. The ledger keeps the last 32 bits of a round's number.
	Journal, Round uint64
	// PacketsGone is set for an EntryRound of a statement [WithJournals] when the journals do not have
	// the round's packets. The amount is still exact.
	PacketsGone bool
	// Counterparty is the account on the opposite side.
	Counterparty Counterparty
	// Amount is the change of the position, in units: above 0 we owe the peer more, or the peer
	// owes us less. In our own account: above 0 we have more.
	Amount *big.Int
	// Held is the amount of a hold, in units, with the sign that Amount will have; nil for all
	// other kinds.
	Held *big.Int

	Position   *big.Int      // after the entry, in units
	CreditLine ledger.Amount // after the entry, in units; 0 in our own account
	// Arrears are the arrears after the entry, in units. Their collection does not move the
	// position, so they also fall between two entries.
	Arrears ledger.Amount
}

// Direction is the direction of value, seen from us. The sign of an amount does not show the
// direction: a packet from the peer and a payment to the peer both lower our debt.
type Direction string

// The directions. Credit lines, adjustments and write-offs move no value between the sides, so
// they have no direction.
const (
	DirectionIn  Direction = "in"  // from the peer to us; in our own account: into our liquidity
	DirectionOut Direction = "out" // from us to the peer; in our own account: out of our liquidity
)

// Counterparty is the opposite account of an entry.
type Counterparty struct {
	ID ledger.ID
	// AccountKind is "peer" for a different peer or its arrears; "line" or "settlement" for an account
	// of the statement's peer; or one of our accounts: "liquidity", "revenue", "dust",
	// "suspense", "outside", "control", "transit".
	AccountKind string
	// Peer is the id of the different peer, if given to [WithKnownAccounts]; otherwise "".
	Peer string
}

// String returns the kind, and for a peer also its id or the id of its account.
func (c Counterparty) String() string {
	switch {
	case c.AccountKind != peerKind:
		return c.AccountKind
	case c.Peer != "":
		return fmt.Sprintf("%s %s", c.AccountKind, c.Peer)
	default:
		return fmt.Sprintf("%s account %v", c.AccountKind, c.ID)
	}
}

const peerKind = "peer"
