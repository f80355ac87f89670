package settlement_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// unitModel models a peer's balance by counting single units. Each unit that we owe the peer was earned or prepaid;
// each unit that the peer owes us is owed. The model gets events and never a row of the ledger: it shares neither
// the product's arithmetic nor its reading of rows, so both must be right to agree.
//
// A peer with owed units has no other units, because each event first cancels units of the opposite kind.
type unitModel struct {
	earned, prepaid, owed int64
}

// position is the amount we owe the peer; below 0 the amount the peer owes us.
func (u *unitModel) position() int64 { return u.earned + u.prepaid - u.owed }

// net is the position less the prepaid units.
func (u *unitModel) net() int64 { return u.earned - u.owed }

// addEarned adds n units earned by packets to the peer. Each first cancels an owed unit.
func (u *unitModel) addEarned(n int64) {
	for range n {
		u.addUnit(&u.earned)
	}
}

// addPaidIn adds n units paid by the peer, or credited. Each first cancels an owed unit.
func (u *unitModel) addPaidIn(n int64) {
	for range n {
		u.addUnit(&u.prepaid)
	}
}

func (u *unitModel) addUnit(kind *int64) {
	if u.owed > 0 {
		u.owed--
	} else {
		*kind++
	}
}

// addSent removes n units spent by packets from the peer: prepaid units first.
func (u *unitModel) addSent(n int64) {
	for range n {
		u.takeUnit(&u.prepaid, &u.earned)
	}
}

// addPaidOut removes n units paid to the peer: earned units first.
func (u *unitModel) addPaidOut(n int64) {
	for range n {
		u.takeUnit(&u.earned, &u.prepaid)
	}
}

func (u *unitModel) takeUnit(first, then *int64) {
	switch {
	case *first > 0:
		*first--
	case *then > 0:
		*then--
	default:
		u.owed++
	}
}

// clamp is the map p -> min(hi, max(lo, p + d)). Every event maps the prepaid part of a position by a clamp, and
// clamps compose to a clamp.
type clamp struct{ d, lo, hi int64 }

const farAmount = int64(1) << 40

func (c clamp) apply(p int64) int64 { return min(c.hi, max(c.lo, p+c.d)) }

// compose is the map of c followed by g.
func (c clamp) compose(g clamp) clamp { return clamp{c.d + g.d, g.apply(c.lo), g.apply(c.hi)} }

// TestMoneyTruth compares the unitModel with clamps, which have amounts and no units. Packets between two payments
// also run in reverse order.
func TestMoneyTruth(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(ledgertest.Seed(t), 0))
	for range 2000 {
		var one, other unitModel // other gets the packets between two payments in reverse
		var packets []func()
		prepaid, position := clamp{0, -farAmount, farAmount}, int64(0)
		for range random.IntN(30) {
			n := random.Int64N(50)
			kind := random.IntN(4)
			if kind > 1 {
				for _, book := range slices.Backward(packets) {
					book()
				}
				packets = nil
				require.Equal(t, one, other)
			}
			switch kind {
			case 0:
				one.addEarned(n)
				packets = append(packets, func() { other.addEarned(n) })
				position += n
			case 1:
				one.addSent(n)
				packets = append(packets, func() { other.addSent(n) })
				prepaid = prepaid.compose(clamp{-n, 0, farAmount})
				position -= n
			case 2:
				one.addPaidIn(n)
				other.addPaidIn(n)
				prepaid = prepaid.compose(clamp{n + min(0, position), 0, farAmount})
				position += n
			case 3:
				one.addPaidOut(n)
				other.addPaidOut(n)
				position -= n
				prepaid = prepaid.compose(clamp{0, 0, max(0, position)})
			}
			require.Equal(t, position, one.position())
			require.Equal(t, prepaid.apply(0), one.prepaid)
			require.True(t, one.owed == 0 || one.earned == 0 && one.prepaid == 0)
		}
	}
}
