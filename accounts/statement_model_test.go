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
func (c *statementModel) leg(code uint16, other ledger.ID, amount int64, of uint64) ledger.Transfer {
	row := ledger.Transfer{
		ID: randomID(), DebitAccountID: other, CreditAccountID: c.peers[0].ID(), Amount: units(uint64(max(amount, -amount))),
		Ledger: usd.Ledger, Code: code, UserData128: uint128.New(of<<8, 1), UserData64: of << 32,
	}
	if amount < 0 {
		row.DebitAccountID, row.CreditAccountID = row.CreditAccountID, row.DebitAccountID
	}
	return row
}

func (c *statementModel) create(rows ...ledger.Transfer) {
	c.t.Helper()
	results, err := c.ledger.CreateTransfers(c.t.Context(), rows)
	require.NoError(c.t, err)
	for _, r := range results {
		require.Equal(c.t, ledger.TransferCreated, r.Status)
	}
}

func (c *statementModel) expect(kind accounts.EntryKind, amount int64, other string) {
	c.want = append(c.want, wantEntry{kind, amount, other})
}

// step books one event.
func (c *statementModel) step() {
	c.t.Helper()
	amount := c.random.Int64N(900) + 1
	of := uint64(len(c.want) + c.holds*1000 + 1)
	ids := c.book.PeerIDs(c.peers[0])
	switch c.random.IntN(14) {
	case 0: // a packet from the peer, in two phases, with a fee
		c.packet(c.leg(chart.CodePacket, c.peers[1].ID(), -amount, of), c.leg(chart.CodeFee, c.own.Revenue, -3, of))
		c.expect(accounts.EntryPacket, -amount, "peer bob")
		c.expect(accounts.EntryFee, -3, "revenue")
	case 1: // a packet to the peer, booked at once
		c.create(c.leg(chart.CodePacket, c.peers[1].ID(), amount, of))
		c.expect(accounts.EntryPacket, amount, "peer bob")
	case 2: // a conversion with dust
		c.create(c.leg(chart.CodeConversion, c.own.Liquidity, -amount, of), c.leg(chart.CodeDustLeg, c.own.Dust, -1, of))
		c.expect(accounts.EntryConversion, -amount, "liquidity")
		c.expect(accounts.EntryDust, -1, "dust")
	case 3: // a hold that is voided
		hold := c.leg(chart.CodePacket, c.peers[1].ID(), -amount, of)
		hold.Flags = ledger.TransferPending
		c.create(hold, ledger.Transfer{ID: randomID(), PendingID: hold.ID, Flags: ledger.TransferVoidPending})
		c.holds++
	case 4: // an order, paid in part
		order := c.leg(chart.CodeOrder, ids.Settlement, -amount, of)
		order.Flags = ledger.TransferPending
		paid := amount/2 + 1
		c.create(order, ledger.Transfer{ID: randomID(), PendingID: order.ID, Amount: units(uint64(paid)), Flags: ledger.TransferPostPending})
		c.expect(accounts.EntrySettlement, -paid, "settlement")
		c.holds++
	case 5:
		c.create(c.leg(chart.CodeIncoming, ids.Settlement, amount, of))
		c.expect(accounts.EntrySettlement, amount, "settlement")
	case 6: // a late fulfill
		c.create(c.leg(chart.CodeCorrection, c.own.Suspense, amount, of))
		c.expect(accounts.EntryCorrection, amount, "suspense")
	case 7:
		_, err := c.book.Adjust(c.t.Context(), accounts.Adjustment{Account: c.peers[0], Key: fmt.Sprint(of), Debit: units(uint64(amount)), ReasonCode: 5})
		require.NoError(c.t, err)
		c.expect(accounts.EntryCorrection, -amount, "suspense")
	case 8:
		_, err := c.book.ExtendCredit(c.t.Context(), c.peers[0], units(uint64(amount)))
		require.NoError(c.t, err)
		c.expect(accounts.EntryCreditLine, 0, "line")
	case 9:
		_, err := c.book.RevokeCredit(c.t.Context(), c.peers[0], units(uint64(amount)), accounts.WithPartialRevoke())
		require.NoError(c.t, err)
		c.expect(accounts.EntryCreditLine, 0, "line")
	default:
		c.moneyStep(amount, of)
	}
}

// packet holds legs and posts them.
func (c *statementModel) packet(legs ...ledger.Transfer) {
	c.t.Helper()
	var posts []ledger.Transfer
	for i := range legs {
		legs[i].Flags = ledger.TransferPending
		posts = append(posts, ledger.Transfer{ID: randomID(), PendingID: legs[i].ID, Amount: ledger.AmountMax, Flags: ledger.TransferPostPending})
		c.holds++
	}
	c.create(legs...)
	c.create(posts...)
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

func (c *statementModel) statement(from, to time.Time, opts ...accounts.StatementOption) *accounts.Statement {
	c.t.Helper()
	s, err := c.book.Statement(c.t.Context(), c.peers[0], from, to, append(opts, accounts.WithKnownAccounts(c.peers...))...)
	require.NoError(c.t, err)
	return s
}

// requireParts requires that the statements between the cuts add up to the complete one.
func (c *statementModel) requireParts(complete []accounts.Entry, cuts []time.Time) {
	c.t.Helper()
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
		s := c.statement(bounds[i], bounds[i+1], accounts.WithPageSize(1+c.random.IntN(9)))
		require.Equal(c.t, opening.Position.String(), s.Opening.Position.String(), "opens as the one before it closes")
		require.Equal(c.t, opening.CreditLine, s.Opening.CreditLine)
		require.Equal(c.t, opening.Arrears, s.Opening.Arrears)
		parts = append(parts, collectEntries(c.t, s.Entries(c.t.Context()))...)
		opening = s.Closing
	}
	require.Equal(c.t, complete, parts)
}

// inText compares entries regardless of the representation of big.Ints.
func inText(e accounts.Entry) string { return fmt.Sprintf("%+v", e) }
