// Package operatorlog keeps who changed what in the books, by hand, when and why.
//
// A journal is a file of JSON lines. [Log.Begin] writes a line before the act, and [Act.End] writes a second line, which repeats
// the first one and adds the outcome. Each line is on disk before the call returns. Several processes append to one file: a
// lock on FILE.lock is held while a line is written, and never during the act.
//
// The ledger stays the truth. The journal tells who asked for a change, and the ledger whether the change is booked.
package operatorlog

import (
	"errors"
	"time"
)

// Outcome is the result of an act.
type Outcome string

// The outcomes. The outcome of an act that has begun and has no end yet is "".
const (
	Written Outcome = "written" // the books have the change
	Already Outcome = "already" // an earlier act had made the change, so this act changed nothing
	Refused Outcome = "refused" // the books refused the change, and are unchanged
	Unknown Outcome = "unknown" // the books may have the change or not
	Failed  Outcome = "failed"  // an error ended the act; parts of an act of several changes may be in the books
)

var outcomes = []Outcome{Written, Already, Refused, Unknown, Failed}

// Entry is one act of an operator. Amount, Before and After are texts in whole units of Asset, or names of states.
type Entry struct {
	ID         string    `json:"id"`   // of the act: 32 hexadecimal digits, made by [Log.Begin]
	Time       time.Time `json:"time"` // of the begin, in UTC; set by [Log.Begin] if it is zero
	Who        string    `json:"who"`  // the operator: a user of the operating system, of a session or of a proxy
	Via        string    `json:"via"`  // "command" or "console"
	Action     string    `json:"action"`
	Peer       string    `json:"peer,omitempty"`
	Asset      string    `json:"asset,omitempty"`
	Amount     string    `json:"amount,omitempty"`
	Before     string    `json:"before,omitempty"`
	After      string    `json:"after,omitempty"`
	Reason     uint32    `json:"reason,omitempty"` // the number that the ledger keeps
	ReasonName string    `json:"reason_name,omitempty"`
	Key        string    `json:"key,omitempty"`   // of a payment, an adjustment or the like
	Order      string    `json:"order,omitempty"` // the id of a settlement order
	Note       string    `json:"note,omitempty"`

	// The fields of the second line.
	Outcome  Outcome   `json:"outcome,omitempty"`
	Transfer string    `json:"transfer,omitempty"` // the id of the transfer that books the change, if the act knows it
	Error    string    `json:"error,omitempty"`
	EndedAt  time.Time `json:"ended_at,omitzero"` // in UTC; zero without a second line
}

// MissingEnd is the Error of an entry that [Read] returns without a second line.
const MissingEnd = "The journal has no end of this act: its program was stopped meanwhile, or is still at work. " +
	"Look for the change in the ledger: peerledger audit --ledger, or peerledger find with the key."

var (
	// ErrInvalid is returned when an entry has no Who, Via or Action, or is larger than a line may be.
	ErrInvalid = errors.New("operatorlog: invalid entry")
	// ErrClosed is returned by [Log.Begin] after [Log.Close].
	ErrClosed = errors.New("operatorlog: the journal is closed")
	// ErrEnded is returned when an act was ended before.
	ErrEnded = errors.New("operatorlog: the act has ended before")
	// ErrBusy is returned when another process holds the lock of the journal for too long.
	ErrBusy = errors.New("operatorlog: another process holds the lock of the journal")
	// ErrDamaged is matched by a [DamageError].
	ErrDamaged = errors.New("operatorlog: damaged lines")
)
