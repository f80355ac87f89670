package prepayment

import (
	"errors"
	"fmt"
	"math/big"
)

// ErrRows is returned when the rows of a peer do not explain its accounts: another program books on
// them, with rows unknown to this package.
var ErrRows = errors.New("the rows of the peer do not explain its accounts")

// Split is a position in two parts: Net, earned by packets (above 0) or owed by the peer (below 0),
// and Prepaid. Prepaid is never below 0, and above 0 only if Net is not below 0. The sum of both is
// the position.
type Split struct{ Net, Prepaid *big.Int }

func (s Split) cloneSplit() Split {
	return Split{new(big.Int).Set(s.Net), new(big.Int).Set(s.Prepaid)}
}

func (s Split) equalsSplit(other Split) bool {
	return s.Net.Cmp(other.Net) == 0 && s.Prepaid.Cmp(other.Prepaid) == 0
}

// The four changes of a Split, in place. An [event] of a row is one of the last three. No row is
// earned: that amount is the growth of the totals between two rows, from packets (applyPackets).

func (s Split) applyEarned(a *big.Int) { s.Net.Add(s.Net, a) }

// applySent uses the prepayment first.
func (s Split) applySent(a *big.Int) {
	used := minBig(s.Prepaid, a)
	s.Prepaid.Sub(s.Prepaid, used)
	s.Net.Sub(s.Net, new(big.Int).Sub(a, used))
}

// applyIn pays the peer's debt first.
func (s Split) applyIn(a *big.Int) {
	owed := new(big.Int).Neg(s.Net)
	if owed.Sign() < 0 {
		owed.SetInt64(0)
	}
	down := new(big.Int).Set(minBig(owed, a))
	s.Net.Add(s.Net, down)
	s.Prepaid.Add(s.Prepaid, new(big.Int).Sub(a, down))
}

// applyOut pays the earnings first.
func (s Split) applyOut(a *big.Int) {
	s.Net.Sub(s.Net, a)
	if s.Net.Sign() < 0 {
		covered := new(big.Int).Set(minBig(s.Prepaid, new(big.Int).Neg(s.Net)))
		s.Prepaid.Sub(s.Prepaid, covered)
		s.Net.Add(s.Net, covered)
	}
}

func minBig(a, b *big.Int) *big.Int {
	if a.Cmp(b) < 0 {
		return new(big.Int).Set(a)
	}
	return new(big.Int).Set(b)
}

func maxBig(a, b *big.Int) *big.Int {
	if a.Cmp(b) > 0 {
		return a
	}
	return b
}

// state is the [Split] right after a row, with the totals of the peer account included in it.
type state struct {
	Split

	peerTotals Totals
	newestRow  uint64 // timestamp of the newest row included; 0: no row
}

// initialState returns the state of a new account.
func initialState() state { return state{Split: Split{new(big.Int), new(big.Int)}} }

func (s *state) cloneState() state { return state{s.cloneSplit(), s.peerTotals, s.newestRow} }

// applyPackets adds the amounts earned and sent by packets until the peer account had these totals.
func (s *state) applyPackets(to Totals) error {
	if !to.NotBefore(s.peerTotals) {
		return fmt.Errorf("%w: its account went from %v back to %v after the row of %d", ErrRows, s.peerTotals, to, s.newestRow)
	}
	s.applyEarned(amountGrowth(to.Credits, s.peerTotals.Credits))
	s.applySent(amountGrowth(to.Debits, s.peerTotals.Debits))
	s.peerTotals = to
	return nil
}

// applyRow adds a row.
func (s *state) applyRow(r *row) error {
	switch {
	case r.onPeer:
		if err := s.applyPackets(r.totalsBefore()); err != nil {
			return err
		}
	case r.classifyEvent() == eventIn || r.classifyEvent() == eventOut:
		if err := s.applyPackets(r.totals); err != nil {
			return err
		}
	}
	amount := r.Amount.Big()
	switch r.classifyEvent() {
	case eventIn:
		s.applyIn(amount)
	case eventOut:
		s.applyOut(amount)
	case eventSend:
		s.applySent(amount)
	case eventNone:
	}
	if r.onPeer {
		s.peerTotals = r.totals
	}
	s.newestRow = r.Timestamp
	return nil
}
