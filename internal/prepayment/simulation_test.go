package prepayment_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/prepayment"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// simulatedPeer is a peer with its rows in a ledger, and the expected effect of each row, counted
// beside the ledger in plain integers.
type simulatedPeer struct {
	tb       testing.TB
	random   *rand.Rand
	ledger   ledger.Ledger
	accounts prepayment.Accounts
	suspense ledger.ID
	own      ledger.ID
	transit  ledger.ID
	next     uint64

	reserved []ledger.Transfer // reservations that no round has posted
	waiting  []int64           // earned while the peer was closed: in suspense

	net, prepaid int64
	moments      []moment
}

// moment is the expected state of the peer right after a row.
type moment struct {
	at                    uint64
	net, prepaid, arrears int64
}

func newSimulatedPeer(tb testing.TB, seed uint64, history bool) *simulatedPeer {
	tb.Helper()
	l := &simulatedPeer{
		tb: tb, random: rand.New(rand.NewPCG(seed, 1)), ledger: embedded.New(),
		accounts: prepayment.Accounts{
			Peer: ledger.NewID(1, 0), Line: ledger.NewID(2, 0), Settlement: ledger.NewID(3, 0), Arrears: ledger.NewID(4, 0),
		},
		suspense: ledger.NewID(5, 0), own: ledger.NewID(6, 0), transit: ledger.NewID(7, 0), next: 100,
	}
	flags := chart.PeerFlags
	if !history {
		flags &^= ledger.AccountHistory
	}
	results, err := l.ledger.CreateAccounts(context.Background(), []ledger.Account{
		{ID: l.accounts.Peer, Ledger: 1, Code: chart.CodePeer, Flags: flags},
		{ID: l.accounts.Line, Ledger: 1, Code: chart.CodeLine, Flags: chart.LineFlags},
		{ID: l.accounts.Settlement, Ledger: 1, Code: chart.CodeSettlement, Flags: chart.SettlementFlags},
		{ID: l.accounts.Arrears, Ledger: 1, Code: chart.CodeArrears, Flags: chart.ArrearsFlags},
		{ID: l.suspense, Ledger: 1, Code: chart.CodeSuspense},
		{ID: l.own, Ledger: 1, Code: chart.CodeLiquidity},
		{ID: l.transit, Ledger: 1, Code: chart.CodeTransit, Flags: chart.TransitFlags},
	})
	require.NoError(tb, err)
	for _, r := range results {
		require.Equal(tb, ledger.AccountCreated, r.Status)
	}
	return l
}

// writeChain writes a chain and reports whether the ledger applied it.
func (l *simulatedPeer) writeChain(rows ...ledger.Transfer) bool {
	l.tb.Helper()
	for i := range rows {
		l.next++
		if rows[i].ID.IsZero() {
			rows[i].ID = ledger.NewID(l.next, 7)
		}
		if rows[i].PendingID.IsZero() {
			rows[i].Ledger = 1
		}
		if i < len(rows)-1 {
			rows[i].Flags |= ledger.TransferLinked
		}
	}
	results, err := l.ledger.CreateTransfers(context.Background(), rows)
	require.NoError(l.tb, err)
	return ledger.ChainOutcome(results).Outcome == ledger.OutcomeApplied
}

func (l *simulatedPeer) readSums() prepayment.Sums {
	l.tb.Helper()
	a := l.accounts
	rows, err := l.ledger.LookupAccounts(context.Background(), []ledger.ID{a.Peer, a.Line, a.Settlement, a.Arrears, l.suspense})
	require.NoError(l.tb, err)
	return prepayment.Sums{
		Peer: prepayment.TotalsOf(&rows[0]), Line: prepayment.TotalsOf(&rows[1]), Settlement: prepayment.TotalsOf(&rows[2]),
		Arrears: prepayment.TotalsOf(&rows[3]), Suspense: prepayment.TotalsOf(&rows[4]),
		History: rows[0].Flags.Has(ledger.AccountHistory),
	}
}

func (l *simulatedPeer) newRow(debit, credit ledger.ID, amount int64, code uint16) ledger.Transfer {
	return ledger.Transfer{DebitAccountID: debit, CreditAccountID: credit, Amount: ledger.NewAmount(uint64(amount)), Code: code}
}

func (l *simulatedPeer) newCollection() ledger.Transfer {
	return chart.Collect(l.accounts.Peer, l.accounts.Arrears, 1)
}

// The four kinds of events in the model.

func (l *simulatedPeer) applyEarned(a int64) { l.net += a }

func (l *simulatedPeer) applySent(a int64) {
	used := min(l.prepaid, a)
	l.prepaid, l.net = l.prepaid-used, l.net-(a-used)
}

func (l *simulatedPeer) applyIn(a int64) {
	down := min(a, max(0, -l.net))
	l.net, l.prepaid = l.net+down, l.prepaid+a-down
}

func (l *simulatedPeer) applyOut(a int64) {
	l.net -= a
	if l.net < 0 {
		covered := min(l.prepaid, -l.net)
		l.net, l.prepaid = l.net+covered, l.prepaid-covered
	}
}

// runStep runs a random event of a peer.
func (l *simulatedPeer) runStep() {
	a, p := l.random.Int64N(100)+1, l.accounts
	debit := func(credit ledger.ID, code uint16, apply func(int64)) {
		rows := []ledger.Transfer{l.newRow(p.Arrears, credit, a, code), l.newCollection()}
		if l.random.IntN(4) == 0 { // for a closed peer
			rows = rows[:1]
		}
		if l.writeChain(rows...) {
			apply(a)
		}
	}
	switch l.random.IntN(18) {
	case 0, 1, 2:
		if l.writeChain(l.newRow(l.own, p.Peer, a, chart.CodePacket)) {
			l.applyEarned(a)
		}
	case 3, 4, 5:
		if l.writeChain(l.newRow(p.Peer, l.own, a, chart.CodePacket)) {
			l.applySent(a)
		}
	case 6:
		if l.writeChain(l.newRow(p.Settlement, p.Peer, a, [...]uint16{chart.CodeIncoming, chart.CodeVoucher}[l.random.IntN(2)])) {
			l.applyIn(a)
		}
	case 7:
		if l.writeChain(l.newRow(l.suspense, p.Peer, a, chart.CodeAdjust)) {
			l.applyIn(a)
		}
	case 8:
		l.runOrder(a)
	case 9:
		l.writeChain(l.newRow(p.Line, p.Peer, a, chart.CodeGrant))
	case 10:
		l.writeChain(l.newRow(p.Settlement, l.suspense, a, chart.CodeIncoming)) // of a closed peer
	case 11:
		switch l.random.IntN(3) {
		case 0:
			debit(l.own, chart.CodeCorrection, l.applySent)
		case 1:
			debit(l.suspense, chart.CodeAdjust, l.applySent)
		default:
			debit(p.Settlement, chart.CodeReturned, l.applySent)
		}
	case 12:
		debit(p.Settlement, chart.CodeOutgoing, l.applyOut)
	case 13, 14:
		l.writeRound(l.random.Int64N(100), l.random.Int64N(100))
	case 15:
		l.reserve(a)
	case 16:
		l.earnWhileClosed(a)
	default:
		l.writeOff(a)
	}
	l.recordMoment()
}

// reserve reserves headroom for packets of later rounds: nothing moves.
func (l *simulatedPeer) reserve(a int64) {
	row := l.newRow(l.accounts.Peer, l.transit, a, chart.CodeReserve)
	row.ID, row.Flags = ledger.NewID(l.next, 11), ledger.TransferPending
	if l.writeChain(row) {
		l.reserved = append(l.reserved, row)
	}
}

// writeRound writes a round in which the peer sent and earned by packets. It posts all reservations, reserves
// the rest again, and charges arrears with what the reservations do not cover.
func (l *simulatedPeer) writeRound(sent, earned int64) {
	p := l.accounts
	var rows []ledger.Transfer
	left, free := sent, int64(0)
	for _, r := range l.reserved {
		amount, _ := r.Amount.Uint64()
		posted := min(left, int64(amount))
		left, free = left-posted, free+int64(amount)-posted
		rows = append(rows, ledger.Transfer{PendingID: r.ID, Amount: ledger.NewAmount(uint64(posted)), Flags: ledger.TransferPostPending})
	}
	var renewed []ledger.Transfer
	if free > 0 {
		row := l.newRow(p.Peer, l.transit, free, chart.CodeReserve)
		row.ID, row.Flags = ledger.NewID(l.next, 12), ledger.TransferPending
		rows, renewed = append(rows, row), []ledger.Transfer{row}
	}
	if left > 0 {
		rows = append(rows, l.newRow(p.Arrears, l.transit, left, chart.CodeCorrection))
	}
	rows = append(rows, l.newRow(l.own, l.transit, earned, chart.CodeRound))
	rows = append(rows, l.newRow(l.transit, l.own, sent, chart.CodeRound), l.newRow(l.transit, p.Peer, earned, chart.CodeRound))
	if left > 0 {
		rows = append(rows, l.newCollection())
	}
	require.True(l.tb, l.writeChain(rows...))
	l.reserved = renewed
	l.applySent(sent)
	l.applyEarned(earned)
}

// earnWhileClosed writes a round whose part for the peer goes to suspense, since the peer is closed, or gives
// such a part back.
func (l *simulatedPeer) earnWhileClosed(a int64) {
	if len(l.waiting) == 0 || l.random.IntN(2) == 0 {
		require.True(l.tb, l.writeChain(l.newRow(l.own, l.transit, a, chart.CodeRound), l.newRow(l.transit, l.suspense, a, chart.CodeCorrection)))
		l.waiting = append(l.waiting, a)
		return
	}
	require.True(l.tb, l.writeChain(l.newRow(l.suspense, l.accounts.Peer, l.waiting[0], chart.CodeCorrection)))
	l.applyEarned(l.waiting[0])
	l.waiting = l.waiting[1:]
}

// runOrder pays an order in full, beyond it, or not at all.
func (l *simulatedPeer) runOrder(a int64) {
	p := l.accounts
	order := l.newRow(p.Peer, p.Settlement, a, chart.CodeOrder)
	order.ID, order.Flags = ledger.NewID(l.next, 9), ledger.TransferPending
	if !l.writeChain(order) {
		return
	}
	end := ledger.Transfer{PendingID: order.ID, Amount: order.Amount, Flags: ledger.TransferPostPending}
	switch l.random.IntN(3) {
	case 0:
		end.Flags, end.Amount = ledger.TransferVoidPending, ledger.Amount{}
		require.True(l.tb, l.writeChain(end))
	case 1:
		require.True(l.tb, l.writeChain(end))
		l.applyOut(a)
	default:
		require.True(l.tb, l.writeChain(l.newRow(p.Arrears, p.Settlement, 7, chart.CodeOverpaid), end, l.newCollection()))
		l.applyOut(a + 7)
	}
}

func (l *simulatedPeer) writeOff(a int64) {
	row := l.newRow(l.suspense, l.accounts.Arrears, a, chart.CodeAdjust)
	row.Flags = ledger.TransferBalancingCredit
	rows := []ledger.Transfer{l.newCollection(), row}
	if l.random.IntN(4) == 0 {
		rows = rows[1:]
	}
	before := l.readSums().Arrears
	if !l.writeChain(rows...) {
		return
	}
	now := l.readSums().Arrears
	written := now.Credits.SubFloor(before.Credits)
	if len(rows) == 2 { // without the collected amount
		stored, err := l.ledger.LookupTransfers(context.Background(), []ledger.ID{rows[1].ID})
		require.NoError(l.tb, err)
		written = stored[0].Amount
	}
	n, _ := written.Uint64()
	l.applyIn(int64(n))
}

// recordMoment records the expected state at the newest row.
func (l *simulatedPeer) recordMoment() {
	newest, err := l.ledger.QueryTransfers(context.Background(), ledger.QueryFilter{Limit: 1, Flags: ledger.QueryFilterReversed})
	require.NoError(l.tb, err)
	if len(newest) == 0 {
		return
	}
	sums := l.readSums()
	arrears, _ := sums.Arrears.Debits.SubFloor(sums.Arrears.Credits).Uint64()
	l.moments = append(l.moments, moment{newest[0].Timestamp, l.net, l.prepaid, int64(arrears)})
}

// checkEstimate compares the computed prepayment with the count.
func (l *simulatedPeer) checkEstimate(m *prepayment.Memory) {
	l.tb.Helper()
	sums := l.readSums()
	require.Equal(l.tb, l.net+l.prepaid, sums.Position().Int64())
	e := m.Estimate(l.accounts.Peer, &sums)
	prepaid, _ := e.Prepaid.Uint64()
	require.GreaterOrEqual(l.tb, int64(prepaid), l.prepaid, "the bound")
	if e.Exact || !e.Final {
		require.GreaterOrEqual(l.tb, e.NetAtMost.Int64(), l.net)
	}
	if !e.Final {
		var err error
		e, err = m.Read(context.Background(), l.accounts, sums, func(context.Context) (prepayment.Sums, error) { return l.readSums(), nil })
		require.NoError(l.tb, err)
		prepaid, _ = e.Prepaid.Uint64()
	}
	if sums.History {
		require.True(l.tb, e.Exact)
	}
	if e.Exact {
		require.Equal(l.tb, l.prepaid, int64(prepaid))
		require.Equal(l.tb, l.net, e.NetAtMost.Int64())
	}
	require.GreaterOrEqual(l.tb, int64(prepaid), l.prepaid)
}

// checkMoments compares moments of the past with the count of then.
func (l *simulatedPeer) checkMoments(m *prepayment.Memory) {
	l.tb.Helper()
	for range 10 {
		want := l.moments[l.random.IntN(len(l.moments))]
		got, err := m.At(context.Background(), l.accounts, l.readSums(), want.at)
		require.NoError(l.tb, err)
		require.Equal(l.tb, [3]int64{want.net, want.prepaid, want.arrears},
			[3]int64{got.Net.Int64(), got.Prepaid.Int64(), int64(got.Arrears.Lo)})
	}
}
