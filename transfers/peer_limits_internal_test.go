package transfers

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// roomOp is one operation on a side of a peer, and when it was handed over and answered, by a
// count of events; 0: not yet.
type roomOp struct {
	kind             Kind
	side             direction
	amount           int64
	handed, answered int
	became           answerEffect
}

// roomModel keeps every operation by itself, where a room has sums.
type roomModel struct {
	room       *peerLimits
	ops        []*roomOp
	now        int
	begun      int // when the look that balance is of began
	looked     int // and when it had ended
	balance    accounts.Balance
	wasUnknown bool // an operation was under way at the last look
}

// underWay are the operations without an answer.
func (m *roomModel) underWay() (open []*roomOp) {
	for _, o := range m.ops {
		if o.answered == 0 {
			open = append(open, o)
		}
	}
	return open
}

// sum adds up the operations that count.
func (m *roomModel) sum(s direction, counts func(*roomOp) bool) (total int64) {
	for _, o := range m.ops {
		if o.side == s && counts(o) {
			total += o.amount
		}
	}
	return total
}

func letIn(o *roomOp) bool { return o.kind == KindPrepare || o.kind == KindForward }

// smaller are what makes the room smaller: let in, and not answered before the look; late
// fulfills when they are answered, and all that may be late.
func (m *roomModel) smaller(s direction) int64 {
	return m.sum(s, func(o *roomOp) bool {
		late := o.kind == KindFulfill && s == outgoing && (o.answered == 0 || o.became.late && o.answered > m.begun)
		return letIn(o) && (o.answered == 0 || o.answered > m.begun) || late
	})
}

// given is what is held no more: given back by what was handed over after the look, or never
// held.
func (m *roomModel) given(s direction) int64 {
	return m.sum(s, func(o *roomOp) bool {
		return o.kind == KindReject && o.handed > m.looked && o.answered > 0 && o.became.freesOwnHold ||
			letIn(o) && o.answered > m.looked && !o.became.booked
	})
}

// posted is what fulfills in time have posted that were handed over after the look.
func (m *roomModel) posted(s direction) int64 {
	return m.sum(s, func(o *roomOp) bool {
		return o.kind == KindFulfill && o.handed > m.looked && o.answered > 0 && o.became.freesOwnHold
	})
}

func (m *roomModel) payable() (used, limit int64) {
	b := &m.balance
	used = whole(b.Payable) + whole(b.HeldOut) + m.smaller(outgoing) - m.given(outgoing)
	return max(0, used), whole(m.room.limits.PayableCap) + whole(b.Receivable) + m.posted(incoming)
}

func (m *roomModel) held() (used, limit int64) {
	b := &m.balance
	used = max(0, whole(b.HeldIn)+m.smaller(incoming)-m.given(incoming)-m.posted(incoming))
	spent := m.sum(incoming, func(o *roomOp) bool {
		return o.kind == KindFulfill && (o.answered == 0 || o.answered > m.begun && o.became.booked)
	})
	own := whole(b.Payable) + m.posted(outgoing) - whole(b.Receivable) - whole(b.Settling) - spent
	return used, whole(m.room.inFlightCap) + max(0, own)
}

func whole(a ledger.Amount) int64 {
	n, _ := a.Uint64()
	return int64(n)
}

// step does something at random.
func (m *roomModel) step(random *rand.Rand) {
	m.now++
	if open := m.underWay(); len(open) > 0 && random.IntN(2) == 0 {
		m.answer(open[random.IntN(len(open))], random)
		return
	}
	o := &roomOp{
		kind: KindPrepare + Kind(random.IntN(4)), side: direction(random.IntN(2)), amount: 1 + random.Int64N(50), handed: m.now,
	}
	amount := ledger.NewAmount(uint64(o.amount))
	if o.kind != KindPrepare {
		m.room.recordSent(o.kind, amount, o.side)
	} else if m.room.reserveAmount(amount, o.side) != nil {
		return
	}
	m.ops = append(m.ops, o)
}

func (m *roomModel) answer(o *roomOp, random *rand.Rand) {
	o.answered = m.now
	o.became.booked = random.IntN(4) > 0
	if o.kind == KindFulfill && o.became.booked {
		o.became.late = random.IntN(3) == 0
	}
	o.became.freesOwnHold = o.became.booked && !o.became.late && random.IntN(4) > 0 && !letIn(o)
	m.room.recordAnswered(o.kind, ledger.NewAmount(uint64(o.amount)), o.side, o.became)
}

// look looks, with operations under way while it does if there are to be some. What the
// balance is makes no difference to what is counted besides.
func (m *roomModel) look(random *rand.Rand, busy bool) {
	needed, _ := m.room.beginRefresh()
	if !needed {
		return
	}
	begun := m.now
	m.now++
	for range random.IntN(4) {
		if busy {
			m.step(random)
		}
	}
	some := func() ledger.Amount { return ledger.NewAmount(random.Uint64N(300)) }
	m.balance = accounts.Balance{
		Payable: some(), HeldIn: some(), HeldOut: some(), Receivable: some(), Settling: some(), CreditLine: ledger.NewAmount(1001),
	}
	m.wasUnknown = len(m.underWay()) > 0
	m.room.endRefresh(m.balance, nil)
	m.begun, m.looked = begun, m.now
}

// check compares the room with the model. It must never be larger than the model's, and is the
// same after a look at which nothing was under way.
func (m *roomModel) check(t *testing.T, quiet bool) {
	t.Helper()
	for name, f := range map[string]func() (used, limit int64, roomUsed, roomLimit ledger.Amount){
		"payable": func() (int64, int64, ledger.Amount, ledger.Amount) {
			used, limit := m.payable()
			return used, limit, m.room.usedPayable(), m.room.payableLimit()
		},
		"held": func() (int64, int64, ledger.Amount, ledger.Amount) {
			used, limit := m.held()
			return used, limit, m.room.usedInFlight(), m.room.inFlightLimit()
		},
	} {
		used, limit, roomUsed, roomLimit := f()
		require.GreaterOrEqual(t, whole(roomUsed), used, name)
		require.LessOrEqual(t, whole(roomLimit), limit, name)
		if quiet {
			require.Equal(t, used, whole(roomUsed), name)
			require.Equal(t, limit, whole(roomLimit), name)
		}
	}
}

// TestRoomFollowsItsModel lets operations come and be answered at random between looks.
func TestRoomFollowsItsModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 5))
			busy := seed%2 == 1
			m := &roomModel{room: &peerLimits{capped: true, limits: accounts.EffectiveLimits{
				PayableCapped: true, PayableCap: ledger.NewAmount(5000), InFlightCapped: true, InFlightShare: decimal.New(5, -1),
			}}}
			require.ErrorIs(t, m.room.reserveAmount(ledger.NewAmount(1), incoming), ErrLimitsNotLoaded)
			m.look(random, false)
			require.Equal(t, ledger.NewAmount(500), m.room.inFlightCap)
			for range 6 {
				for range random.IntN(40) {
					m.step(random)
					m.check(t, !m.wasUnknown && !busy)
				}
				if !busy { // all is answered before the look
					for _, o := range m.underWay() {
						m.now++
						m.answer(o, random)
					}
				}
				m.now++
				m.look(random, busy)
				m.check(t, !m.wasUnknown && !busy)
			}
		})
	}
}

// Whoever asks for the state of a peer that was looked at changes nothing about the next look: it is
// made if somebody has asked for room, else not.
func TestStateOfAKnownRoomAsksForNoLook(t *testing.T) {
	t.Parallel()
	r := &peerLimits{capped: true, refreshedAt: time.Now()}
	for _, active := range []bool{true, false} {
		r.usedSinceRefresh = active
		known, err := r.checkLoaded()
		require.NoError(t, err)
		require.True(t, known)
		needed, _ := r.beginRefresh()
		require.Equal(t, active, needed)
	}
}
