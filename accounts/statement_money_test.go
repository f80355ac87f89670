package accounts_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// arrearsLeg makes a leg on the arrears of the first peer instead of its account.
func (m *statementModel) arrearsLeg(code uint16, other ledger.ID, amount int64, of uint64) ledger.Transfer {
	row, arrears := m.leg(code, other, amount, of), m.book.PeerIDs(m.peers[0]).Arrears
	if amount < 0 {
		row.DebitAccountID = arrears
	} else {
		row.CreditAccountID = arrears
	}
	return row
}

// collection charges the first peer for its arrears, as far as its account has headroom.
func (m *statementModel) collection() ledger.Transfer {
	row := m.arrearsLeg(chart.CodeCollection, m.peers[0].ID(), 1, 0)
	row.Amount, row.Flags = ledger.AmountMax, ledger.TransferBalancingDebit|ledger.TransferBalancingCredit
	return row
}

// linked creates rows as one chain.
func (m *statementModel) linked(rows ...ledger.Transfer) {
	m.t.Helper()
	for i := range rows[:len(rows)-1] {
		rows[i].Flags |= ledger.TransferLinked
	}
	m.create(rows...)
}

// order makes the hold of an order, and its full post.
func (m *statementModel) order(amount int64, of uint64) (order, post ledger.Transfer) {
	m.t.Helper()
	order = m.leg(chart.CodeOrder, m.book.PeerIDs(m.peers[0]).Settlement, -amount, of)
	order.Flags = ledger.TransferPending
	m.create(order)
	m.holds++
	return order, ledger.Transfer{ID: randomID(), PendingID: order.ID, Amount: ledger.AmountMax, Flags: ledger.TransferPostPending}
}

// moneyStep books one event about arrears, or a booking by hand.
func (m *statementModel) moneyStep(amount int64, of uint64) {
	m.t.Helper()
	ids := m.book.PeerIDs(m.peers[0])
	switch m.random.IntN(10) {
	case 0: // the rail pays more than the order
		order, post := m.order(amount, of)
		excess := m.arrearsLeg(chart.CodeOverpaid, ids.Settlement, -2*amount, of)
		excess.UserData128 = uint128.Uint128(order.ID)
		m.linked(excess, post, m.collection())
		m.expect(accounts.EntrySettlement, -2*amount, "settlement")
		m.expect(accounts.EntrySettlement, -amount, "settlement")
	case 1: // the same in an older version
		order, post := m.order(amount, of)
		paid, charged := m.leg(chart.CodeCorrection, ids.Settlement, 3, of), m.leg(chart.CodeCorrection, m.own.Suspense, -3, of)
		paid.DebitAccountID, paid.CreditAccountID = m.own.Suspense, ids.Settlement
		paid.UserData128, charged.UserData128 = uint128.Uint128(order.ID), uint128.Uint128(order.ID)
		m.linked(paid, post, charged)
		m.expect(accounts.EntrySettlement, -amount, "settlement")
		m.expect(accounts.EntrySettlement, -3, "suspense")
	case 2: // a payment comes back
		m.linked(m.arrearsLeg(chart.CodeReturned, ids.Settlement, -amount, of), m.collection())
		m.expect(accounts.EntryReturned, -amount, "settlement")
	case 3: // a payment of ours by hand, of now and of an older version
		m.linked(m.arrearsLeg(chart.CodeOutgoing, ids.Settlement, -amount, of), m.collection())
		m.create(m.leg(chart.CodeOutgoing, ids.Settlement, -amount, of))
		m.expect(accounts.EntryByHand, -amount, "settlement")
		m.expect(accounts.EntryByHand, -amount, "settlement")
	case 4: // a debit by hand, of a peer whose account is closed
		m.create(m.arrearsLeg(chart.CodeAdjust, m.own.Suspense, -amount, of))
		m.expect(accounts.EntryCorrection, -amount, "suspense")
	case 5: // a write-off of arrears
		owed := balance(m.t, m.book, m.peers[0]).Arrears
		row := m.arrearsLeg(chart.CodeAdjust, m.own.Suspense, 1, of)
		row.Amount, row.Flags = ledger.AmountMax, ledger.TransferBalancingCredit
		m.create(row)
		m.expect(accounts.EntryWriteOff, int64(owed.Lo), "suspense")
	case 6: // a write-off of ClosePeer
		row := m.leg(chart.CodeAdjust, m.own.Suspense, amount, of)
		row.UserData128 = uint128.Zero
		m.create(row)
		m.expect(accounts.EntryWriteOff, amount, "suspense")
	case 7: // a payment of a closed peer is released to the peer
		waits := m.leg(chart.CodeIncoming, m.own.Suspense, amount, of)
		waits.DebitAccountID, waits.CreditAccountID = ids.Settlement, m.own.Suspense
		back := m.leg(chart.CodeAdjust, m.own.Suspense, amount, of)
		back.UserData128 = uint128.Uint128(waits.ID)
		m.create(waits, back)
		m.expect(accounts.EntrySettlement, amount, "suspense")
	case 8: // a late fulfill from the peer, with a fee, and a late fulfill to the peer
		m.linked(m.arrearsLeg(chart.CodeCorrection, m.peers[1].ID(), -amount, of), m.arrearsLeg(chart.CodeCorrection, m.own.Revenue, -3, of), m.collection())
		m.expect(accounts.EntryCorrection, -amount, "peer bob")
		m.expect(accounts.EntryCorrection, -3, "revenue")
		m.create(m.leg(chart.CodeCorrection, m.book.PeerIDs(m.peers[1]).Arrears, amount, of+1))
		m.expect(accounts.EntryCorrection, amount, "peer bob")
	default: // a collection
		m.create(m.collection())
	}
}

// expected has the expected entries of a statement, for rows in order.
type expected []accounts.Entry

func (w *expected) addRow(row ledger.Transfer, e accounts.Entry) {
	e.Transfer, e.Code = row.ID, row.Code
	*w = append(*w, e)
}

// withoutName clears user data that would name a packet, and leaves a number that looks like a
// condition.
func withoutName(row ledger.Transfer) ledger.Transfer {
	row.UserData128, row.UserData64, row.UserData32 = uint128.Zero, 99, 7
	return row
}

// payMoney writes one payment of each kind, returned payments included.
func (m *statementModel) payMoney(want *expected) {
	m.t.Helper()
	ids := m.book.PeerIDs(m.peers[0])
	order, post := m.order(500, 1)
	excess := withoutName(m.arrearsLeg(chart.CodeOverpaid, ids.Settlement, -70, 1))
	excess.UserData128 = uint128.Uint128(order.ID)
	m.linked(excess, post, m.collection())
	post.Code = chart.CodeOrder
	want.addRow(excess, accounts.Entry{Kind: accounts.EntrySettlement, Order: order.ID, Direction: accounts.DirectionOut})
	want.addRow(post, accounts.Entry{Kind: accounts.EntrySettlement, Order: order.ID, Direction: accounts.DirectionOut})

	returned := withoutName(m.arrearsLeg(chart.CodeReturned, ids.Settlement, -11, 1))
	returned.UserData128 = uint128.New(1, 2) // the hash of a key
	byHand := withoutName(m.arrearsLeg(chart.CodeOutgoing, ids.Settlement, -12, 1))
	older := withoutName(m.leg(chart.CodeOutgoing, ids.Settlement, -13, 1))
	m.create(returned, byHand, older)
	want.addRow(returned, accounts.Entry{Kind: accounts.EntryReturned, Direction: accounts.DirectionOut, KeyHash: ledger.ID(returned.UserData128)})
	want.addRow(byHand, accounts.Entry{Kind: accounts.EntryByHand, Direction: accounts.DirectionOut})
	want.addRow(older, accounts.Entry{Kind: accounts.EntryByHand, Direction: accounts.DirectionOut})

	order, post = m.order(500, 1)
	beyond := withoutName(m.leg(chart.CodeCorrection, m.own.Suspense, -21, 1)) // of an older version
	beyond.UserData128 = uint128.Uint128(order.ID)
	m.linked(post, beyond)
	post.Code = chart.CodeOrder
	want.addRow(post, accounts.Entry{Kind: accounts.EntrySettlement, Order: order.ID, Direction: accounts.DirectionOut})
	want.addRow(beyond, accounts.Entry{Kind: accounts.EntrySettlement, Order: order.ID, Direction: accounts.DirectionOut})

	waits := m.leg(chart.CodeIncoming, m.own.Suspense, 20, 1)
	waits.DebitAccountID, waits.CreditAccountID = ids.Settlement, m.own.Suspense
	released := withoutName(m.leg(chart.CodeAdjust, m.own.Suspense, 20, 1))
	released.UserData128 = uint128.Uint128(waits.ID)
	m.create(waits, released)
	want.addRow(released, accounts.Entry{Kind: accounts.EntrySettlement, Direction: accounts.DirectionIn, KeyHash: ledger.ID(waits.UserData128)})
}

// correctMoney writes one correction and one write-off of each kind.
func (m *statementModel) correctMoney(want *expected) {
	m.t.Helper()
	const of = 5
	debit := m.arrearsLeg(chart.CodeAdjust, m.own.Suspense, -14, of)
	credit := m.leg(chart.CodeAdjust, m.own.Suspense, 15, of)
	arrears := m.arrearsLeg(chart.CodeAdjust, m.own.Suspense, 14, of) // written off under a key
	debit.UserData32, credit.UserData32, arrears.UserData32 = 7, 8, 9
	closing := withoutName(m.leg(chart.CodeAdjust, m.own.Suspense, 17, 1))
	m.create(debit, credit, arrears, closing)
	want.addRow(debit, accounts.Entry{Kind: accounts.EntryCorrection, ReasonCode: 7, ConditionTag: conditionTag(of << 32), KeyHash: ledger.ID(debit.UserData128)})
	want.addRow(credit, accounts.Entry{Kind: accounts.EntryCorrection, ReasonCode: 8, ConditionTag: conditionTag(of << 32), KeyHash: ledger.ID(credit.UserData128)})
	want.addRow(arrears, accounts.Entry{Kind: accounts.EntryWriteOff, ReasonCode: 9, KeyHash: ledger.ID(arrears.UserData128)})
	want.addRow(closing, accounts.Entry{Kind: accounts.EntryWriteOff, ReasonCode: 7})

	late, stray := m.arrearsLeg(chart.CodeCorrection, m.peers[1].ID(), -18, of), m.leg(chart.CodeCorrection, m.own.Suspense, -19, of)
	m.linked(late, m.collection())
	m.create(stray) // a late fulfill of an older version, which names a packet
	for _, row := range []ledger.Transfer{late, stray} {
		want.addRow(row, accounts.Entry{
			Kind: accounts.EntryCorrection, Late: true, Packet: ledger.ID(late.UserData128), ConditionTag: conditionTag(of << 32),
			Direction: accounts.DirectionIn,
		})
	}
}

// roundMoney writes what rounds book for the peer by corrections: a charge beyond its reservations,
// and the release of what the peer earned while closed.
func (m *statementModel) roundMoney(want *expected) {
	m.t.Helper()
	require.NoError(m.t, m.book.EnsureTransit(m.t.Context()))
	late := withoutName(m.arrearsLeg(chart.CodeCorrection, m.own.Transit, -30, 1))
	earned := withoutName(m.leg(chart.CodeCorrection, m.own.Suspense, 30, 1))
	earned.DebitAccountID, earned.CreditAccountID = m.own.Transit, m.own.Suspense
	earned.UserData128 = uint128.Uint128(m.peers[0].ID())
	m.linked(late, earned, m.collection())
	released := withoutName(m.leg(chart.CodeCorrection, m.own.Suspense, 30, 1))
	released.UserData128 = uint128.Uint128(earned.ID)
	m.create(released)
	want.addRow(late, accounts.Entry{Kind: accounts.EntryRound, Late: true, Direction: accounts.DirectionIn, Journal: 99, Round: 7})
	want.addRow(released, accounts.Entry{Kind: accounts.EntryCorrection, Direction: accounts.DirectionOut, Journal: 99, Round: 7})
}

// testStatementOfMoney checks all fields of the entries.
func testStatementOfMoney(t *testing.T, l ledger.Ledger) {
	c := newStatementModel(t, l, ledgertest.Seed(t), false)
	var want expected
	c.payMoney(&want)
	c.correctMoney(&want)
	c.roundMoney(&want)
	s := c.statement(time.Time{}, time.Time{}, accounts.WithPageSize(1+c.random.IntN(5)))
	got := collectEntries(t, s.Entries(t.Context()))[1:] // without the line
	require.Len(t, got, len(want))
	for i, e := range got {
		if i == len(want)-2 {
			require.Equal(t, "transit", e.Counterparty.String())
		}
		want[i].Time, want[i].Counterparty, want[i].Amount = e.Time, e.Counterparty, e.Amount
		want[i].Position, want[i].CreditLine, want[i].Arrears = e.Position, e.CreditLine, e.Arrears
		require.Equal(t, want[i], e, i)
	}
	require.Equal(t, balance(t, c.book, c.peers[0]).Position().String(), s.Closing.Position.String())
	require.Equal(t, units(70), got[0].Arrears, "before the collection")
	require.Equal(t, units(70), got[1].Arrears, "which comes behind the order")
	require.Equal(t, units(11), got[2].Arrears, "and is no entry")

	var text bytes.Buffer
	require.NoError(t, accounts.WriteJSON(t.Context(), &text, s))
	require.Contains(t, text.String(), `"arrears":"0.000000070"`)
	for _, kind := range []string{"by hand", "returned", "write-off"} {
		require.Contains(t, text.String(), `"kind":"`+kind+`"`)
	}
	text.Reset()
	require.NoError(t, accounts.WriteCSV(t.Context(), &text, s))
	read := collectEntries(t, accounts.ReadCSV(strings.NewReader(text.String()), usd))
	require.Len(t, read, len(got)+1)
	require.Equal(t, accounts.EntryReturned, read[3].Kind)
	require.Equal(t, []ledger.Amount{units(70), units(70), units(11)}, []ledger.Amount{read[1].Arrears, read[2].Arrears, read[3].Arrears})
	var earlier strings.Builder // the first version had 15 columns
	for line := range strings.Lines(text.String()) {
		earlier.WriteString(strings.Join(strings.Split(line, ",")[:15], ",") + "\n")
	}
	read = collectEntries(t, accounts.ReadCSV(strings.NewReader(earlier.String()), usd))
	require.Len(t, read, len(got)+1)
	require.Zero(t, read[3].Arrears)
	ledgertest.RequireNothingHeld(t, l)
}

// A collection that leaves arrears is in the rows of both accounts, but counted once, wherever
// pages end.
func TestStatementOfArrearsThatStay(t *testing.T) {
	t.Parallel()
	for _, noHistory := range []bool{false, true} {
		c := newStatementModel(t, newLedger(t), 1, noHistory)
		_, err := c.book.SetCreditLine(t.Context(), c.peers[0], units(10))
		require.NoError(t, err)
		c.linked(c.arrearsLeg(chart.CodeReturned, c.book.PeerIDs(c.peers[0]).Settlement, -25, 1), c.collection())
		c.create(c.arrearsLeg(chart.CodeReturned, c.book.PeerIDs(c.peers[0]).Settlement, -4, 2))
		for _, page := range []int{1, 2, ledger.QueryMax} {
			s := c.statement(time.Time{}, time.Time{}, accounts.WithPageSize(page))
			entries := collectEntries(t, s.Entries(t.Context()))
			require.Len(t, entries, 4)
			require.Equal(t, units(25), entries[2].Arrears)
			require.Equal(t, units(19), entries[3].Arrears)
			require.Equal(t, units(19), s.Closing.Arrears)
			require.Equal(t, int64(-29), s.Closing.Position.Int64())
		}
	}
}

// The peer's side has one payment for all payments of an order, and no write-offs.
func TestCompareMoney(t *testing.T) {
	t.Parallel()
	order := ledger.NewID(7, 7)
	pay := func(second int64, kind accounts.EntryKind, amount int64) accounts.Entry {
		return newEntry(second, kind, 0, 0, amount)
	}
	ours := []accounts.Entry{
		pay(1, accounts.EntrySettlement, -70), pay(2, accounts.EntrySettlement, -500),
		pay(3, accounts.EntryByHand, -12), pay(4, accounts.EntryReturned, -11), pay(5, accounts.EntryWriteOff, 17),
	}
	ours[0].Order, ours[1].Order = order, order
	theirs := []accounts.Entry{
		pay(2, accounts.EntrySettlement, 570), pay(3, accounts.EntrySettlement, 12), pay(4, accounts.EntrySettlement, 11),
	}
	got, err := accounts.Compare(entriesOf(ours...), entriesOf(theirs...))
	require.NoError(t, err)
	require.Equal(t, 3, got.Matched)
	require.Len(t, got.Differences, 1)
	require.Equal(t, accounts.MissingTheirs, got.Differences[0].Class)
	require.Equal(t, accounts.EntryWriteOff, got.Differences[0].Kind)
	require.Zero(t, got.Differences[0].ConditionTag)
}
