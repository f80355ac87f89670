package settlement_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// unitModel says whose money a peer's is by counting single units. Each unit that we owe the
// peer is one that packets earned it or one that it prepaid; each unit that it owes us is
// owed. It is told what happened, and never sees a row of the ledger: it shares neither the
// product's arithmetic of amounts nor its reading of rows, so that both must be right to agree.
//
// A peer that owes something has no unit with us, since each event takes a unit from the
// other side first.
type unitModel struct {
	earned, prepaid, owed int64
}

// position is what we owe the peer; below 0 what it owes us.
func (u *unitModel) position() int64 { return u.earned + u.prepaid - u.owed }

// net is the position less what is prepaid.
func (u *unitModel) net() int64 { return u.earned - u.owed }

// addEarned is n units that packets to the peer earned it: each cancels one that it owes.
func (u *unitModel) addEarned(n int64) {
	for range n {
		u.addUnit(&u.earned)
	}
}

// addPaidIn is n units that the peer paid, or was credited: each cancels one that it owes.
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

// addSent is n units that packets from the peer cost it: prepaid ones go first.
func (u *unitModel) addSent(n int64) {
	for range n {
		u.takeUnit(&u.prepaid, &u.earned)
	}
}

// addPaidOut is n units that were paid to the peer: earned ones go first.
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

// clamp is the map p -> min(hi, max(lo, p + d)). What an event does to the prepaid part of a
// position is such a map, and the maps compose to such a map.
type clamp struct{ d, lo, hi int64 }

const farAmount = int64(1) << 40

func (c clamp) apply(p int64) int64 { return min(c.hi, max(c.lo, p+c.d)) }

// compose is the map that does c and then g.
func (c clamp) compose(g clamp) clamp { return clamp{c.d + g.d, g.apply(c.lo), g.apply(c.hi)} }

// TestMoneyTruth holds the truth against those maps, which know amounts and no units, and
// has packets come in another order between two payments.
func TestMoneyTruth(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(ledgertest.Seed(t), 0))
	for range 2000 {
		var one, other unitModel // other has the packets between two payments in reverse
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
