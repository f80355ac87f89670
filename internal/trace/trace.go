// Package trace reads packet traces: the packets that a connector received and forwarded, its
// settlements, and its final balances, one JSON object a line.
//
// The first line is the config: the format of the trace (1 if missing), the peers, the asset of
// each peer, and the connector's policy for each peer. Then come packets (in, out, out_reply,
// in_reply, each with the packet's OER bytes in base64) and settlements (settle_out, settle_in), in
// order of time. The last lines are one balance per peer.
//
// [Read] reverses signs. A balance of the recorded connector is positive when the peer owes the
// connector. A [Position] is positive when we owe the peer.
package trace

import (
	"fmt"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// Trace is a complete trace. The package does not change a Trace after [Read].
type Trace struct {
	Name   string  // of the file, as given to Read
	Peers  []Peer  // by ID
	Events []Event // in the order of the file
}

// Peer is a peer of the config line, with its final balance.
type Peer struct {
	ID         string
	AssetCode  string
	AssetScale uint8
	CreditLine ledger.Amount // the most that the peer may owe us, in units; 0 if Unlimited
	Unlimited  bool          // no credit line limits the peer
	Settle     *Settle       // nil if the connector never pays this peer
	Final      Position      // of the peer's balance line
}

// Settle is a peer's settlement policy, in units of its asset: when the position is at or above
// Threshold, pay it down to To. To is not above Threshold. A receivable pays the peer ahead of its
// earnings.
//
// The recorded connector waited until the position was above the threshold, one unit later.
type Settle struct {
	Threshold Position
	To        Position
}

// Position is the balance between us and a peer, in units of the peer's asset. At most one of the
// two fields is not 0, so positions can be compared with ==.
type Position struct {
	Payable    ledger.Amount // we owe the peer
	Receivable ledger.Amount // the peer owes us
}

// Compare returns -1, 0 or +1 if p is below, equal to or above q. Payable is up.
func (p Position) Compare(q Position) int {
	if c := p.Payable.Compare(q.Payable); c != 0 {
		return c
	}
	return q.Receivable.Compare(p.Receivable)
}

// String returns the position in decimal digits, negative if the peer owes us.
func (p Position) String() string {
	if !p.Receivable.IsZero() {
		return "-" + p.Receivable.String()
	}
	return p.Payable.String()
}

// Event is a *[Forward], an *[Answer], a *[SettleOut] or a *[SettleIn].
type Event interface {
	// Where returns line and time of the event.
	Where() Origin
}

// Origin is the line and the time of an event.
type Origin struct {
	Line int           // of the file, from 1
	At   time.Duration // since the start of the recording, in whole milliseconds; never falls
}

// Where returns o.
func (o Origin) Where() Origin { return o }

// Forward is a PREPARE that the connector received and forwarded (the out line). [Read] checks the
// packets that the connector refused or answered itself, and leaves them out.
type Forward struct {
	Origin
	ID        uint64 // of the trace, unique in it
	From      string // the sending peer
	To        string // the receiving peer
	In        uint64 // amount received, in units of From's asset; may be 0
	Out       uint64 // amount forwarded, in units of To's asset; may be 0
	Condition [32]byte
	InExpiry  time.Time // of the packet received, UTC
	OutExpiry time.Time // of the packet forwarded, UTC
}

// Answer is the reply to a [Forward] (the out_reply line). Every Forward has exactly one, after it.
// If Fulfilled, the fulfillment matched the condition.
type Answer struct {
	Origin
	Forward   *Forward // the same pointer as in Events
	Fulfilled bool     // false: rejected
}

// SettleOut is a payment of the connector to a peer.
type SettleOut struct {
	Origin
	Peer   string
	Amount ledger.Amount // units of the peer's asset
}

// SettleIn is a payment of a peer to the connector.
type SettleIn struct {
	Origin
	Peer   string
	Amount ledger.Amount // units of the peer's asset
}

// LineError is an error in a trace, with its line. For a line missing at the end, Line is the
// number that it would have.
type LineError struct {
	File string
	Line int // from 1
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err) }

// Unwrap returns Err.
func (e *LineError) Unwrap() error { return e.Err }
