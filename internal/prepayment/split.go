package prepayment

import (
	"errors"
	"fmt"
	"math/big"
)

// ErrRows says that the rows of a peer do not explain its accounts: somebody books on them
// in a way that this package does not know.
var ErrRows = errors.New("the rows of the peer do not explain its accounts")

// Split is a position in its two parts: Net, which packets earned (above 0) or which the
// peer owes (below 0), and Prepaid, which is never below 0, and above 0 only if Net is not
// below 0. Their sum is the position.
type Split struct{ Net, Prepaid *big.Int }

func (s Split) clone() Split {
	return Split{new(big.Int).Set(s.Net), new(big.Int).Set(s.Prepaid)}
}

func (s Split) equal(other Split) bool {
	return s.Net.Cmp(other.Net) == 0 && s.Prepaid.Cmp(other.Prepaid) == 0
}

// The four kinds of events. They change the Split in place.

func (s Split) earn(a *big.Int) { s.Net.Add(s.Net, a) }

// send uses the prepayment first.
func (s Split) send(a *big.Int) {
	used := smaller(s.Prepaid, a)
	s.Prepaid.Sub(s.Prepaid, used)
	s.Net.Sub(s.Net, new(big.Int).Sub(a, used))
}

// in pays down what the peer owes first.
func (s Split) in(a *big.Int) {
	owed := new(big.Int).Neg(s.Net)
	if owed.Sign() < 0 {
		owed.SetInt64(0)
	}
	down := new(big.Int).Set(smaller(owed, a))
	s.Net.Add(s.Net, down)
	s.Prepaid.Add(s.Prepaid, new(big.Int).Sub(a, down))
}

// out pays what was earned first.
func (s Split) out(a *big.Int) {
	s.Net.Sub(s.Net, a)
	if s.Net.Sign() < 0 {
		covered := new(big.Int).Set(smaller(s.Prepaid, new(big.Int).Neg(s.Net)))
		s.Prepaid.Sub(s.Prepaid, covered)
		s.Net.Add(s.Net, covered)
	}
}

func smaller(a, b *big.Int) *big.Int {
	if a.Cmp(b) < 0 {
		return new(big.Int).Set(a)
	}
	return new(big.Int).Set(b)
}

func larger(a, b *big.Int) *big.Int {
	if a.Cmp(b) > 0 {
		return a
	}
	return b
}

// state is the Split right after a row, and the totals of the peer account that are in it.
type state struct {
	Split

	peer Totals
	at   uint64 // timestamp of the newest row that is in it; 0: none
}

// beginning is the state of an account that was just made.
func beginning() state { return state{Split: Split{new(big.Int), new(big.Int)}} }

func (s *state) clone() state { return state{s.Split.clone(), s.peer, s.at} }

// grow takes in what packets earned and sent until the peer account had these totals.
func (s *state) grow(to Totals) error {
	if !to.NotBefore(s.peer) {
		return fmt.Errorf("%w: its account went from %v back to %v after the row of %d", ErrRows, s.peer, to, s.at)
	}
	s.earn(growth(to.Credits, s.peer.Credits))
	s.send(growth(to.Debits, s.peer.Debits))
	s.peer = to
	return nil
}

// take takes a row in.
func (s *state) take(r *row) error {
	switch {
	case r.onPeer:
		if err := s.grow(r.before()); err != nil {
			return err
		}
	case r.kind() == eventIn || r.kind() == eventOut:
		if err := s.grow(r.totals); err != nil {
			return err
		}
	}
	amount := r.Amount.Big()
	switch r.kind() {
	case eventIn:
		s.in(amount)
	case eventOut:
		s.out(amount)
	case eventSend:
		s.send(amount)
	case eventNone:
	}
	if r.onPeer {
		s.peer = r.totals
	}
	s.at = r.Timestamp
	return nil
}
