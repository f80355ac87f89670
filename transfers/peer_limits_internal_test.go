package transfers

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// limitsOp is an operation in a direction of a peer, with the event numbers at which it was
// sent and answered; 0: not yet.
type limitsOp struct {
	kind               Kind
	direction          direction
	amount             int64
	sentAt, answeredAt int
	effect             answerEffect
}

// limitsModel keeps every single operation, where peerLimits keeps sums.
type limitsModel struct {
	limits     *peerLimits
	ops        []*limitsOp
	now        int
	readStart  int // when the read of balance began
	readEnd    int // when the read of balance ended
	balance    accounts.Balance
	wasUnknown bool // an operation was in flight at the last read
}

// unanswered returns the operations without an answer.
func (m *limitsModel) unanswered() (open []*limitsOp) {
	for _, o := range m.ops {
		if o.answeredAt == 0 {
			open = append(open, o)
		}
	}
	return open
}

// sumAmounts adds up the amounts of the operations selected by counts.
func (m *limitsModel) sumAmounts(s direction, counts func(*limitsOp) bool) (total int64) {
	for _, o := range m.ops {
		if o.direction == s && counts(o) {
			total += o.amount
		}
	}
	return total
}

func isAdmitted(o *limitsOp) bool { return o.kind == KindPrepare || o.kind == KindForward }

// usedUp returns the amounts that use up a cap: admitted and not answered before the read,
// answered late fulfills, and unanswered fulfills.
func (m *limitsModel) usedUp(s direction) int64 {
	return m.sumAmounts(s, func(o *limitsOp) bool {
		late := o.kind == KindFulfill && s == outgoing && (o.answeredAt == 0 || o.effect.late && o.answeredAt > m.readStart)
		return isAdmitted(o) && (o.answeredAt == 0 || o.answeredAt > m.readStart) || late
	})
}

// freed returns the amounts no longer held: voided by rejects sent after the read, or never
// booked.
func (m *limitsModel) freed(s direction) int64 {
	return m.sumAmounts(s, func(o *limitsOp) bool {
		return o.kind == KindReject && o.sentAt > m.readEnd && o.answeredAt > 0 && o.effect.freesOwnHold ||
			isAdmitted(o) && o.answeredAt > m.readEnd && !o.effect.booked
	})
}

// posted returns the amounts posted in time by fulfills sent after the read.
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

// runStep sends or answers a random operation.
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

// refresh reads a random balance; busy runs steps during the read.
func (m *limitsModel) refresh(random *rand.Rand, busy bool) {
	needed, _ := m.limits.beginRead()
	if !needed {
		return
	}
	start := m.now
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
	m.readStart, m.readEnd = start, m.now
}

// compareLimits compares peerLimits with the model: used must be at least the model's, limit at
// most the model's. After a read with nothing in flight both are equal.
func (m *limitsModel) compareLimits(t *testing.T, quiet bool) {
	t.Helper()
	for name, f := range map[string]func() (used, limit int64, gotUsed, gotLimit ledger.Amount){
		"payable": func() (int64, int64, ledger.Amount, ledger.Amount) {
			used, limit := m.payable()
			return used, limit, m.limits.usedPayable(), m.limits.payableLimit()
		},
		"in flight": func() (int64, int64, ledger.Amount, ledger.Amount) {
			used, limit := m.inFlight()
			return used, limit, m.limits.usedInFlight(), m.limits.inFlightLimit()
		},
	} {
		used, limit, gotUsed, gotLimit := f()
		require.GreaterOrEqual(t, toInt64(gotUsed), used, name)
		require.LessOrEqual(t, toInt64(gotLimit), limit, name)
		if quiet {
			require.Equal(t, used, toInt64(gotUsed), name)
			require.Equal(t, limit, toInt64(gotLimit), name)
		}
	}
}

// TestPeerLimitsFollowTheirModel sends and answers random operations between reads.
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
				if !busy { // all operations are answered before the read
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

// checkLoaded of loaded limits does not change whether the next refresh reads the peer.
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

// A balance as old as maxAge is not stale yet: a refused packet is refused at once, without another read.
func TestBalanceIsStaleBeyondMaxAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &peerLimits{capped: true, readAt: time.Now()}
		time.Sleep(time.Second) //nolint:forbidigo // virtual time
		require.False(t, l.isStale(time.Second))
		time.Sleep(time.Nanosecond) //nolint:forbidigo // virtual time
		require.True(t, l.isStale(time.Second))
	})
}
