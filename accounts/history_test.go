package accounts_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

var historyScenarios = []scenario{{"history of a peer", testHistory}}

// On every ledger: the last point is the balance, the first is empty, and a point between has what was booked before it.
func testHistory(t *testing.T, l ledger.Ledger) {
	book := newBook(t, l)
	alice := provision(t, book, 1000, "alice", "bob")
	movePacket(t, l, alice[1].ID(), alice[0].ID(), 40, 0)
	between := newestTime(t, l, alice[0]).Add(1)
	movePacket(t, l, alice[0].ID(), alice[1].ID(), 70, 0)
	hold := movePacket(t, l, alice[0].ID(), alice[1].ID(), 5, ledger.TransferPending)
	after := newestTime(t, l, alice[0]).Add(time.Hour)
	got, err := book.History(t.Context(), alice[0], accounts.HistoryQuery{To: after, Steps: 1})
	require.NoError(t, err)
	require.Len(t, got.Points, 2)
	require.Zero(t, got.Points[0].Position.Sign())
	require.Zero(t, got.Points[0].CreditLine)
	last := got.Points[1]
	require.Equal(t, after, last.Time)
	requireSamePoint(t, pointOf(balance(t, book, alice[0])), last)
	require.Equal(t, units(5), last.HeldIn)

	got, err = book.History(t.Context(), alice[0], accounts.HistoryQuery{From: between, To: after, Step: 40 * time.Minute})
	require.NoError(t, err)
	require.Equal(t, int64(40), got.Points[0].Position.Int64())
	got, err = book.History(t.Context(), alice[0], accounts.HistoryQuery{From: between.Add(-1), To: between, Steps: 1})
	require.NoError(t, err)
	require.Zero(t, got.Points[0].Position.Sign(), "a point leaves out what was booked at its time")
	got, err = book.History(t.Context(), alice[0], accounts.HistoryQuery{From: between, To: after, Step: 40 * time.Minute})
	require.NoError(t, err)
	require.Equal(t, between.Add(40*time.Minute), got.Points[1].Time)
	require.Equal(t, after, got.Points[2].Time, "the last step is shorter")
	resolveHold(t, l, hold, ledger.TransferVoidPending)
}

// newestTime returns the time of the newest row of an account.
func newestTime(t *testing.T, l ledger.Ledger, a accounts.PeerAccount) time.Time {
	t.Helper()
	rows, err := l.GetAccountTransfers(t.Context(), ledger.AccountFilter{
		AccountID: a.ID(), Limit: 1, Flags: ledger.AccountFilterDebits | ledger.AccountFilterCredits | ledger.AccountFilterReversed,
	})
	require.NoError(t, err)
	return time.Unix(0, int64(rows[0].Timestamp)).UTC()
}

func pointOf(b accounts.Balance) accounts.HistoryPoint {
	return accounts.HistoryPoint{
		Position: b.Position(), CreditLine: b.CreditLine, Arrears: b.Arrears, HeldIn: b.HeldIn, HeldOut: b.HeldOut, Settling: b.Settling,
	}
}

// requireSamePoint compares two points, without their times.
func requireSamePoint(t *testing.T, want, got accounts.HistoryPoint, about ...any) {
	t.Helper()
	want.Time, got.Time = time.Time{}, time.Time{}
	require.Equal(t, fmt.Sprint(want), fmt.Sprint(got), about...)
}

// historyModel notes the balance after each row of a peer.
type historyModel struct {
	*holdsModel
	moments []time.Time
	states  []accounts.HistoryPoint
}

// change books something: a packet, a hold, an order, a change of the line, a payment, or arrears and their collection.
func (m *historyModel) change() {
	alice, ctx := m.peers[0], m.t.Context()
	m.next++
	switch m.random.IntN(6) {
	case 0:
		_, err := m.book.ExtendCredit(ctx, alice, units(1+m.random.Uint64N(100)))
		require.NoError(m.t, err)
	case 1:
		_, err := m.book.Adjust(ctx, accounts.Adjustment{
			Account: alice, Key: fmt.Sprint(m.next), Debit: units(m.random.Uint64N(1<<39) + 1), ReasonCode: 1, BeyondHeadroom: true,
		})
		require.NoError(m.t, err)
	case 2:
		m.create(m.leg(chart.CodeIncoming, m.book.PeerIDs(alice).Settlement, alice.ID(), m.random.Uint64N(1000), 0, 0))
	default:
		if balance(m.t, m.book, alice).Headroom.Less(units(10_000)) { // so that packets can be held
			m.create(m.leg(chart.CodeIncoming, m.book.PeerIDs(alice).Settlement, alice.ID(), 1<<40, 0, 0))
			m.note()
		}
		m.step()
	}
	m.note()
}

// note notes the balance if a row was written.
func (m *historyModel) note() {
	alice := m.peers[0]
	newest := newestTime(m.t, m.Ledger, alice)
	if n := len(m.moments); n == 0 || m.moments[n-1] != newest {
		m.moments = append(m.moments, newest)
		m.states = append(m.states, pointOf(balance(m.t, m.book, alice)))
	}
}

// wanted returns the state before a moment.
func (m *historyModel) wanted(at time.Time) (state accounts.HistoryPoint, known bool) {
	i, _ := slices.BinarySearchFunc(m.moments, at, time.Time.Compare)
	if i == 0 {
		return state, false
	}
	return m.states[i-1], true
}

// For any bookings, and any periods and steps: each point is the balance right before its time.
func TestHistoryAgainstAModel(t *testing.T) {
	t.Parallel()
	seed := ledgertest.Seed(t)
	compared, arrears := 0, 0
	for program := range uint64(20) {
		m := historyModel{holdsModel: newHoldsModel(t, seed, program, false)}
		m.ends = program%2 == 1
		for range 80 {
			m.now = m.now.Add(time.Duration(1 + m.random.IntN(2_000_000_000)))
			m.change()
		}
		began, span := m.moments[0], m.now.Sub(m.moments[0])
		for range 10 {
			query := accounts.HistoryQuery{From: began.Add(time.Duration(m.random.Int64N(int64(span)))), Steps: 1 + m.random.IntN(60)}
			query.To = query.From.Add(time.Duration(1 + m.random.Int64N(int64(span))))
			if m.random.IntN(2) == 0 { // right after a row
				query.To = m.moments[m.random.IntN(len(m.moments))].Add(1)
			}
			if query.Steps > 40 {
				query.Step, query.Steps = span/1000+time.Duration(m.random.Int64N(int64(span)/20)), 0
			}
			if !query.From.Before(query.To) {
				continue
			}
			got, err := m.book.History(t.Context(), m.peers[0], query)
			require.NoError(t, err)
			require.Equal(t, query.From, got.Points[0].Time)
			require.Equal(t, query.To, got.Points[len(got.Points)-1].Time)
			for i, p := range got.Points {
				want, known := m.wanted(p.Time)
				if !known {
					continue
				}
				if m.ends { // an expired hold counts until a booking after the ledger has released it
					require.False(t, p.HeldIn.Less(want.HeldIn) || p.HeldOut.Less(want.HeldOut))
					p.HeldIn, p.HeldOut = want.HeldIn, want.HeldOut
				}
				requireSamePoint(t, want, p, "program %d, %+v, point %d", program, query, i)
				compared++
				arrears += countOf(!p.Arrears.IsZero())
			}
		}
		require.NoError(t, m.Close())
	}
	require.Greater(t, compared, 500)
	require.NotZero(t, arrears)
}

// A quiet peer costs few requests, whatever the number of steps.
func TestHistoryOfAQuietPeer(t *testing.T) {
	t.Parallel()
	m := newHoldsModel(t, 1, 1, false)
	counted := &balanceCounter{Ledger: m}
	book, err := accounts.NewBook(counted, accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	got, err := book.History(t.Context(), m.peers[0], accounts.HistoryQuery{To: m.now.Add(time.Hour), Steps: accounts.MaxHistorySteps})
	require.NoError(t, err)
	require.Len(t, got.Points, accounts.MaxHistorySteps+1)
	require.LessOrEqual(t, counted.requests, 12)
}

func TestHistoryRefusesAQuery(t *testing.T) {
	t.Parallel()
	m := newHoldsModel(t, 1, 1, false)
	now := m.now
	for field, list := range map[string][]accounts.HistoryQuery{
		"To":    {{From: now, To: now}, {From: now, To: now.Add(-1)}},
		"Step":  {{From: now, To: now.Add(time.Hour), Step: -1}, {From: now, To: now.Add(10_001 * time.Second), Step: time.Second}},
		"Steps": {{From: now, To: now.Add(1), Steps: -1}, {From: now, To: now.Add(1), Steps: accounts.MaxHistorySteps + 1}, {From: now, To: now.Add(1), Step: 1, Steps: 1}},
		"From":  {{From: time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), To: now}},
	} {
		for _, query := range list {
			_, err := m.book.History(t.Context(), m.peers[0], query)
			requireField(t, err, field)
		}
	}
	_, err := m.book.History(t.Context(), m.peers[0], accounts.HistoryQuery{From: now, To: now.Add(10_000 * time.Second), Step: time.Second})
	require.NoError(t, err)
	carol, err := m.book.PeerAccount("carol", usd)
	require.NoError(t, err)
	_, err = m.book.History(t.Context(), carol, accounts.HistoryQuery{})
	require.ErrorIs(t, err, accounts.ErrNotProvisioned)
	without := newHoldsModel(t, 1, 1, true)
	_, err = without.book.History(t.Context(), without.peers[0], accounts.HistoryQuery{})
	require.ErrorIs(t, err, accounts.ErrNoHistory)
}

// balanceCounter counts the requests for balances of the past.
type balanceCounter struct {
	ledger.Ledger
	requests int
}

func (l *balanceCounter) GetAccountBalances(ctx context.Context, f ledger.AccountFilter) ([]ledger.AccountBalance, error) {
	l.requests++
	return l.Ledger.GetAccountBalances(ctx, f)
}
