package accounts_test

import (
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// On every ledger: the holds of several peers in one list, summed up for each peer.
func testOpenHolds(t *testing.T, l ledger.Ledger) {
	book := newBook(t, l)
	peers := provision(t, book, 1000, "alice", "bob", "carol")
	oldest := movePacket(t, l, peers[0].ID(), peers[1].ID(), 40, ledger.TransferPending)
	reserved := reserve(t, l, book, peers[1], 300, 7, 600)
	soonest := reserve(t, l, book, peers[0], 50, 8, 60)

	all, err := book.OpenHolds(t.Context(), accounts.HoldQuery{}, append(peers, peers[0])...)
	require.NoError(t, err)
	require.Len(t, all.Holds, 4, "the packet is a hold of both peers")
	require.False(t, all.More)
	require.Equal(t, all.Holds[0].Packet, all.Holds[1].Packet)
	require.NotEqual(t, all.Holds[0].Account, all.Holds[1].Account)
	require.Equal(t, []ledger.ID{reserved, soonest}, []ledger.ID{all.Holds[2].Reservation, all.Holds[3].Reservation})
	require.Equal(t, uint64(7), all.Holds[2].Journal)

	require.Len(t, all.Totals, 2, "carol holds nothing")
	alice, bob := all.Totals[0], all.Totals[1]
	require.Equal(t, accounts.HoldTotal{
		Account: peers[0], Asset: usd, Packets: 1, Reservations: 1, In: units(90),
		Oldest: all.Holds[0].Since, NearestExpiry: all.Holds[3].Expiry,
	}, alice)
	require.Equal(t, accounts.HoldTotal{
		Account: peers[1], Asset: usd, Packets: 1, Reservations: 1, In: units(300), Out: units(40),
		Oldest: all.Holds[0].Since, NearestExpiry: all.Holds[2].Expiry,
	}, bob)

	for _, id := range []ledger.ID{oldest, reserved, soonest} {
		resolveHold(t, l, id, ledger.TransferVoidPending)
	}
	all, err = book.OpenHolds(t.Context(), accounts.HoldQuery{}, peers...)
	require.NoError(t, err)
	require.Empty(t, all.Holds)
	require.Empty(t, all.Totals)
}

// For any prepares, resolutions, expiries and reservations: pages of any size have all holds that
// the peers' own lists have, each once and in order, and the totals are their sums.
func TestOpenHoldsAgainstAModel(t *testing.T) {
	t.Parallel()
	seed := ledgertest.Seed(t)
	listed := 0
	for program := range uint64(30) {
		m := newHoldsModel(t, seed, program, program%4 == 3)
		for range 120 {
			m.step()
		}
		wanted := m.allHolds()
		for _, order := range []accounts.HoldOrder{"", accounts.HoldsByAge, accounts.HoldsByExpiry, accounts.HoldsByAmount} {
			limit := 1 + m.random.IntN(len(wanted)+2)
			got, totals := m.readHoldPages(accounts.HoldQuery{Order: order, Limit: limit})
			require.ElementsMatch(t, wanted, got, "program %d, order %q, limit %d", program, order, limit)
			require.True(t, slices.IsSortedFunc(got, func(a, b accounts.OpenHold) int { return holdKey(order, a).Cmp(holdKey(order, b)) }), "program %d, order %q", program, order)
			require.Equal(t, m.sumByPeer(wanted), totals, "program %d", program)
		}
		listed += len(wanted)
		require.NoError(t, m.Close())
	}
	require.Greater(t, listed, 200)
}

// A page goes on behind the last hold of the previous page, also if that hold is resolved by then.
func TestOpenHoldsGoOnAfterAResolvedHold(t *testing.T) {
	t.Parallel()
	m := newHoldsModel(t, 1, 1, false)
	for range 6 {
		m.prepare()
	}
	first, err := m.book.OpenHolds(t.Context(), accounts.HoldQuery{Limit: 2}, m.peers[0])
	require.NoError(t, err)
	require.True(t, first.More)
	last := first.Holds[1]
	i := slices.IndexFunc(m.held, func(h heldPacket) bool { return h.hold.Packet == last.Packet })
	for _, leg := range m.held[i].legs {
		m.create(ledger.Transfer{ID: randomID(), PendingID: leg.ID, Flags: ledger.TransferVoidPending})
	}
	rest, err := m.book.OpenHolds(t.Context(), accounts.HoldQuery{After: &last}, m.peers[0])
	require.NoError(t, err)
	require.Len(t, rest.Holds, 4)
	require.Equal(t, m.held[2].hold.Packet, rest.Holds[0].Packet)
	require.Equal(t, 5, rest.Totals[0].Packets, "the totals count the holds before the page too")
}

func TestOpenHoldsRefusesAQuery(t *testing.T) {
	t.Parallel()
	m := newHoldsModel(t, 1, 1, false)
	for query, field := range map[accounts.HoldQuery]string{
		{Limit: -1}:                        "Limit",
		{Limit: accounts.MaxHoldLimit + 1}: "Limit",
		{Order: "size"}:                    "Order",
	} {
		_, err := m.book.OpenHolds(t.Context(), query, m.peers...)
		requireField(t, err, field)
	}
	carol, err := m.book.PeerAccount("carol", usd)
	require.NoError(t, err)
	_, err = m.book.OpenHolds(t.Context(), accounts.HoldQuery{}, carol)
	require.ErrorIs(t, err, accounts.ErrNotProvisioned)
}

// allHolds returns the lists of all peers, as Holds and Reservations return them.
func (m *holdsModel) allHolds() (all []accounts.OpenHold) {
	for _, peer := range m.peers {
		holds, err := m.book.Holds(m.t.Context(), peer)
		require.NoError(m.t, err)
		for _, h := range holds {
			all = append(all, accounts.OpenHold{Account: peer, Asset: usd, Hold: h})
		}
		reservations, err := m.book.Reservations(m.t.Context(), peer)
		require.NoError(m.t, err)
		for _, r := range reservations {
			hold := accounts.Hold{In: r.Amount, Since: r.Since, Expiry: r.Expiry}
			all = append(all, accounts.OpenHold{Account: peer, Asset: usd, Hold: hold, Reservation: r.ID, Journal: r.Journal})
		}
	}
	return all
}

// readHoldPages reads all pages of a query, and checks their sizes.
func (m *holdsModel) readHoldPages(query accounts.HoldQuery) (all []accounts.OpenHold, totals []accounts.HoldTotal) {
	for {
		page, err := m.book.OpenHolds(m.t.Context(), query, m.peers...)
		require.NoError(m.t, err)
		all, totals = append(all, page.Holds...), page.Totals
		require.LessOrEqual(m.t, len(page.Holds), query.Limit)
		if !page.More {
			return all, totals
		}
		require.Len(m.t, page.Holds, query.Limit)
		query.After = &all[len(all)-1]
	}
}

// holdKey returns what a list is sorted by, as a number.
func holdKey(order accounts.HoldOrder, h accounts.OpenHold) *big.Int {
	switch order {
	case accounts.HoldsByExpiry:
		if h.Expiry.IsZero() {
			return new(big.Int).Lsh(big.NewInt(1), 100)
		}
		return big.NewInt(h.Expiry.UnixNano())
	case accounts.HoldsByAmount:
		sum := new(big.Int).Add(h.In.Big(), h.Out.Big())
		return sum.Neg(sum)
	case accounts.HoldsByAge:
	}
	return big.NewInt(h.Since.UnixNano())
}

// sumByPeer sums holds up, for each peer that has one.
func (m *holdsModel) sumByPeer(holds []accounts.OpenHold) (totals []accounts.HoldTotal) {
	for _, peer := range m.peers {
		total, found := accounts.HoldTotal{Account: peer, Asset: usd}, false
		var since, expiries []time.Time
		for _, h := range holds {
			if h.Account != peer {
				continue
			}
			found = true
			total.Packets += countOf(!h.Packet.IsZero())
			total.Reservations += countOf(h.Packet.IsZero())
			total.In, _ = total.In.Add(h.In)
			total.Out, _ = total.Out.Add(h.Out)
			if since = append(since, h.Since); !h.Expiry.IsZero() {
				expiries = append(expiries, h.Expiry)
			}
		}
		if found {
			total.Oldest = slices.MinFunc(since, time.Time.Compare)
			if len(expiries) > 0 {
				total.NearestExpiry = slices.MinFunc(expiries, time.Time.Compare)
			}
			totals = append(totals, total)
		}
	}
	return totals
}

// Amounts of two assets are not compared: each asset has its own scale.
func TestOpenHoldsByAmountOfTwoAssets(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	book := newBook(t, l)
	peers, err := book.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: xrp, CreditLine: units(10_000)}, accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(10_000)})
	require.NoError(t, err)
	for _, peer := range peers {
		for _, amount := range []uint64{10, 30, 20} {
			reserve(t, l, book, peer, amount*uint64(peer.Ledger()), 1, 600)
		}
	}
	got, err := book.OpenHolds(t.Context(), accounts.HoldQuery{Order: accounts.HoldsByAmount}, peers...)
	require.NoError(t, err)
	var list []ledger.Amount
	for _, h := range got.Holds {
		list = append(list, h.In)
		require.Equal(t, h.Account.Ledger(), h.Asset.Ledger)
	}
	require.Less(t, usd.Ledger, xrp.Ledger)
	low, high := uint64(usd.Ledger), uint64(xrp.Ledger)
	require.Equal(t, []ledger.Amount{units(30 * low), units(20 * low), units(10 * low), units(30 * high), units(20 * high), units(10 * high)}, list)
}
