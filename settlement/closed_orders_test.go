package settlement_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/settlement"
)

// readClosedPages reads all pages of closed orders, and checks their sizes.
func readClosedPages(t *testing.T, e *settlement.Engine, limit int, list ...accounts.PeerAccount) (all []settlement.ClosedOrder) {
	t.Helper()
	query := settlement.ClosedOrderQuery{Limit: limit}
	for {
		page, err := e.ClosedOrders(t.Context(), query, list...)
		require.NoError(t, err)
		all = append(all, page.Orders...)
		require.LessOrEqual(t, len(page.Orders), limit)
		if !page.More {
			return all
		}
		require.Len(t, page.Orders, limit)
		query.Before = page.Orders[limit-1].ClosedAt
	}
}

// For any answers of the rail: pages of any size have all orders that were paid or voided, the newest first, with the
// amounts that the rail has paid, and no open order.
func TestClosedOrdersAgainstTheRail(t *testing.T) {
	t.Parallel()
	seed := ledgertest.Seed(t)
	beyond := 0
	for program := range uint64(8) {
		random := rand.New(rand.NewPCG(seed, program))
		w := newWorld(t, "bob", "carol")
		var closed []settlement.ClosedOrder
		r := newRail()
		note := func(o settlement.Order, outcome settlement.OrderOutcome, paid ledger.Amount) {
			o.ReleasedAt = time.Time{}
			closed = append(closed, settlement.ClosedOrder{Order: o, Outcome: outcome, Paid: paid, Owner: settlement.InstanceID(w.book, "one")})
		}
		cfg := manualConfig(r, at100)
		cfg.Instance = "one"
		cfg.Events.Paid = func(p settlement.Payment) { note(p.Order, settlement.OrderPaid, p.Paid) }
		cfg.Events.PartlyPaid = cfg.Events.Paid
		cfg.Events.Voided = func(o settlement.Order, _ error) { note(o, settlement.OrderVoided, ledger.Amount{}) }
		e := w.engine(cfg)
		r.pays = func(o settlement.Order) ledger.Amount {
			n, _ := o.Amount.Uint64()
			return units(n*4/5 + random.Uint64N(n/3+1))
		}
		for i := range 25 {
			peer := w.peers[random.IntN(3)]
			w.earn(peer, 100+random.Uint64N(400))
			answer := []error{nil, nil, settlement.ErrDeclined}[random.IntN(3)]
			if i == 24 {
				peer, answer = w.peers[0], settlement.ErrPending
				w.earn(peer, 1000)
			}
			r.before = func(settlement.Order) error { return answer }
			_, _ = e.Settle(t.Context(), peer) // declined, pending, or paid
		}
		slices.Reverse(closed)
		require.NotEmpty(t, closed)
		for _, limit := range []int{1, 2, 1 + random.IntN(30), settlement.MaxClosedOrders} {
			got := readClosedPages(t, e, limit, append(w.peers, w.peers[0])...)
			require.Len(t, got, len(closed), "program %d, limit %d", program, limit)
			for i := range got {
				require.True(t, got[i].ClosedAt.After(got[i].PlacedAt))
				require.True(t, i == 0 || got[i].ClosedAt.Before(got[i-1].ClosedAt))
				want := closed[i]
				want.ClosedAt = got[i].ClosedAt
				require.Equal(t, want, got[i], "program %d, limit %d", program, limit)
				if got[i].Amount.Less(got[i].Paid) {
					beyond++
				}
			}
		}
		for _, peer := range w.peers {
			for _, o := range readClosedPages(t, e, 3, peer) {
				require.Equal(t, peer, o.Account)
			}
		}
	}
	require.NotZero(t, beyond, "some rail paid more than ordered")
}

// The ids of voids tell why an order was voided, and the newest claim who owned it.
func TestOutcomesOfVoidedOrders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.engine(manualConfig(newRail(), at100))
	ids := w.book.PeerIDs(w.alice)
	own, _ := w.book.AssetIDs(usd.Ledger)
	ns := chart.Namespace("") // ledgers have these ids: they must never change
	var want []settlement.OrderOutcome
	for i, void := range []struct {
		outcome settlement.OrderOutcome
		id      func(order ledger.ID) ledger.ID
	}{
		{settlement.OrderVoided, func(order ledger.ID) ledger.ID { return ns.Derive("resolve", chart.ID(order), chart.U64(0)) }},
		{settlement.OrderRefused, func(order ledger.ID) ledger.ID { return ns.Derive("refused", chart.ID(order)) }},
		{settlement.OrderMisfits, func(order ledger.ID) ledger.ID { return ns.Derive("withdrawn", chart.ID(order)) }},
		{settlement.OrderUnneeded, func(order ledger.ID) ledger.ID { return ns.Derive("withdraw", chart.ID(order), chart.U64(2)) }},
	} {
		number := uint64(i + 1)
		order := w.writeRow(ledger.Transfer{
			DebitAccountID: ids.Peer, CreditAccountID: ids.Settlement, Amount: units(5), Ledger: usd.Ledger, Code: chart.CodeOrder,
			UserData128: uint128.From64(7), UserData64: 1<<56 | number, Flags: ledger.TransferPending,
		})
		for claim := range uint32(3) { // of two engines
			w.writeRow(ledger.Transfer{
				DebitAccountID: ids.Settlement, CreditAccountID: own.Control, Ledger: usd.Ledger, Code: chart.CodeClaim,
				UserData128: uint128.From64(uint64(claim) + 8), UserData64: number, UserData32: claim,
			})
		}
		results, err := w.ledger.CreateTransfers(t.Context(), []ledger.Transfer{{ID: void.id(order), PendingID: order, Flags: ledger.TransferVoidPending}})
		require.NoError(t, err)
		require.Equal(t, ledger.TransferCreated, results[0].Status)
		want = append(want, void.outcome)
	}
	slices.Reverse(want)
	got := readClosedPages(t, e, 10, w.alice)
	for i := range got {
		require.Equal(t, want[i], got[i].Outcome)
		require.Equal(t, ledger.NewID(10, 0), got[i].Owner)
		require.Zero(t, got[i].Paid)
		require.Equal(t, uint64(len(want)-i), got[i].Sequence)
	}
	require.Len(t, got, len(want))
}

func TestClosedOrdersRefusesAQuery(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.engine(manualConfig(newRail(), at100))
	for _, limit := range []int{-1, settlement.MaxClosedOrders + 1} {
		_, err := e.ClosedOrders(t.Context(), settlement.ClosedOrderQuery{Limit: limit}, w.alice)
		var fault *accounts.FieldError
		require.ErrorAs(t, err, &fault)
		require.Equal(t, "Limit", fault.Field)
	}
	own, err := w.book.OwnAccount(usd)
	require.NoError(t, err)
	_, err = e.ClosedOrders(t.Context(), settlement.ClosedOrderQuery{}, own)
	require.ErrorIs(t, err, accounts.ErrInvalid)
	page, err := e.ClosedOrders(t.Context(), settlement.ClosedOrderQuery{})
	require.NoError(t, err)
	require.Empty(t, page.Orders)
}
