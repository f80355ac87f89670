// Package trace reads packet traces: what a connector received, forwarded and
// settled, and the balances it ended with, one JSON object a line.
//
// The first line is the config: the format of the trace (1, also if it does not say), the
// peers, the asset of each, and the connector's policy for each. Then, in order of time, come packets (in, out, out_reply,
// in_reply, each with the packet's OER bytes in base64) and settlements
// (settle_out, settle_in). The last lines are one balance per peer.
//
// Signs are turned round on reading. The recorded connector counts a balance as
// positive when the peer owes it; a Position is positive when we owe the peer.
package trace

import (
	"fmt"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// Trace is a complete trace. It is not changed by the package after Read.
type Trace struct {
	Name   string  // of the file, as given to Read
	Peers  []Peer  // by ID
	Events []Event // in the order of the file
}

// Peer is a peer of the config line, and how it ended.
type Peer struct {
	ID         string
	AssetCode  string
	AssetScale uint8
	CreditLine ledger.Amount // the most that the peer may owe us, in units; 0 if Unlimited
	Unlimited  bool          // the peer may owe us anything
	Settle     *Settle       // nil if the connector never pays this peer
	Final      Position      // of the peer's balance line
}

// Settle is a peer's settlement policy, in units of its asset: when the position
// is at or above Threshold, pay it down to To. To is not above Threshold. Either
// is a receivable if the peer is paid ahead of what it earns.
//
// The recorded connector waited until the position was above the threshold, one
// unit later.
type Settle struct {
	Threshold Position
	To        Position
}

// Position is what stands between us and a peer, in units of the peer's asset. At
// most one of the two is not 0, so positions may be compared with ==.
type Position struct {
	Payable    ledger.Amount // we owe the peer
	Receivable ledger.Amount // the peer owes us
}

// Compare is -1, 0 or +1 as p is below, equal to or above q, payable being up.
func (p Position) Compare(q Position) int {
	if c := p.Payable.Compare(q.Payable); c != 0 {
		return c
	}
	return q.Receivable.Compare(p.Receivable)
}

// String is the position in decimal digits, negative if the peer owes us.
func (p Position) String() string {
	if !p.Receivable.IsZero() {
		return "-" + p.Receivable.String()
	}
	return p.Payable.String()
}

// Event is a *Forward, an *Answer, a *SettleOut or a *SettleIn.
type Event interface {
	// Where is the line that the event was read from.
	Where() Origin
}

// Origin is where and when an event was recorded.
type Origin struct {
	Line int           // of the file, from 1
	At   time.Duration // since the start of the recording, in whole milliseconds; never falls
}

// Where returns o itself.
func (o Origin) Where() Origin { return o }

// Forward is a PREPARE that the connector received and forwarded (the out line).
// Packets that it refused or answered itself are checked and left out.
type Forward struct {
	Origin
	ID        uint64 // the trace's, unique in it
	From      string // the peer that sent the packet
	To        string // the peer that it was forwarded to
	In        uint64 // amount received, in units of From's asset; may be 0
	Out       uint64 // amount forwarded, in units of To's asset; may be 0
	Condition [32]byte
	InExpiry  time.Time // of the packet received, UTC
	OutExpiry time.Time // of the packet forwarded, UTC
}

// Answer is the reply to a Forward (the out_reply line). There is exactly one,
// after it. If Fulfilled, the fulfillment matched the condition.
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

// LineError is what is wrong with a trace, and where. If something is missing at
// the end, Line is the line where it should be.
type LineError struct {
	File string
	Line int // from 1
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err) }

// Unwrap is the reason.
func (e *LineError) Unwrap() error { return e.Err }
