// Package requestlimit learns how many events or rows a ledger takes in one request.
//
// A ledger refuses a larger request with [ledger.ErrTooMuchData], and applies no part of it. The
// largest limits are [ledger.BatchMax] and [ledger.QueryMax]. A server with smaller requests has
// smaller limits, and TigerBeetle's protocol has no question for them.
package requestlimit

import (
	"github.com/peerledger/peerledger/ledger"
)

// Development is the limit of create requests on a TigerBeetle server started with --development.
// Nearly every server with smaller requests is such a server.
const Development = 253

// Limit is the known limit of one kind of request to one ledger. Lower and Find must not run
// concurrently with any method.
type Limit struct {
	limit    int
	group    int // the limit is a multiple of group
	expected int // the value to try after a larger limit was refused; 0: none
}

// New returns a limit of maxEvents. It is lowered in multiples of group, so that the events of
// one group stay together.
func New(maxEvents, group int) *Limit { return &Limit{limit: maxEvents / group * group, group: group} }

// NewCreates returns a limit of maxEvents for create requests. Lower tries [Development] before any
// smaller value.
func NewCreates(maxEvents int) *Limit {
	return &Limit{limit: maxEvents, group: 1, expected: Development}
}

// Max returns how many events a request may carry.
func (l *Limit) Max() int { return l.limit }

// Lower lowers the limit after the ledger has refused a request as too large: to half of the
// refused events, or to [Development] for a create request of more events. The limit never rises,
// in whichever order concurrent requests are refused. Lower reports whether a request smaller than
// the refused one can be made.
func (l *Limit) Lower(refused int) bool {
	lower := max(l.group, refused/2/l.group*l.group)
	if l.expected > 0 && refused > l.expected {
		lower = l.expected
	}
	l.limit = min(l.limit, lower)
	return refused > l.group
}

// Find searches the largest request for which fits is true, 0 to Max events, and sets the limit. A
// server with the limit Max needs one call of fits, a server with the limit [Development] three. An
// error of fits ends the search and leaves the limit unchanged.
func (l *Limit) Find(fits func(events int) (bool, error)) error {
	if ok, err := fits(l.limit); ok || err != nil {
		return err
	}
	low, high := 0, l.limit // low fits and high does not
	for guess := l.firstGuess(); low+1 < high; {
		ok, err := fits(guess)
		switch {
		case err != nil:
			return err
		case ok && guess == l.expected:
			low, guess = guess, guess+1
			continue
		case ok:
			low = guess
		default:
			high = guess
		}
		guess = (low + high) / 2
	}
	l.limit = low
	return nil
}

func (l *Limit) firstGuess() int {
	if 0 < l.expected && l.expected < l.limit {
		return l.expected
	}
	return l.limit / 2
}

// OfCreates returns the limit that a ledger states for create requests in a method BatchMax, as
// a [github.com/peerledger/peerledger/ledger/cluster.Ledger] does, and [ledger.BatchMax] of
// every other ledger.
func OfCreates(l ledger.Ledger) int {
	if limited, ok := l.(interface{ BatchMax() int }); ok {
		return limited.BatchMax()
	}
	return ledger.BatchMax
}
