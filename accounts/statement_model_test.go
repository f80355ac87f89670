package accounts_test

import (
	"fmt"
	"iter"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// statementModel writes transfers like recorders, engines and operators, and records the expected entries
// of a statement of its first peer.
type statementModel struct {
	t      *testing.T
	ledger ledger.Ledger
	book   *accounts.Book
	random *rand.Rand
	peers  []accounts.PeerAccount
	own    accounts.AssetIDs
	want   []wantEntry
	holds  int
}

type wantEntry struct {
	kind   accounts.EntryKind
	amount int64
	other  string
}

func newStatementModel(t *testing.T, l ledger.Ledger, seed uint64, noHistory bool) *statementModel {
	t.Helper()
	book, err := accounts.NewBook(l, accounts.Config{Namespace: t.Name(), Assets: []accounts.Asset{usd, xrp}, NoHistory: noHistory})
	require.NoError(t, err)
	c := &statementModel{t: t, ledger: l, book: book, random: rand.New(rand.NewPCG(seed, 7))}
	c.peers = provision(t, book, 1_000_000, "alice", "bob")
	c.own, _ = book.AssetIDs(usd.Ledger)
	c.want = []wantEntry{{accounts.EntryCreditLine, 0, "line"}}
	return c
}

// leg makes a transfer: from the first peer for an amount below 0, otherwise to the first peer.
func (m *statementModel) leg(code uint16, other ledger.ID, amount int64, of uint64) ledger.Transfer {
	row := ledger.Transfer{
		ID: randomID(), DebitAccountID: other, CreditAccountID: m.peers[0].ID(), Amount: units(uint64(max(amount, -amount))),
		Ledger: usd.Ledger, Code: code, UserData128: uint128.New(of<<8, 1), UserData64: of << 32,
	}
	if amount < 0 {
		row.DebitAccountID, row.CreditAccountID = row.CreditAccountID, row.DebitAccountID
	}
	return row
}

func (m *statementModel) create(rows ...ledger.Transfer) {
	m.t.Helper()
	results, err := m.ledger.CreateTransfers(m.t.Context(), rows)
	require.NoError(m.t, err)
	for _, r := range results {
		require.Equal(m.t, ledger.TransferCreated, r.Status)
	}
}

func (m *statementModel) expect(kind accounts.EntryKind, amount int64, other string) {
	m.want = append(m.want, wantEntry{kind, amount, other})
}

// step books one event.
func (m *statementModel) step() {
	m.t.Helper()
	amount := m.random.Int64N(900) + 1
	of := uint64(len(m.want) + m.holds*1000 + 1)
	ids := m.book.PeerIDs(m.peers[0])
	switch m.random.IntN(14) {
	case 0: // a packet from the peer, in two phases, with a fee
		m.packet(m.leg(chart.CodePacket, m.peers[1].ID(), -amount, of), m.leg(chart.CodeFee, m.own.Revenue, -3, of))
		m.expect(accounts.EntryPacket, -amount, "peer bob")
		m.expect(accounts.EntryFee, -3, "revenue")
	case 1: // a packet to the peer, booked at once
		m.create(m.leg(chart.CodePacket, m.peers[1].ID(), amount, of))
		m.expect(accounts.EntryPacket, amount, "peer bob")
	case 2: // a conversion with dust
		m.create(m.leg(chart.CodeConversion, m.own.Liquidity, -amount, of), m.leg(chart.CodeDustLeg, m.own.Dust, -1, of))
		m.expect(accounts.EntryConversion, -amount, "liquidity")
		m.expect(accounts.EntryDust, -1, "dust")
	case 3: // a hold that is voided
		hold := m.leg(chart.CodePacket, m.peers[1].ID(), -amount, of)
		hold.Flags = ledger.TransferPending
		m.create(hold, ledger.Transfer{ID: randomID(), PendingID: hold.ID, Flags: ledger.TransferVoidPending})
		m.holds++
	case 4: // an order, paid in part
		order := m.leg(chart.CodeOrder, ids.Settlement, -amount, of)
		order.Flags = ledger.TransferPending
		paid := amount/2 + 1
		m.create(order, ledger.Transfer{ID: randomID(), PendingID: order.ID, Amount: units(uint64(paid)), Flags: ledger.TransferPostPending})
		m.expect(accounts.EntrySettlement, -paid, "settlement")
		m.holds++
	case 5:
		m.create(m.leg(chart.CodeIncoming, ids.Settlement, amount, of))
		m.expect(accounts.EntrySettlement, amount, "settlement")
	case 6: // a late fulfill
		m.create(m.leg(chart.CodeCorrection, m.own.Suspense, amount, of))
		m.expect(accounts.EntryCorrection, amount, "suspense")
	case 7:
		_, err := m.book.Adjust(m.t.Context(), accounts.Adjustment{Account: m.peers[0], Key: fmt.Sprint(of), Debit: units(uint64(amount)), ReasonCode: 5})
		require.NoError(m.t, err)
		m.expect(accounts.EntryCorrection, -amount, "suspense")
	case 8:
		_, err := m.book.ExtendCredit(m.t.Context(), m.peers[0], units(uint64(amount)))
		require.NoError(m.t, err)
		m.expect(accounts.EntryCreditLine, 0, "line")
	case 9:
		_, err := m.book.RevokeCredit(m.t.Context(), m.peers[0], units(uint64(amount)), accounts.WithPartialRevoke())
		require.NoError(m.t, err)
		m.expect(accounts.EntryCreditLine, 0, "line")
	default:
		m.moneyStep(amount, of)
	}
}

// packet holds legs and posts them.
func (m *statementModel) packet(legs ...ledger.Transfer) {
	m.t.Helper()
	var posts []ledger.Transfer
	for i := range legs {
		legs[i].Flags = ledger.TransferPending
		posts = append(posts, ledger.Transfer{ID: randomID(), PendingID: legs[i].ID, Amount: ledger.AmountMax, Flags: ledger.TransferPostPending})
		m.holds++
	}
	m.create(legs...)
	m.create(posts...)
}

// collectEntries reads all entries.
func collectEntries(t *testing.T, entries iter.Seq2[accounts.Entry, error]) []accounts.Entry {
	t.Helper()
	var all []accounts.Entry
	for e, err := range entries {
		require.NoError(t, err)
		all = append(all, e)
	}
	return all
}

func (m *statementModel) statement(from, to time.Time, opts ...accounts.StatementOption) *accounts.Statement {
	m.t.Helper()
	s, err := m.book.Statement(m.t.Context(), m.peers[0], from, to, append(opts, accounts.WithKnownAccounts(m.peers...))...)
	require.NoError(m.t, err)
	return s
}

// requireParts requires that the statements between the cuts add up to the complete one.
func (m *statementModel) requireParts(complete []accounts.Entry, cuts []time.Time) {
	m.t.Helper()
	bounds := []time.Time{{}}
	for _, cut := range cuts {
		if last := bounds[len(bounds)-1]; cut.After(last) {
			bounds = append(bounds, cut)
		}
	}
	bounds = append(bounds, time.Time{})
	var parts []accounts.Entry
	opening := accounts.StatementBalance{Position: new(big.Int)}
	for i := range bounds[:len(bounds)-1] {
		s := m.statement(bounds[i], bounds[i+1], accounts.WithPageSize(1+m.random.IntN(9)))
		require.Equal(m.t, opening.Position.String(), s.Opening.Position.String(), "opens as the one before it closes")
		require.Equal(m.t, opening.CreditLine, s.Opening.CreditLine)
		require.Equal(m.t, opening.Arrears, s.Opening.Arrears)
		parts = append(parts, collectEntries(m.t, s.Entries(m.t.Context()))...)
		opening = s.Closing
	}
	require.Equal(m.t, complete, parts)
}

// inText compares entries regardless of the representation of big.Ints.
func inText(e accounts.Entry) string { return fmt.Sprintf("%+v", e) }
