package accounts_test

import (
	"cmp"
	"context"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// holdsModel is a peer's account with its holds in a plain list. It is the ledger under the
// tested Book: with small pages, and with concurrent writes during reading.
type holdsModel struct {
	*embedded.Ledger
	t      *testing.T
	random *rand.Rand
	book   *accounts.Book
	peers  []accounts.PeerAccount
	own    accounts.AssetIDs
	now    time.Time
	next   uint64

	held []heldPacket
	page uint32
	ends bool            // holds expire
	busy bool            // concurrent writes during reading
	then []accounts.Hold // the holds when a reader fixed its moment
	rows int             // read by readers
}

type heldPacket struct {
	hold accounts.Hold
	legs []ledger.Transfer
}

func newHoldsModel(t *testing.T, seed, program uint64, noHistory bool) *holdsModel {
	t.Helper()
	m := &holdsModel{
		t: t, random: rand.New(rand.NewPCG(seed, program)), now: time.Unix(1_800_000_000, 0).UTC(), page: ledger.QueryMax, ends: true,
	}
	m.Ledger = embedded.New(embedded.WithClock(func() time.Time { return m.now }))
	var err error
	m.book, err = accounts.NewBook(m, accounts.Config{Assets: []accounts.Asset{usd}, NoHistory: noHistory})
	require.NoError(t, err)
	m.peers = provision(t, m.book, 1<<40, "alice", "bob")
	m.own, _ = m.book.AssetIDs(usd.Ledger)
	require.NoError(t, m.book.EnsureTransit(t.Context()))
	return m
}

func (m *holdsModel) GetAccountBalances(ctx context.Context, f ledger.AccountFilter) ([]ledger.AccountBalance, error) {
	m.fixMoment()
	return m.Ledger.GetAccountBalances(ctx, f)
}

func (m *holdsModel) GetAccountTransfers(ctx context.Context, f ledger.AccountFilter) ([]ledger.Transfer, error) {
	if f.Limit > m.page {
		return nil, ledger.ErrTooMuchData
	}
	rows, err := m.Ledger.GetAccountTransfers(ctx, f)
	m.rows += len(rows)
	if m.busy {
		m.step()
	}
	return rows, err
}

// fixMoment records the holds when a reader fixes its moment.
func (m *holdsModel) fixMoment() {
	if m.busy {
		m.then = m.wantedHolds()
	}
}

// wantedHolds returns the current holds, in order.
func (m *holdsModel) wantedHolds() []accounts.Hold {
	holds := []accounts.Hold{}
	for _, h := range m.held {
		if h.hold.Expiry.IsZero() || m.now.Before(h.hold.Expiry) {
			holds = append(holds, h.hold)
		}
	}
	slices.SortFunc(holds, func(a, b accounts.Hold) int {
		if a.Expiry.IsZero() != b.Expiry.IsZero() {
			return cmp.Compare(countOf(a.Expiry.IsZero()), countOf(b.Expiry.IsZero()))
		}
		return cmp.Or(a.Expiry.Compare(b.Expiry), a.Since.Compare(b.Since))
	})
	return holds
}

func countOf(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (m *holdsModel) create(rows ...ledger.Transfer) []ledger.CreateTransferResult {
	for i := range rows[:len(rows)-1] {
		rows[i].Flags |= ledger.TransferLinked
	}
	results, err := m.CreateTransfers(m.t.Context(), rows)
	require.NoError(m.t, err)
	for _, r := range results {
		require.Equal(m.t, ledger.TransferCreated, r.Status)
	}
	return results
}

// step writes once, or lets time pass.
func (m *holdsModel) step() {
	m.now = m.now.Add(time.Duration(m.random.IntN(2_000_000_000))) // never equal to the ledger's time, to the nanosecond
	switch m.random.IntN(8) {
	case 0, 1, 2:
		m.prepare()
	case 3, 4:
		m.resolve(ledger.TransferPostPending)
	case 5:
		m.resolve(ledger.TransferVoidPending)
	case 6:
		m.order()
	default:
		m.create(m.leg(chart.CodePacket, m.peers[1].ID(), m.peers[0].ID(), 1, 0, 0)) // booked at once
	}
}

func (m *holdsModel) leg(code uint16, debit, credit ledger.ID, amount uint64, timeout uint32, flags ledger.TransferFlags) ledger.Transfer {
	m.next++
	if !m.ends {
		timeout = 0
	}
	return ledger.Transfer{
		ID: ledger.NewID(m.next, 9), DebitAccountID: debit, CreditAccountID: credit, Amount: units(amount), Timeout: timeout,
		Ledger: usd.Ledger, Code: code, Flags: flags, UserData128: uint128.New(m.next, 8), UserData64: m.next << 40,
	}
}

// prepare holds a packet from the peer, with or without a fee, to the peer, or through the peer
// back.
func (m *holdsModel) prepare() {
	a, b := m.peers[0].ID(), m.peers[1].ID()
	amount, timeout := 1+m.random.Uint64N(1000), uint32(m.random.IntN(60))
	if !m.ends {
		timeout = 0
	}
	var legs []ledger.Transfer
	h := heldPacket{}
	switch m.random.IntN(4) {
	case 0:
		legs = append(legs, m.leg(chart.CodePacket, a, b, amount, timeout, ledger.TransferPending))
		h.hold.In = units(amount)
	case 1:
		legs = append(legs, m.leg(chart.CodeConversion, a, m.own.Liquidity, amount, timeout, ledger.TransferPending),
			m.leg(chart.CodeDustLeg, a, m.own.Dust, 3, timeout, ledger.TransferPending))
		h.hold.In = units(amount + 3)
	case 2:
		legs = append(legs, m.leg(chart.CodePacket, b, a, amount, timeout, ledger.TransferPending))
		h.hold.Out = units(amount)
	default:
		legs = append(legs, m.leg(chart.CodePacket, a, m.own.Liquidity, amount, timeout, ledger.TransferPending),
			m.leg(chart.CodePacket, m.own.Liquidity, a, amount, timeout, ledger.TransferPending), m.leg(chart.CodeFee, a, m.own.Revenue, 5, timeout, ledger.TransferPending))
		h.hold.In, h.hold.Out = units(amount+5), units(amount)
	}
	for i := range legs {
		legs[i].UserData128, legs[i].UserData64 = legs[0].UserData128, legs[0].UserData64
	}
	results := m.create(legs...)
	h.legs, h.hold.Packet = legs, ledger.ID(legs[0].UserData128)
	binary.BigEndian.PutUint64(h.hold.ConditionTag[:], legs[0].UserData64)
	h.hold.Since = time.Unix(0, int64(results[0].Timestamp)).UTC()
	if timeout > 0 {
		h.hold.Expiry = h.hold.Since.Add(time.Duration(timeout) * time.Second)
	}
	m.held = append(m.held, h)
}

// resolve posts or voids a held packet.
func (m *holdsModel) resolve(flag ledger.TransferFlags) {
	if len(m.held) == 0 {
		return
	}
	i := m.random.IntN(len(m.held))
	h := m.held[i]
	if !h.hold.Expiry.IsZero() && !m.now.Before(h.hold.Expiry) {
		return
	}
	m.held = slices.Delete(m.held, i, i+1)
	var rows []ledger.Transfer
	for _, l := range h.legs {
		m.next++
		row := ledger.Transfer{ID: ledger.NewID(m.next, 9), PendingID: l.ID, Flags: flag}
		if flag == ledger.TransferPostPending {
			row.Amount = ledger.AmountMax
		}
		rows = append(rows, row)
	}
	m.create(rows...)
}

// order places an order, or reserves headroom: pending, but no hold of a packet.
func (m *holdsModel) order() {
	if m.random.IntN(2) == 0 {
		m.create(m.leg(chart.CodeReserve, m.peers[0].ID(), m.own.Transit, 7, 20, ledger.TransferPending))
		return
	}
	m.create(m.leg(chart.CodeOrder, m.peers[0].ID(), m.book.PeerIDs(m.peers[0]).Settlement, 7, 0, ledger.TransferPending))
}
