package settlement_test

import (
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

func TestOrdersAreCapped(t *testing.T) {
	t.Parallel()
	least60 := settlement.AtLeast{Amount: units(60), Of: settlement.Threshold{SettleThreshold: units(100)}}
	for name, c := range map[string]struct {
		policy settlement.Policy
		given  func(*world)
		want   []uint64
	}{
		"below the threshold": {at100, func(w *world) { w.earn(w.alice, 99) }, nil},
		"at the threshold":    {at100, func(w *world) { w.earn(w.alice, 100) }, []uint64{80}},
		"what is not fulfilled is not owed": {at100, func(w *world) {
			w.earn(w.alice, 90)
			w.writePacket(w.liquidity(), w.book.PeerIDs(w.alice).Peer, 50, ledger.TransferPending)
		}, nil},
		"what was spent again is not owed": {at100, func(w *world) {
			w.earn(w.alice, 150)
			w.spend(w.alice, 51)
		}, nil},
		"a prepayment is not paid back": {at100, func(w *world) {
			w.paySettlement(w.alice, 500)
			w.earn(w.alice, 99)
		}, nil},
		"beside a prepayment": {at100, func(w *world) {
			w.paySettlement(w.alice, 500)
			w.earn(w.alice, 100)
		}, []uint64{80}},
		"a debt that was paid is no prepayment": {at100, func(w *world) {
			w.spend(w.alice, 300)
			w.paySettlement(w.alice, 300)
			w.earn(w.alice, 100)
		}, []uint64{80}},
		"headroom": {least60, func(w *world) {
			w.earn(w.alice, 100)
			w.holdPacket(w.alice, 1040)
		}, []uint64{60}},
		"below the minimum once capped": {least60, func(w *world) {
			w.earn(w.alice, 100)
			w.holdPacket(w.alice, 1041)
		}, nil},
		"what packets earned, whatever the policy demands": {greedyPolicy{}, func(w *world) {
			w.paySettlement(w.alice, 500)
			w.earn(w.alice, 70)
			w.spend(w.alice, 30)
		}, []uint64{70}},
		"nothing of the credit line, whatever the policy demands": {greedyPolicy{}, func(w *world) {
			w.earn(w.alice, 70)
			w.spend(w.alice, 1050)
		}, nil},
		"a closed account": {at100, func(w *world) {
			w.earn(w.alice, 100)
			w.closePeer(w.alice)
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, r := newWorld(t), newRail()
			c.given(w)
			placed := 0
			cfg := manualConfig(r, c.policy)
			cfg.Events.Placed = func(settlement.Order) { placed++ }
			paid, err := w.engine(cfg).Settle(t.Context(), w.alice)
			require.NoError(t, err)
			require.Equal(t, c.want, paidAmounts(paid))
			require.Len(t, c.want, placed)
			require.Equal(t, r.totalPaid(w.alice), w.balance(w.alice).SettledOut)
			ledgertest.RequireConserved(t, w.ledger)
		})
	}
}

// greedyPolicy requests the largest amount.
type greedyPolicy struct{}

func (greedyPolicy) Due(settlement.PolicyInput) settlement.PaymentRequest {
	return settlement.PaymentRequest{Amount: ledger.AmountMax}
}

func TestOrderIsWrittenAsDesigned(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	cfg := manualConfig(r, at100)
	cfg.Instance = "one"
	opened := uint64(w.balance(w.alice).Opened.UnixNano())
	ids := w.book.PeerIDs(w.alice)
	var seen settlement.Order
	r.before = func(o settlement.Order) error {
		seen = o
		rows, err := w.ledger.LookupTransfers(t.Context(), []ledger.ID{o.ID})
		require.NoError(t, err)
		require.Len(t, rows, 1, "the order is in the ledger before the hook is called")
		ns := chart.Namespace("")
		require.Equal(t, ns.Derive("order", chart.U64(opened), chart.ID(ids.Settlement), chart.U64(o.Sequence)), o.ID)
		require.Equal(t, ledger.Transfer{
			ID: o.ID, DebitAccountID: ids.Peer, CreditAccountID: ids.Settlement, Amount: o.Amount,
			UserData64: o.Sequence | 1<<56, UserData128: uint128.Uint128(ns.Derive("instance", []byte("one"))),
			Ledger: usd.Ledger, Code: chart.CodeOrder, Timestamp: rows[0].Timestamp,
			Flags: ledger.TransferPending | ledger.TransferBalancingDebit,
		}, rows[0])
		require.Equal(t, time.Unix(0, int64(rows[0].Timestamp)).UTC(), o.PlacedAt)
		return nil
	}
	e := w.engine(cfg)
	w.earn(w.alice, 130)
	paid, err := e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, []settlement.Payment{{Order: seen, Paid: units(110)}}, paid)
	require.Equal(t, uint64(1), seen.Sequence)
	require.Equal(t, w.alice, seen.Account)
	require.Equal(t, usd, seen.Asset)

	w.earn(w.alice, 80)
	paid, err = e.Settle(t.Context())
	require.NoError(t, err, "an account that was checked is known from then on")
	require.Equal(t, []uint64{80}, paidAmounts(paid))
	require.Equal(t, uint64(2), seen.Sequence)
	w.requireConserved(r)
}

// Order 1 of a new ledger has a different id.
func TestOrderIDsOfTwoLedgersDiffer(t *testing.T) {
	t.Parallel()
	r := newRail()
	for range 2 {
		w := newWorld(t)
		w.earn(w.alice, 100)
		_, err := w.engine(manualConfig(r, at100)).Settle(t.Context(), w.alice)
		require.NoError(t, err)
		ledgertest.RequireNothingHeld(t, w.ledger)
	}
	paid, _ := r.countKeys()
	require.Equal(t, 2, paid)
}

func TestBurntNumbersAreWalkedOver(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	w.earn(w.alice, 100)
	// The peer is closed between the read of the balance and the order.
	var reopen func()
	l := &faultyLedger{Ledger: w.ledger, fault: func(c call) fault {
		if c.creates && reopen == nil {
			reopen = w.closePeer(w.alice)
		}
		return noFault
	}}
	e := w.engineOn(l, manualConfig(r, at100))
	_, err := e.Settle(t.Context(), w.alice)
	require.ErrorIs(t, err, ledger.ErrIDBurnt)
	reopen()
	paid, err := e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, []uint64{80}, paidAmounts(paid))
	require.Equal(t, uint64(2), paid[0].Order.Sequence)
	w.requireConserved(r)
}

// An order of amount 0 is voided at once, and Close does not name the order.
func TestVoidedOrderIsNotOpen(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	w.earn(w.alice, 100)
	held := false
	l := &faultyLedger{Ledger: w.ledger, fault: func(c call) fault {
		if c.creates && !held {
			held = true
			w.holdPacket(w.alice, 1100)
		}
		return noFault
	}}
	e := w.engineOn(l, manualConfig(r, at100))
	_, err := e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.NoError(t, e.Close(t.Context()))
	ledgertest.RequireConserved(t, w.ledger)
}

// An order that the Settler may have seen is not voided for being below the minimum.
func TestOpenOrderIsResumedWhateverThePolicySaysNow(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	r.after = func(settlement.Order) error { return errRail }
	w.earn(w.alice, 100)
	_, err := w.engine(manualConfig(r, at100)).Settle(t.Context(), w.alice)
	require.ErrorIs(t, err, errRail)

	r.after = func(settlement.Order) error { return nil }
	w.earn(w.alice, 200)
	larger := settlement.AtLeast{Amount: units(200), Of: settlement.Threshold{SettleThreshold: units(250)}}
	paid, err := w.engine(manualConfig(r, larger)).Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, []uint64{80}, paidAmounts(paid))
	w.requireConserved(r)
}

func TestOrdersListsWhatIsOpen(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t, "bob"), newRail()
	bob := w.peers[1]
	r.before = func(settlement.Order) error { return errRail }
	w.earn(w.alice, 100)
	e := w.engine(manualConfig(r, at100))
	for range 2 {
		_, err := e.Settle(t.Context(), w.alice, bob)
		require.ErrorIs(t, err, errRail)
	}
	open, err := e.Orders(t.Context())
	require.NoError(t, err)
	require.Len(t, open, 1)
	require.Equal(t, w.alice, open[0].Account)
	require.Equal(t, units(80), open[0].Amount)
	require.True(t, open[0].OwnedByThisInstance)
	require.Equal(t, 2, open[0].Attempts)
	require.ErrorIs(t, open[0].LastErr, errRail)

	cfg := manualConfig(r, at100)
	cfg.Instance = "another"
	open, err = w.engine(cfg).Orders(t.Context(), w.peers...)
	require.NoError(t, err)
	require.Len(t, open, 1)
	require.False(t, open[0].OwnedByThisInstance)
	require.Zero(t, open[0].Attempts)

	r.before = func(settlement.Order) error { return nil }
	_, err = e.Settle(t.Context())
	require.NoError(t, err)
	open, err = e.Orders(t.Context())
	require.NoError(t, err)
	require.Empty(t, open)
	w.requireConserved(r)
}

func TestOneUnknownAccountDoesNotKeepTheOthersWaiting(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	w.earn(w.alice, 100)
	stranger, err := w.book.PeerAccount("stranger", usd)
	require.NoError(t, err)
	e := w.engine(manualConfig(r, at100))
	e.NotifyBalances([]accounts.PeerAccount{w.alice, stranger})
	paid, err := e.Settle(t.Context())
	require.Equal(t, []uint64{80}, paidAmounts(paid))
	require.ErrorIs(t, err, accounts.ErrNotProvisioned)
	var of *settlement.OrderError
	require.ErrorAs(t, err, &of)
	require.Equal(t, stranger, of.Account)
	require.ErrorContains(t, err, "settle with stranger on ledger 1")
	_, err = e.Settle(t.Context())
	require.NoError(t, err, "it is forgotten")
	w.requireConserved(r)
}
