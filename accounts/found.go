package accounts

import (
	"time"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// FoundKind is the kind of a thing that [Book.Find] found.
type FoundKind string

// The kinds of things.
const (
	FoundPacket       FoundKind = "packet"
	FoundOrder        FoundKind = "order"        // a settlement order
	FoundPayment      FoundKind = "payment"      // received, by voucher, by hand or beyond an order; or a returned payment
	FoundAnnouncement FoundKind = "announcement" // of a payment that is not final
	FoundAdjustment   FoundKind = "adjustment"   // by hand, a write-off, or a release from suspense
	FoundReservation  FoundKind = "reservation"  // of a recorder in rounds
	FoundRound        FoundKind = "round"        // a part of a round: the sum of many packets
	FoundCreditLine   FoundKind = "credit line"  // a change of a credit line
	FoundSuspension   FoundKind = "suspension"   // of a peer
	FoundClosing      FoundKind = "closing"      // of a peer
	FoundTransfer     FoundKind = "transfer"     // of any other code
)

// FoundState is what became of a thing that [Book.Find] found.
type FoundState string

// The states of things.
const (
	StateHeld      FoundState = "held"      // a packet neither fulfilled nor rejected
	StateFulfilled FoundState = "fulfilled" // a packet in time
	StateRejected  FoundState = "rejected"  // a packet
	StateExpired   FoundState = "expired"   // a packet or a reservation
	// StateCorrected is the state of a packet that was booked although its hold had expired, or beyond
	// the sender's credit line.
	StateCorrected FoundState = "corrected"
	StateOpen      FoundState = "open"      // an order, an announcement, a reservation, a suspension or a closing
	StatePaid      FoundState = "paid"      // an order
	StateCancelled FoundState = "cancelled" // an order that no rail has paid
	StateEnded     FoundState = "ended"     // an announcement, a reservation, a suspension or a closing
	StateBooked    FoundState = "booked"    // everything booked at once
	// StateUnknown is the state of a pending transfer whose end is not among the rows that
	// [FindQuery.Limit] allows: ask with a larger limit.
	StateUnknown FoundState = "unknown"
)

// Found is a thing in the ledger: a packet, an order, a payment, or another transfer. Amounts are in units.
type Found struct {
	Kind         FoundKind
	ID           ledger.ID // of the packet, or else of the first transfer: for an order the key at the rail
	State        FoundState
	ConditionTag [8]byte // of a packet, or of the packet that an adjustment corrects; zero if there is none
	// KeyHash is the [Entry.KeyHash] of a payment, an announcement or an adjustment; zero if there is none.
	// For a release from suspense it is the id of the released transfer.
	KeyHash ledger.ID
	// From and To are the two sides. For a packet from one asset to another their assets differ.
	From, To FoundAccount
	// In is what From is charged or would be, and Out what To gets or would get. They differ for a packet, by
	// the fee or by conversion. For an order, In is the ordered amount, and Out what was paid, 0 if it is open.
	In, Out ledger.Amount
	Since   time.Time // when the first row was booked, by the ledger's clock
	// Expiry is when the ledger releases the hold, by the ledger's clock; zero if it does not expire.
	Expiry time.Time
	// Ended is when State was reached, by the ledger's clock; zero for StateHeld, StateOpen and StateUnknown.
	Ended time.Time
	Rows  []FoundRow // the oldest first
}

// FoundRow is a transfer in the ledger.
type FoundRow struct {
	Transfer ledger.ID
	Time     time.Time // by the ledger's clock
	Code     uint16    // of the transfer
	// Step is "hold" for a pending transfer, "post" or "void" for the one that resolves it, and "book" for all others.
	Step          string
	Amount        ledger.Amount // units; of a post what was posted
	Asset         Asset         // zero for an asset that the Book does not have
	Debit, Credit FoundAccount
}

// FoundAccount is an account in the ledger.
type FoundAccount struct {
	ID    ledger.ID
	Asset Asset // zero for an asset that the Book does not have
	// AccountKind is as for [TrialLine]: "peer", "line", "settlement" or "arrears" for an account of a
	// peer, a kind of our own accounts, or "other".
	AccountKind string
	Peer        string // of an account of one of [FindQuery.Peers]; otherwise ""
}

// String returns the kind, and of a peer's account also the peer, or the account's id if the peer is not known.
func (a FoundAccount) String() string {
	switch {
	case a.Peer != "" && a.AccountKind == peerKind:
		return a.AccountKind + " " + a.Peer
	case a.Peer != "":
		return a.AccountKind + " of " + a.Peer
	case a.isOurs():
		return a.AccountKind
	default:
		return a.AccountKind + " account " + a.ID.String()
	}
}

// isOurs reports whether the account is our own in an asset.
func (a FoundAccount) isOurs() bool {
	switch a.AccountKind {
	case peerKind, lineKind, settlementKind, arrearsKind, otherKind:
		return false
	default:
		return true
	}
}

const (
	lineKind       = "line"
	settlementKind = "settlement"
	arrearsKind    = "arrears"
)

// foundKinds are the kinds of things by transfer code; the others are FoundTransfer.
var foundKinds = map[uint16]FoundKind{
	chart.CodePacket: FoundPacket, chart.CodeFee: FoundPacket, chart.CodeConversion: FoundPacket, chart.CodeDustLeg: FoundPacket,
	chart.CodeReserve: FoundReservation, chart.CodeRound: FoundRound, chart.CodeOrder: FoundOrder,
	chart.CodeIncoming: FoundPayment, chart.CodeVoucher: FoundPayment, chart.CodeOutgoing: FoundPayment,
	chart.CodeOverpaid: FoundPayment, chart.CodeReturned: FoundPayment, chart.CodeAnnounced: FoundAnnouncement,
	chart.CodeAdjust: FoundAdjustment, chart.CodeGrant: FoundCreditLine, chart.CodeSuspend: FoundSuspension, chart.CodeClose: FoundClosing,
}
