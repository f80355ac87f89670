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

// limitsOp is one operation on a side of a peer, and when it was handed over and answered, by a
// count of events; 0: not yet.
type limitsOp struct {
	kind               Kind
	direction          direction
	amount             int64
	sentAt, answeredAt int
	effect             answerEffect
}

// limitsModel keeps every operation by itself, where a room has sums.
type limitsModel struct {
	limits     *peerLimits
	ops        []*limitsOp
	now        int
	readStart  int // when the look that balance is of began
	readEnd    int // and when it had ended
	balance    accounts.Balance
	wasUnknown bool // an operation was under way at the last look
}

// unanswered are the operations without an answer.
func (m *limitsModel) unanswered() (open []*limitsOp) {
	for _, o := range m.ops {
		if o.answeredAt == 0 {
			open = append(open, o)
		}
	}
	return open
}

// sumAmounts adds up the operations that count.
func (m *limitsModel) sumAmounts(s direction, counts func(*limitsOp) bool) (total int64) {
	for _, o := range m.ops {
		if o.direction == s && counts(o) {
			total += o.amount
		}
	}
	return total
}

func isAdmitted(o *limitsOp) bool { return o.kind == KindPrepare || o.kind == KindForward }

// usedUp are what makes the room smaller: let in, and not answered before the look; late
// fulfills when they are answered, and all that may be late.
func (m *limitsModel) usedUp(s direction) int64 {
	return m.sumAmounts(s, func(o *limitsOp) bool {
		late := o.kind == KindFulfill && s == outgoing && (o.answeredAt == 0 || o.effect.late && o.answeredAt > m.readStart)
		return isAdmitted(o) && (o.answeredAt == 0 || o.answeredAt > m.readStart) || late
	})
}

// freed is what is held no more: given back by what was handed over after the look, or never
// held.
func (m *limitsModel) freed(s direction) int64 {
	return m.sumAmounts(s, func(o *limitsOp) bool {
		return o.kind == KindReject && o.sentAt > m.readEnd && o.answeredAt > 0 && o.effect.freesOwnHold ||
			isAdmitted(o) && o.answeredAt > m.readEnd && !o.effect.booked
	})
}

// posted is what fulfills in time have posted that were handed over after the look.
func (m *limitsModel) posted(s direction) int64 {
	return m.sumAmounts(s, func(o *limitsOp) bool {
		return o.kind == KindFulfill && o.sentAt > m.readEnd && o.answeredAt > 0 && o.effect.freesOwnHold
	})
}

func (m *limitsModel) payable() (used, limit int64) {
	b := &m.balance
	used = toInt64(b.Payable) + toInt64(b.HeldOut) + m.usedUp(outgoing) - m.freed(outgoing)
	return max(0, used), toInt64(m.limits.limits.PayableCap) + toInt64(b.Receivable) + m.posted(incoming)
}

func (m *limitsModel) inFlight() (used, limit int64) {
	b := &m.balance
	used = max(0, toInt64(b.HeldIn)+m.usedUp(incoming)-m.freed(incoming)-m.posted(incoming))
	spent := m.sumAmounts(incoming, func(o *limitsOp) bool {
		return o.kind == KindFulfill && (o.answeredAt == 0 || o.answeredAt > m.readStart && o.effect.booked)
	})
	own := toInt64(b.Payable) + m.posted(outgoing) - toInt64(b.Receivable) - toInt64(b.Settling) - spent
	return used, toInt64(m.limits.inFlightCap) + max(0, own)
}

func toInt64(a ledger.Amount) int64 {
	n, _ := a.Uint64()
	return int64(n)
}

// runStep does something at random.
func (m *limitsModel) runStep(random *rand.Rand) {
	m.now++
	if open := m.unanswered(); len(open) > 0 && random.IntN(2) == 0 {
		m.answerOp(open[random.IntN(len(open))], random)
		return
	}
	o := &limitsOp{
		kind: KindPrepare + Kind(random.IntN(4)), direction: direction(random.IntN(2)), amount: 1 + random.Int64N(50), sentAt: m.now,
	}
	amount := ledger.NewAmount(uint64(o.amount))
	if o.kind != KindPrepare {
		m.limits.recordSent(o.kind, amount, o.direction)
	} else if m.limits.reserveAmount(amount, o.direction) != nil {
		return
	}
	m.ops = append(m.ops, o)
}

func (m *limitsModel) answerOp(o *limitsOp, random *rand.Rand) {
	o.answeredAt = m.now
	o.effect.booked = random.IntN(4) > 0
	if o.kind == KindFulfill && o.effect.booked {
		o.effect.late = random.IntN(3) == 0
	}
	o.effect.freesOwnHold = o.effect.booked && !o.effect.late && random.IntN(4) > 0 && !isAdmitted(o)
	m.limits.recordAnswered(o.kind, ledger.NewAmount(uint64(o.amount)), o.direction, o.effect)
}

// refresh looks, with operations under way while it does if there are to be some. What the
// balance is makes no difference to what is counted besides.
func (m *limitsModel) refresh(random *rand.Rand, busy bool) {
	needed, _ := m.limits.beginRead()
	if !needed {
		return
	}
	begun := m.now
	m.now++
	for range random.IntN(4) {
		if busy {
			m.runStep(random)
		}
	}
	some := func() ledger.Amount { return ledger.NewAmount(random.Uint64N(300)) }
	m.balance = accounts.Balance{
		Payable: some(), HeldIn: some(), HeldOut: some(), Receivable: some(), Settling: some(), CreditLine: ledger.NewAmount(1001),
	}
	m.wasUnknown = len(m.unanswered()) > 0
	m.limits.endRead(m.balance, nil)
	m.readStart, m.readEnd = begun, m.now
}

// compareLimits compares the room with the model. It must never be larger than the model's, and is the
// same after a look at which nothing was under way.
func (m *limitsModel) compareLimits(t *testing.T, quiet bool) {
	t.Helper()
	for name, f := range map[string]func() (used, limit int64, roomUsed, roomLimit ledger.Amount){
		"payable": func() (int64, int64, ledger.Amount, ledger.Amount) {
			used, limit := m.payable()
			return used, limit, m.limits.usedPayable(), m.limits.payableLimit()
		},
		"held": func() (int64, int64, ledger.Amount, ledger.Amount) {
			used, limit := m.inFlight()
			return used, limit, m.limits.usedInFlight(), m.limits.inFlightLimit()
		},
	} {
		used, limit, roomUsed, roomLimit := f()
		require.GreaterOrEqual(t, toInt64(roomUsed), used, name)
		require.LessOrEqual(t, toInt64(roomLimit), limit, name)
		if quiet {
			require.Equal(t, used, toInt64(roomUsed), name)
			require.Equal(t, limit, toInt64(roomLimit), name)
		}
	}
}

// TestPeerLimitsFollowTheirModel lets operations come and be answered at random between looks.
func TestPeerLimitsFollowTheirModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 5))
			busy := seed%2 == 1
			m := &limitsModel{limits: &peerLimits{capped: true, limits: accounts.EffectiveLimits{
				PayableCapped: true, PayableCap: ledger.NewAmount(5000), InFlightCapped: true, InFlightShare: decimal.New(5, -1),
			}}}
			require.ErrorIs(t, m.limits.reserveAmount(ledger.NewAmount(1), incoming), ErrLimitsNotLoaded)
			m.refresh(random, false)
			require.Equal(t, ledger.NewAmount(500), m.limits.inFlightCap)
			for range 6 {
				for range random.IntN(40) {
					m.runStep(random)
					m.compareLimits(t, !m.wasUnknown && !busy)
				}
				if !busy { // all is answered before the look
					for _, o := range m.unanswered() {
						m.now++
						m.answerOp(o, random)
					}
				}
				m.now++
				m.refresh(random, busy)
				m.compareLimits(t, !m.wasUnknown && !busy)
			}
		})
	}
}

// Whoever asks for the state of a peer that was looked at changes nothing about the next look: it is
// made if somebody has asked for room, else not.
func TestLoadedLimitsRequestNoRead(t *testing.T) {
	t.Parallel()
	r := &peerLimits{capped: true, readAt: time.Now()}
	for _, active := range []bool{true, false} {
		r.needsRead = active
		known, err := r.checkLoaded()
		require.NoError(t, err)
		require.True(t, known)
		needed, _ := r.beginRead()
		require.Equal(t, active, needed)
	}
}
